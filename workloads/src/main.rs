//! The `batchpipe` command: parse and dispatch, nothing else.

use std::process::ExitCode;

use batchpipe_workloads::cli::Cli;
use clap::Parser;

fn main() -> ExitCode {
    Cli::parse().run()
}
