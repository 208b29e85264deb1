//! `batchpipe-bench`: measures what BatchPipe costs on a real broker, and prints ratios of one run.
//!
//! Seconds of different machines, or of different minutes, cannot be compared; contenders that take turns can.

mod bare;
mod cpu;
mod data;
mod figures;
mod origin;
mod pipeline;
mod rounds;
mod stage;
mod suite;
mod table;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use batchpipe_workloads::source::generator::ProfileName;
use clap::Parser;

use crate::{data::Data, origin::Origin, stage::Stage};

/// Measures what BatchPipe costs, beside the bare work and beside others, on a real Kafka that it starts.
#[derive(Debug, Parser)]
#[command(name = "batchpipe-bench", version)]
struct Args {
    /// How often all contenders take their turn; the default is 5, or 3 with --quick
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// Records of each profile
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    records: u64,
    /// Only the profile telemetry, and fewer rounds
    #[arg(long)]
    quick: bool,
    /// Leave the Python origin out
    #[arg(long)]
    without_python: bool,
    /// Also write the tables to this file, as Markdown
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let rounds = args.rounds.unwrap_or(if args.quick { 3 } else { 5 }).max(1);
    let profiles: &[_] = if args.quick {
        &[ProfileName::Telemetry]
    } else {
        &[ProfileName::Telemetry, ProfileName::Seed]
    };
    let origin = if args.without_python {
        None
    } else {
        Some(Origin::find().context("contender \"python\" cannot run; see --without-python")?)
    };
    let stage = Stage::start()?;
    let mut markdown = String::new();
    let mut say = |text: &str, as_markdown: &str| {
        println!("{text}");
        markdown.push_str(as_markdown);
        markdown.push('\n');
    };
    let conditions = conditions(rounds, args.records, origin.is_some());
    say(&conditions, &conditions);
    for profile in profiles {
        let data = Data::new(stage.folder(), *profile, args.records, pipeline::PER_BATCH)?;
        let contenders = suite::contenders(&stage, &data, origin.as_ref());
        let all = rounds::interleave(contenders, rounds)?;
        for table in
            [figures::costs(&data, &all), figures::ratios(&data, &all), figures::sizes(&data, &all)]
        {
            say(&table.to_string(), &table.markdown());
        }
    }
    if let Some(path) = &args.markdown {
        std::fs::write(path, markdown)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Under which conditions was measured.
fn conditions(rounds: usize, records: u64, with_python: bool) -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("unknown").to_owned();
    let python = if with_python { "" } else { "; without the Python origin" };
    format!(
        "{rounds} rounds of {records} records, {} per batch, zstd {}, {} partitions, {cores} cores that the \
         broker shares, load {load} at the start{python}\n",
        pipeline::PER_BATCH,
        bare::LEVEL,
        stage::PARTITIONS,
    )
}
