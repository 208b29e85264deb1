//! The command line: arguments in, one call each, exit code out. One file for each command.
//!
//! Exit codes: 0 done, 1 failed or records unaccounted for, 2 wrong usage or configuration.

mod audit;
mod consume;
mod demo;
mod inspect;
mod outcome;
mod plugin;
mod produce;
mod redrive;
mod run;
mod shared;
mod tap;
mod target;
mod top;
mod tune;
mod validate;

use std::process::ExitCode;

pub use self::plugin::Plugin;
use clap::{Parser, Subcommand};
use tracing::level_filters::LevelFilter;

use crate::{error::chain, telemetry};

/// Joins small JSON records into compressed batches, carries them through Kafka, and takes them apart again:
/// nothing lost, everything accounted for.
#[derive(Debug, Parser)]
#[command(name = "batchpipe", version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Collect records from a pipeline's source and send them in batches.
    Produce(produce::Args),
    /// Fetch a pipeline's batches and deliver their records to its sink.
    Consume(consume::Args),
    /// Produce and consume in one process.
    Run(run::Args),
    /// Show it all in one process with an embedded broker, and prove that nothing is lost: no Kafka, no network.
    Demo(demo::Args),
    /// Print the records of a topic of batches, one per line, without joining a group.
    Tap(tap::Args),
    /// Prove from a topic's envelopes that no record is missing.
    Audit(audit::Args),
    /// Send dead letters back to the topic that they came from.
    Redrive(redrive::Args),
    /// Measure codecs, levels and batch sizes on your records, and recommend one of them: no Kafka, no network.
    Tune(tune::Args),
    /// Take the value of one message apart.
    Inspect(inspect::Args),
    /// Check a pipeline against all rules, offline.
    Validate(validate::Args),
    /// Show all pipelines of a cluster in a live table.
    Top(top::Args),
}

/// What a command ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0.
    Done,
    /// 1: it failed, or records are unaccounted for.
    Failed,
    /// 2: it was asked for something impossible.
    Usage,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => Self::SUCCESS,
            Exit::Failed => Self::from(1),
            Exit::Usage => Self::from(2),
        }
    }
}

impl Cli {
    /// Carries out the command.
    pub fn run(self) -> ExitCode {
        if let Err(error) = telemetry::init(None, LevelFilter::INFO) {
            eprintln!("error: {}", chain(&error));
            return Exit::Usage.into();
        }
        let exit = match self.command {
            Command::Produce(args) => args.run(),
            Command::Consume(args) => args.run(),
            Command::Run(args) => args.run(),
            Command::Demo(args) => args.run(),
            Command::Tap(args) => args.run(),
            Command::Audit(args) => args.run(),
            Command::Redrive(args) => args.run(),
            Command::Tune(args) => args.run(),
            Command::Inspect(args) => args.run(),
            Command::Validate(args) => args.run(),
            Command::Top(args) => args.run(),
        };
        exit.into()
    }
}
