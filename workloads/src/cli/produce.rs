//! `batchpipe produce`.

use super::{
    Exit,
    outcome::execute,
    shared::{self, PipelineArgs, ProcessArgs, SourceArgs},
};
use crate::{
    config::{self, ConfigError},
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
        let flags = self.source.flags(self.process.grace());
        Ok(Plan {
            producer: Some(config::producer(&pipeline, &flags)?),
            consumer: None,
            catch_up: CatchUp::default(),
            admin: self.process.admin,
            stays: ProcessArgs::stays()?,
        })
    }
}
