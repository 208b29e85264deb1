//! `batchpipe validate`.

use std::{fmt::Display, io::Write as _};

use batchpipe_api::validate::{in_cluster, locally};

use super::{Exit, shared::PipelineArgs};
use crate::{config::Loaded, error::chain};

#[derive(clap::Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub(super) struct Args {
    #[command(flatten)]
    pipeline: PipelineArgs,
}

/// What `--help` says at the end.
const EXIT_CODES: &str =
    "Exit codes: 0 valid, 2 not valid or not to be read; notes change neither.";

impl Args {
    pub(super) fn run(self) -> Exit {
        match self.pipeline.read() {
            Ok(Loaded { pipeline, origin, further_documents }) => {
                if further_documents > 0 {
                    eprintln!(
                        "note: only the first document of {origin} was checked; {further_documents} more follow"
                    );
                }
                note("outside Kubernetes", &locally(&pipeline));
                note("in Kubernetes", &in_cluster(&pipeline));
                say(pipeline.name())
            }
            Err(error) => {
                eprintln!("error: {}", chain(&error));
                Exit::Usage
            }
        }
    }
}

/// A valid pipeline need not be able to run everywhere; who means to should know.
fn note(place: &str, obstacles: &[impl Display]) {
    for obstacle in obstacles {
        eprintln!("note: {place} it cannot run: {obstacle}");
    }
}

fn say(name: &str) -> Exit {
    // A reader that has gone does not need the words; the exit code tells it too.
    let _ = writeln!(std::io::stdout().lock(), "batchpipeline {name} is valid");
    Exit::Done
}
