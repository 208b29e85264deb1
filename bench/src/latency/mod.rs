//! How long records take from their arrival to their delivery, at parts of the throughput that is reached, for several
//! lingers.
//!
//! Records go through pipes into `batchpipe produce` and come out of `batchpipe consume`. Each carries the time at which it
//! was due, so that a source that is held up does not hide what it waited (coordinated omission).

mod document;
mod flow;
mod load;
mod watch;

use std::{fs, time::Duration};

use anyhow::{Context as _, Result};

use self::{flow::Flow, watch::Seen};
use crate::{report::machine::Machine, spread::float, stage::Stage};

/// The name of the document.
const DOCUMENT: &str = "benchmarks-latency.md";
const LINGERS: [Duration; 3] =
    [Duration::from_millis(10), Duration::from_millis(100), Duration::from_secs(1)];
/// Percent of the throughput reached.
const LOADS: [u64; 3] = [10, 50, 90];

/// What is to be measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How often all points take their turn
    #[arg(long, value_name = "N", default_value_t = 3)]
    rounds: usize,
    /// Seconds that each point takes in a round
    #[arg(long, value_name = "N", default_value_t = 10)]
    seconds: u64,
    /// The folder that the document is written to
    #[arg(long, value_name = "FOLDER", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs"))]
    output: std::path::PathBuf,
}

/// One linger at one load.
struct Point {
    linger: Duration,
    load: u64,
    /// Of each round.
    rounds: Vec<Seen>,
}

/// What records per second come through with this linger, without a pause between them.
struct Reached {
    linger: Duration,
    records_per_second: f64,
}

/// Measures all points, and writes the document.
pub(crate) fn run(args: &Args) -> Result<()> {
    let machine = Machine::look()?;
    let stage = Stage::start()?;
    let (duration, rounds) = (Duration::from_secs(args.seconds.max(1)), args.rounds.max(1));
    let mut reached = Vec::new();
    for linger in LINGERS {
        let seen = Flow::start(&stage, linger)?.carry(load::Rate::Unpaced, duration)?;
        let records_per_second = seen.records_per_second();
        eprintln!("linger {linger:?}: {records_per_second:.0} records/s");
        reached.push(Reached { linger, records_per_second });
    }
    let mut points: Vec<_> = LINGERS
        .iter()
        .flat_map(|linger| LOADS.map(|load| Point { linger: *linger, load, rounds: Vec::new() }))
        .collect();
    for round in 0..rounds {
        for point in &mut points {
            let full = reached.iter().find(|it| it.linger == point.linger);
            let full = full.context("a linger was not measured")?.records_per_second;
            let rate = load::Rate::PerSecond(full * float(point.load) / 100.0);
            let seen = Flow::start(&stage, point.linger)?.carry(rate, duration)?;
            eprintln!("  linger {:?}, load {} %: {seen}", point.linger, point.load);
            point.rounds.push(seen);
        }
        eprintln!("round {} of {rounds} is done", round + 1);
    }
    let text = document::markdown(&machine, duration, &reached, &points);
    println!("{text}");
    let path = args.output.join(DOCUMENT);
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}
