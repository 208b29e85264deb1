//! `batchpipe run`.

use super::{
    Exit,
    outcome::execute,
    shared::{self, PipelineArgs, ProcessArgs, SourceArgs},
};
use crate::{
    config::{self, ConfigError, ConsumerFlags},
    consume::CatchUp,
    process::Plan,
};

#[derive(clap::Args, Debug)]
#[command(after_help = shared::VARIABLES)]
pub(super) struct Args {
    #[command(flatten)]
    pipeline: PipelineArgs,
    #[command(flatten)]
    process: ProcessArgs,
    #[command(flatten)]
    source: SourceArgs,
}

impl Args {
    pub(super) fn run(self) -> Exit {
        execute(self.plan(), self.process.json)
    }

    fn plan(&self) -> Result<Plan, ConfigError> {
        let pipeline = self.pipeline.load_with_source()?;
        let grace = self.process.grace();
        let flags = self.source.flags(grace);
        let catch_up = CatchUp::default();
        let consumer_flags = ConsumerFlags { limit: None, catch_up: catch_up.clone(), grace };
        Ok(Plan {
            producer: Some(config::producer(&pipeline, &flags)?),
            consumer: Some(config::consumer(&pipeline, &consumer_flags)?),
            catch_up,
            admin: self.process.admin,
            stays: ProcessArgs::stays()?,
        })
    }
}
