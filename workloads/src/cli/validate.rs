//! `batchpipe validate`.

use std::io::Write as _;

use batchpipe_api::validate::{Violation, in_cluster, locally};

use super::{Exit, shared::PipelineArgs};
use crate::{config::Loaded, error::chain};

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    pipeline: PipelineArgs,
}

impl Args {
    pub(super) fn run(self) -> Exit {
        match self.pipeline.read() {
            Ok(Loaded { pipeline, .. }) => {
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
fn note(place: &str, violations: &[Violation]) {
    for violation in violations {
        eprintln!("note: {place} it cannot run: {violation}");
    }
}

fn say(name: &str) -> Exit {
    // A reader that has gone does not need the words; the exit code tells it too.
    let _ = writeln!(std::io::stdout().lock(), "batchpipeline {name} is valid");
    Exit::Done
}
