//! `batchpipe consume`.

use super::{
    Exit,
    outcome::execute,
    shared::{self, PipelineArgs, ProcessArgs},
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
    /// End at the first batch boundary at or after so many records
    #[arg(long, value_name = "N", value_parser = shared::limit, allow_negative_numbers = true)]
    limit: Option<u64>,
    /// End when everything has been delivered, by whichever member of the group, that was in the topic at the start
    #[arg(long)]
    until_caught_up: bool,
}

impl Args {
    pub(super) fn run(self) -> Exit {
        execute(self.plan(), self.process.json)
    }

    fn plan(&self) -> Result<Plan, ConfigError> {
        let pipeline = self.pipeline.load()?;
        let catch_up = if self.until_caught_up { CatchUp::required() } else { CatchUp::default() };
        let flags = ConsumerFlags {
            limit: self.limit,
            catch_up: catch_up.clone(),
            grace: self.process.grace(),
        };
        Ok(Plan {
            producer: None,
            consumer: Some(config::consumer(&pipeline, &flags)?),
            catch_up,
            admin: self.process.admin,
            stays: ProcessArgs::stays()?,
        })
    }
}
