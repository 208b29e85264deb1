//! The Python demo's loops on the same records and the same broker.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::{
    cpu::{self, Cost},
    data::Data,
    rounds::Run,
    stage::Stage,
};

/// The demo is slow, so it gets only this part of the records.
const PART: u64 = 5;

/// The demo with its interpreter.
pub(crate) struct Origin {
    python: PathBuf,
}

/// What the script prints.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Printed {
    cpu_seconds: f64,
    wall_seconds: f64,
}

impl Origin {
    /// Finds the interpreter of the tests' environment, which has a Kafka client.
    pub(crate) fn find() -> Result<Self> {
        Ok(Self { python: batchpipe_testbed::python()? })
    }

    /// Sends records that are strings already.
    pub(crate) fn produce_strings(&self, stage: &Stage, data: &Data, round: usize) -> Result<Run> {
        let topic = topic(data, round);
        stage.make_topic(&topic)?;
        let run = self.run("strings", stage, data, &topic)?;
        Ok(Run { topic_bytes: Some(stage.topic_bytes(&topic)?), ..run })
    }

    /// Sends records that are objects.
    pub(crate) fn produce_objects(&self, stage: &Stage, data: &Data, round: usize) -> Result<Run> {
        let topic = format!("{}-dumps", topic(data, round));
        stage.make_topic(&topic)?;
        let run = self.run("dumps", stage, data, &topic)?;
        stage.remove_topic(&topic)?;
        Ok(run)
    }

    /// Reads back what [`Self::produce_strings`] sent in the same round.
    pub(crate) fn consume(&self, stage: &Stage, data: &Data, round: usize) -> Result<Run> {
        let topic = topic(data, round);
        let run = self.run("consume", stage, data, &topic)?;
        stage.remove_topic(&topic)?;
        Ok(run)
    }

    fn run(&self, mode: &str, stage: &Stage, data: &Data, topic: &str) -> Result<Run> {
        let records = data.records.div_ceil(PART);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/origin.py");
        let mut command = Command::new(&self.python);
        command.arg(script).arg(mode).args(["--brokers", &stage.brokers(), "--topic", topic]);
        command.args(["--records", &records.to_string(), "--file"]).arg(&data.file);
        let (printed, _) = cpu::of_child(&mut command)?;
        let printed: Printed = serde_json::from_str(printed.trim())
            .with_context(|| format!("the script printed {printed:?}"))?;
        let Printed { cpu_seconds, wall_seconds } = printed;
        Ok(Run::of_thread(Cost { cpu_seconds, wall_seconds }, records))
    }
}

fn topic(data: &Data, round: usize) -> String {
    format!("{}-origin-{round}", data.profile.name())
}
