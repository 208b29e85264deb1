//! `batchpipe` itself: the real commands on a real broker, as child processes.
//!
//! Each measurement is two runs, of all records and of a single one; what the single one costs (starting,
//! connecting, joining the group, leaving) is taken away and shown beside.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use batchpipe_api::report::ExitReport;
use serde_json::json;

use crate::{
    bare,
    cpu::{self, Cost},
    data::Data,
    rounds::Run,
    stage::Stage,
};

/// Records of a batch.
pub(crate) const PER_BATCH: usize = 500;

/// A pipeline over the topics of one round.
pub(crate) struct Pipeline<'a> {
    stage: &'a Stage,
    data: &'a Data,
    /// Whether the producer validates, and seals its batches with `j=1`.
    sealed: bool,
    topic: String,
}

impl<'a> Pipeline<'a> {
    pub(crate) fn new(stage: &'a Stage, data: &'a Data, sealed: bool, round: usize) -> Self {
        let kind = if sealed { "sealed" } else { "unsealed" };
        Self { stage, data, sealed, topic: format!("{}-{kind}-{round}", data.profile.name()) }
    }

    /// The topic that a single record goes to.
    fn single(&self) -> String {
        format!("{}-single", self.topic)
    }

    /// Sends all records of the file to a new topic.
    pub(crate) fn produce(&self) -> Result<Run> {
        self.stage.make_topic(&self.topic)?;
        self.stage.make_topic(&self.single())?;
        let start = self.run(&["produce", "--limit", "1"], &self.single(), 1)?;
        let cost = self.run(&["produce"], &self.topic, self.data.records)?;
        let topic_bytes = Some(self.stage.topic_bytes(&self.topic)?);
        Ok(Run {
            cost: cost.less(start),
            records: self.data.records,
            start: Some(start),
            topic_bytes,
        })
    }

    /// Reads them back, and removes the topics.
    pub(crate) fn consume(&self) -> Result<Run> {
        let start = self.run(&["consume", "--until-caught-up"], &self.single(), 1)?;
        let cost = self.run(&["consume", "--until-caught-up"], &self.topic, self.data.records)?;
        self.stage.remove_topic(&self.single())?;
        self.stage.remove_topic(&self.topic)?;
        let records = self.data.records;
        Ok(Run { cost: cost.less(start), records, start: Some(start), topic_bytes: None })
    }

    /// Sends and reads back at the same time, in one process, through new topics.
    pub(crate) fn both(&self) -> Result<Run> {
        let (through, single) = (format!("{}-both", self.topic), format!("{}-both", self.single()));
        self.stage.make_topic(&through)?;
        self.stage.make_topic(&single)?;
        let start = self.run(&["run", "--limit", "1"], &single, 1)?;
        let cost = self.run(&["run"], &through, self.data.records)?;
        self.stage.remove_topic(&through)?;
        self.stage.remove_topic(&single)?;
        let records = self.data.records;
        Ok(Run { cost: cost.less(start), records, start: Some(start), topic_bytes: None })
    }

    /// Runs a command on a topic, and makes sure that it carried so many records.
    fn run(&self, args: &[&str], topic: &str, records: u64) -> Result<Cost> {
        let file = self.stage.folder().join("pipeline.yaml");
        std::fs::write(&file, self.text(topic)).context("cannot write a pipeline")?;
        let mut command: Command = self.stage.batchpipe();
        command.args(args).arg("--json").arg("-f").arg(&file);
        let (printed, cost) = cpu::of_child(&mut command)?;
        for line in printed.lines() {
            let report: ExitReport = serde_json::from_str(line).context("not an exit report")?;
            ensure!(
                report.delivered == records && report.in_flight == 0,
                "{} of {records} records were delivered: {line}",
                report.delivered
            );
        }
        Ok(cost)
    }

    fn text(&self, topic: &str) -> String {
        // A checkpoint of its own for each topic: a file that was read is not read again.
        let checkpoint = self.stage.folder().join(format!("{topic}.checkpoint"));
        let pipeline = json!({
            "apiVersion": "batchpipe.dev/v1alpha1",
            "kind": "BatchPipeline",
            "metadata": {"name": "bench"},
            "spec": {
                "kafka": {"bootstrapServers": self.stage.brokers()},
                "topic": {"name": topic, "partitions": crate::stage::PARTITIONS},
                "batch": {"maxRecords": PER_BATCH},
                "compression": {"codec": "zstd", "level": bare::LEVEL},
                "producer": {
                    "source": {"file": {"path": self.data.file, "checkpointPath": checkpoint, "follow": false}},
                    "validate": if self.sealed { "Json" } else { "None" },
                },
                "consumer": {"group": topic, "sink": {"blackhole": {}}},
            },
        });
        pipeline.to_string()
    }
}
