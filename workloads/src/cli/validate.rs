//! `batchpipe validate`.

use super::{Exit, shared::PipelineArgs};
use crate::error::chain;

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    pipeline: PipelineArgs,
}

impl Args {
    pub(super) fn run(self) -> Exit {
        match self.pipeline.load() {
            Ok(pipeline) => {
                println!("batchpipeline {} is valid", pipeline.name());
                Exit::Done
            }
            Err(error) => {
                eprintln!("error: {}", chain(&error));
                Exit::Usage
            }
        }
    }
}
