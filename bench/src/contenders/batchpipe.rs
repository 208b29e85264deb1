//! `batchpipe` itself: the real commands on a real broker, as child processes.
//!
//! Each measurement is two runs, of all records and of a single one; what the single one costs (starting,
//! connecting, joining the group, leaving) is taken away and shown beside.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use batchpipe_api::report::ExitReport;
use serde_json::json;

use super::{Ground, Party, Setting, Version};
use crate::{
    bare,
    cpu::{self, Child},
    data::Data,
    rounds::{Contender, Run, Side},
    spread::float,
    stage::{PARTITIONS, Stage},
};

/// Records of a batch.
pub(crate) const PER_BATCH: usize = 500;

pub(crate) const OURS: &str = "batchpipe";
pub(crate) const NOT_VALIDATING: &str = "batchpipe, no validation";
pub(crate) const SEALED: &str = "batchpipe, sealed batches";

/// Us.
pub(crate) struct BatchPipe;

impl Party for BatchPipe {
    fn contenders<'a>(&'a self, ground: Ground<'a>) -> Vec<Contender<'a>> {
        let pipeline = move |sealed, round| Pipeline::new(ground.stage, ground.data, sealed, round);
        let contender = |who, side, work: fn(&Pipeline<'a>) -> Result<Run>, sealed| {
            Contender::new(who, side, move |round| work(&pipeline(sealed, round)))
        };
        vec![
            contender(OURS, Side::Produce, Pipeline::produce, true),
            contender(NOT_VALIDATING, Side::Produce, Pipeline::produce, false),
            contender(SEALED, Side::Consume, Pipeline::consume, true),
            contender(OURS, Side::Consume, Pipeline::consume, false),
            contender(OURS, Side::Both, Pipeline::both, true),
        ]
    }

    fn settings(&self) -> Vec<Setting> {
        let produce = format!(
            "`batchpipe produce`: file source, {PER_BATCH} records per batch, zstd {}, checks UTF-8 and JSON of each \
             record, seals batches with `j=1`; all else by default (acks all, idempotent)",
            bare::LEVEL
        );
        let consume = "`batchpipe consume`: blackhole sink, CRC-32C, checks UTF-8 and JSON of each record of \
                       batches that are not sealed";
        vec![
            Setting::new(OURS, produce, consume),
            Setting::new(NOT_VALIDATING, "the same with `validate: None`", ""),
            Setting::new(SEALED, "", "the same with batches that the producer checked and sealed"),
        ]
    }

    fn versions(&self) -> Result<Vec<Version>> {
        let (_, librdkafka) = rdkafka::util::get_rdkafka_version();
        Ok(vec![
            Version { what: "BatchPipe", version: env!("CARGO_PKG_VERSION").to_owned() },
            Version { what: "librdkafka of batchpipe", version: librdkafka },
        ])
    }
}

/// A pipeline over the topics of one round.
struct Pipeline<'a> {
    stage: &'a Stage,
    data: &'a Data,
    /// Whether the producer validates, and seals its batches with `j=1`.
    sealed: bool,
    topic: String,
}

impl<'a> Pipeline<'a> {
    fn new(stage: &'a Stage, data: &'a Data, sealed: bool, round: usize) -> Self {
        let kind = if sealed { "sealed" } else { "unsealed" };
        Self { stage, data, sealed, topic: format!("{}-{kind}-{round}", data.profile.name()) }
    }

    /// The topic that a single record goes to.
    fn single(&self) -> String {
        format!("{}-single", self.topic)
    }

    /// Sends all records of the file to a new topic.
    fn produce(&self) -> Result<Run> {
        self.stage.make_topic(&self.topic)?;
        self.stage.make_topic(&self.single())?;
        let start = self.run(&["produce", "--limit", "1"], &self.single(), 1)?;
        let run = self.measured(&["produce"], &self.topic, &start)?;
        Ok(Run { topic_bytes: Some(self.stage.topic_bytes(&self.topic)?), ..run })
    }

    /// Reads them back, and removes the topics.
    fn consume(&self) -> Result<Run> {
        let start = self.run(&["consume", "--until-caught-up"], &self.single(), 1)?;
        let run = self.measured(&["consume", "--until-caught-up"], &self.topic, &start)?;
        self.stage.remove_topic(&self.single())?;
        self.stage.remove_topic(&self.topic)?;
        Ok(run)
    }

    /// Sends and reads back at the same time, in one process, through new topics.
    fn both(&self) -> Result<Run> {
        let (through, single) = (format!("{}-both", self.topic), format!("{}-both", self.single()));
        self.stage.make_topic(&through)?;
        self.stage.make_topic(&single)?;
        let start = self.run(&["run", "--limit", "1"], &single, 1)?;
        let run = self.measured(&["run"], &through, &start)?;
        self.stage.remove_topic(&through)?;
        self.stage.remove_topic(&single)?;
        Ok(run)
    }

    /// Runs a command on all records; what `start` cost is taken away.
    fn measured(&self, args: &[&str], topic: &str, start: &Child) -> Result<Run> {
        let records = self.data.records;
        let (child, broker) =
            self.stage.with_broker(|| self.run(args, topic, self.data.records))?;
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
        let pipeline = json!({
            "apiVersion": "batchpipe.dev/v1alpha1",
            "kind": "BatchPipeline",
            "metadata": {"name": "bench"},
            "spec": {
                "kafka": {"bootstrapServers": self.stage.brokers()},
                "topic": {"name": topic, "partitions": PARTITIONS},
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
