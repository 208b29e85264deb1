//! `batchpipe produce`.

use super::{
    Exit,
    outcome::execute,
    shared::{self, PipelineArgs, ProcessArgs},
};
use crate::{
    config::{self, ConfigError, ProducerFlags},
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
    /// End after so many records
    #[arg(long, value_name = "N", value_parser = shared::limit, allow_negative_numbers = true)]
    limit: Option<u64>,
    /// Records a second of the generator; 0 = as fast as possible
    #[arg(long, value_name = "R", value_parser = shared::rate, allow_negative_numbers = true)]
    rate: Option<u64>,
}

impl Args {
    pub(super) fn run(self) -> Exit {
        execute(self.plan(), self.process.json)
    }

    fn plan(&self) -> Result<Plan, ConfigError> {
        let pipeline = self.pipeline.load()?;
        let flags = ProducerFlags {
            limit: self.limit,
            rate: self.rate,
            gate: None,
            grace: self.process.grace(),
        };
        Ok(Plan {
            producer: Some(config::producer(&pipeline, &flags)?),
            consumer: None,
            catch_up: CatchUp::default(),
            admin: self.process.admin,
            stays: ProcessArgs::stays(),
        })
    }
}
