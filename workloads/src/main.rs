//! The `batchpipe` command, and `kubectl batchpipe`: parse and dispatch, nothing else.

use std::{path::Path, process::ExitCode};

use batchpipe_workloads::cli::{Cli, Plugin};
use clap::Parser;

fn main() -> ExitCode {
    let program = std::env::args_os().next().unwrap_or_default();
    if Plugin::is_meant_by(Path::new(&program)) {
        Plugin::parse().run()
    } else {
        Cli::parse().run()
    }
}
