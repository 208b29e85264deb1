//! The real commands of `batchpipe` on a real broker, as child processes.
//!
//! Each measurement is two runs, of all records and of a single one; what the single one costs (starting,
//! connecting, joining the group, leaving) is taken away and shown beside.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};
use batchpipe_api::report::ExitReport;
use serde_json::json;

use crate::{
    bare,
    contenders::batchpipe::PER_BATCH,
    cpu::{self, Child},
    rounds::Run,
    spread::float,
    stage::{PARTITIONS, Stage},
};

/// A file with a record a line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Records<'a> {
    pub(crate) file: &'a Path,
    pub(crate) count: u64,
}

/// What is set differently from one measurement to the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Whether the producer validates, and seals its batches with `j=1`.
    pub(crate) sealed: bool,
    pub(crate) per_batch: usize,
    pub(crate) partitions: u32,
    pub(crate) codec: &'static str,
    pub(crate) level: Option<i32>,
    /// A JSON pointer to the key.
    pub(crate) key: Option<&'static str>,
}

impl Shape {
    /// What is compared with others.
    pub(crate) const USUAL: Self = Self {
        sealed: true,
        per_batch: PER_BATCH,
        partitions: PARTITIONS,
        codec: "zstd",
        level: Some(bare::LEVEL),
        key: None,
    };
}

/// A pipeline over a topic of its own.
pub(crate) struct Pipeline<'a> {
    stage: &'a Stage,
    records: Records<'a>,
    shape: Shape,
    topic: String,
}

impl<'a> Pipeline<'a> {
    pub(crate) const fn new(
        stage: &'a Stage,
        records: Records<'a>,
        shape: Shape,
        topic: String,
    ) -> Self {
        Self { stage, records, shape, topic }
    }

    /// The topic that a single record goes to.
    fn single(&self) -> String {
        format!("{}-single", self.topic)
    }

    /// Sends all records of the file to a new topic.
    pub(crate) fn produce(&self) -> Result<Run> {
        self.make_topic(&self.topic)?;
        self.make_topic(&self.single())?;
        let start = self.run(&["produce", "--limit", "1"], &self.single(), 1)?;
        let run = self.measured(&["produce"], &self.topic, &start)?;
        Ok(Run { topic_bytes: Some(self.stage.topic_bytes(&self.topic)?), ..run })
    }

    /// Reads them back, and removes the topics.
    pub(crate) fn consume(&self) -> Result<Run> {
        let start = self.run(&["consume", "--until-caught-up"], &self.single(), 1)?;
        let run = self.measured(&["consume", "--until-caught-up"], &self.topic, &start)?;
        self.stage.remove_topic(&self.single())?;
        self.stage.remove_topic(&self.topic)?;
        Ok(run)
    }

    /// Sends and reads back at the same time, in one process, through new topics.
    pub(crate) fn both(&self) -> Result<Run> {
        let (through, single) = (format!("{}-both", self.topic), format!("{}-both", self.single()));
        self.make_topic(&through)?;
        self.make_topic(&single)?;
        let start = self.run(&["run", "--limit", "1"], &single, 1)?;
        let run = self.measured(&["run"], &through, &start)?;
        self.stage.remove_topic(&through)?;
        self.stage.remove_topic(&single)?;
        Ok(run)
    }

    fn make_topic(&self, name: &str) -> Result<()> {
        self.stage.make_topic_of(name, self.shape.partitions)
    }

    /// Runs a command on all records; what `start` cost is taken away.
    fn measured(&self, args: &[&str], topic: &str, start: &Child) -> Result<Run> {
        let records = self.records.count;
        let (child, broker) = self.stage.with_broker(|| self.run(args, topic, records))?;
        Ok(Run {
            start: Some(start.cost),
            peak_bytes: Some(child.peak_bytes),
            broker: Some(broker / float(records) * 1e6),
            ..Run::new(child.cost.less(start.cost), records)
        })
    }

    /// Runs a command on a topic, and makes sure that it carried so many records.
    fn run(&self, args: &[&str], topic: &str, records: u64) -> Result<Child> {
        let file = self.stage.folder().join("pipeline.yaml");
        std::fs::write(&file, self.text(topic)).context("cannot write a pipeline")?;
        let mut command: Command = self.stage.batchpipe();
        command.args(args).arg("--json").arg("-f").arg(&file);
        let child = cpu::of_child(&mut command)?;
        for line in child.printed.lines() {
            let report: ExitReport = serde_json::from_str(line).context("not an exit report")?;
            ensure!(
                report.delivered == records && report.in_flight == 0,
                "{} of {records} records were delivered: {line}",
                report.delivered
            );
        }
        Ok(child)
    }

    fn text(&self, topic: &str) -> String {
        // A checkpoint of its own for each topic: a file that was read is not read again.
        let checkpoint = self.stage.folder().join(format!("{topic}.checkpoint"));
        let Shape { sealed, per_batch, partitions, codec, level, key } = self.shape;
        let mut compression = json!({"codec": codec});
        if let Some(level) = level {
            compression["level"] = json!(level);
        }
        let mut producer = json!({
            "source": {"file": {"path": self.records.file, "checkpointPath": checkpoint, "follow": false}},
            "validate": if sealed { "Json" } else { "None" },
        });
        if let Some(key) = key {
            producer["key"] = json!(key);
        }
        let pipeline = json!({
            "apiVersion": "batchpipe.dev/v1alpha1",
            "kind": "BatchPipeline",
            "metadata": {"name": "bench"},
            "spec": {
                "kafka": {"bootstrapServers": self.stage.brokers()},
                "topic": {"name": topic, "partitions": partitions},
                "batch": {"maxRecords": per_batch},
                "compression": compression,
                "producer": producer,
                "consumer": {"group": topic, "sink": {"blackhole": {}}},
            },
        });
        pipeline.to_string()
    }
}
