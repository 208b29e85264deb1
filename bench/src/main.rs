//! `batchpipe-bench`: measures what BatchPipe costs on a real broker, beside what others cost, in ratios of one run.
//!
//! Seconds of different machines, or of different minutes, cannot be compared; contenders that take turns can.

mod args;
mod bare;
mod client;
mod contenders;
mod cpu;
mod curves;
mod data;
mod latency;
mod micro;
mod pipeline;
mod report;
mod rounds;
mod spread;
mod stage;

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use batchpipe_workloads::source::generator::ProfileName;
use clap::Parser;

use crate::{
    args::{Args, Command},
    contenders::{Ground, Party, batchpipe::PER_BATCH},
    data::Data,
    report::{
        document::{self, Conditions, Results},
        machine::{self, Machine},
        ratios,
    },
    spread::float,
    stage::Stage,
};

const PROFILES: [ProfileName; 2] = [ProfileName::Telemetry, ProfileName::Seed];

fn main() -> Result<()> {
    let args = Args::parse();
    match &args.command {
        Some(Command::Client(args)) => client::run(args),
        Some(Command::Curves(args)) => curves::run(args),
        Some(Command::Latency(args)) => latency::run(args),
        Some(Command::Micro(args)) => micro::run(args),
        None => measure(&args),
    }
}

fn measure(args: &Args) -> Result<()> {
    ensure!(args.records > 0, "there is nothing to measure without records");
    // Before anything is built, which takes all cores.
    let machine = Machine::look()?;
    let parties = contenders::parties(&args.without)?;
    let conditions = conditions(args, machine, &parties)?;
    println!("{}\n", conditions.line());
    let stage = Stage::start()?;
    let profiles = if args.quick { &PROFILES[..1] } else { &PROFILES };
    let mut all = Vec::new();
    for profile in profiles {
        let results = run(args, &stage, &parties, *profile)?;
        if args.quick {
            println!("{}", ratios::ratios(*profile, &results.all));
        } else {
            for table in document::tables(&results) {
                println!("{table}");
            }
        }
        all.push(results);
    }
    args.output().map_or(Ok(()), |folder| write(&folder, &conditions, &all))
}

/// All rounds on the records of one profile.
fn run(
    args: &Args,
    stage: &Stage,
    parties: &[Box<dyn Party>],
    profile: ProfileName,
) -> Result<Results> {
    eprintln!("profile {}", profile.name());
    let data = Data::new(stage.folder(), profile, args.records, PER_BATCH)?;
    let ground = Ground { stage, data: &data, quick: args.quick };
    let contenders: Vec<_> = parties.iter().flat_map(|party| party.contenders(ground)).collect();
    let turns: Vec<_> = contenders.iter().map(|it| (it.who.as_str(), it.side)).collect();
    ratios::check(&turns, &args.without)?;
    let all = rounds::interleave(contenders, args.rounds())?;
    let record_bytes = float(data.text.len() as u64) / float(data.records);
    Ok(Results { profile, record_bytes, all })
}

fn conditions(args: &Args, machine: Machine, parties: &[Box<dyn Party>]) -> Result<Conditions> {
    let mut versions = machine::versions();
    for party in parties {
        versions.extend(party.versions()?);
    }
    Ok(Conditions {
        rounds: args.rounds(),
        records: args.records,
        without: args.without.clone(),
        machine,
        versions,
        settings: parties.iter().flat_map(|party| party.settings()).collect(),
    })
}

fn write(folder: &Path, conditions: &Conditions, all: &[Results]) -> Result<()> {
    let files = [
        (document::DOCUMENT, document::markdown(conditions, all)),
        (document::PLOT, document::plot(all)),
    ];
    for (name, text) in files {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        eprintln!("wrote {}", path.display());
    }
    Ok(())
}
