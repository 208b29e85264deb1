//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::{client, contenders::Peer, curves, latency, micro};

/// Measures what BatchPipe costs, beside the bare work and beside others, on a real Kafka that it starts.
#[derive(Debug, Parser)]
#[command(name = "batchpipe-bench", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    /// How often all contenders take their turn; the default is 5, or 3 with --quick
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// Records of each profile
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    pub(crate) records: u64,
    /// Only print the main ratios, of the profile telemetry, after fewer rounds; no document is written
    #[arg(long)]
    pub(crate) quick: bool,
    /// Leave a contender out, which the document then says; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) without: Vec<Peer>,
    /// The folder that the document and the plot are written to; by default `docs`
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What else the program does.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// One of the contenders, for itself
    #[command(hide = true)]
    Client(client::Args),
    /// Measures how the cost grows with one setting at a time
    Curves(curves::Args),
    /// Measures how long records take at several loads and lingers
    Latency(latency::Args),
    /// Counts the instructions of codec, batcher and reader, with valgrind
    Micro(micro::Args),
}

impl Args {
    pub(crate) fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 3 } else { 5 }).max(1)
    }

    /// Where to write; nowhere if it is to be quick.
    pub(crate) fn output(&self) -> Option<PathBuf> {
        let docs = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs"));
        (!self.quick).then(|| self.output.clone().unwrap_or_else(docs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Args {
        Args::try_parse_from([&["bench"], words].concat()).unwrap()
    }

    #[test]
    fn the_quick_one_has_fewer_rounds_and_writes_nothing() {
        let (whole, quick) = (parse(&[]), parse(&["--quick"]));
        assert_eq!((whole.rounds(), quick.rounds()), (5, 3));
        assert!(whole.output().unwrap().ends_with("docs") && quick.output().is_none());
    }

    #[test]
    fn contenders_are_left_out_by_name() {
        let args = parse(&["--without", "java", "--without", "bento"]);
        assert_eq!(args.without, [Peer::Java, Peer::Bento]);
        assert!(Args::try_parse_from(["bench", "--without", "nobody"]).is_err());
    }
}
