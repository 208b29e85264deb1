//! The real commands of `batchpipe` on a real broker, as child processes.
//!
//! Each measurement is two runs, of all records and of a single one; what the single one costs (starting,
//! connecting, joining the group, leaving) is taken away and shown beside.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use anyhow::{Context as _, Result, ensure};
use batchpipe_api::report::{ExitReport, Role};
use serde_json::json;

use crate::{
    bare,
    contenders::batchpipe::PER_BATCH,
    cpu::{self, Child, Cost},
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
    /// How many processes share the work of a side.
    pub(crate) replicas: usize,
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
        replicas: 1,
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

    /// Runs a command on all records; what `start` cost is taken away, for each of the processes.
    fn measured(&self, args: &[&str], topic: &str, start: &Child) -> Result<Run> {
        let records = self.records.count;
        let replicas = self.shape.replicas;
        let parts = self.parts()?;
        let (children, broker) = self.stage.with_broker(|| {
            thread::scope(|scope| {
                let start = |part| scope.spawn(move || self.child(args, topic, part));
                let started: Vec<_> = parts.iter().map(|part| start(part.as_path())).collect();
                started.into_iter().map(|child| child.join().expect("it does not panic")).collect()
            })
        })?;
        let children: Vec<Child> = children;
        check(&children, records)?;
        let cpu_seconds = children.iter().map(|child| child.cost.cpu_seconds).sum();
        let wall_seconds = children.iter().map(|child| child.cost.wall_seconds).fold(0.0, f64::max);
        let starts = Cost {
            cpu_seconds: start.cost.cpu_seconds * float(replicas as u64),
            wall_seconds: start.cost.wall_seconds,
        };
        Ok(Run {
            start: Some(starts),
            peak_bytes: children.iter().map(|child| child.peak_bytes).max(),
            broker: Some(broker / float(records) * 1e6),
            ..Run::new(Cost { cpu_seconds, wall_seconds }.less(starts), records)
        })
    }

    /// A file for each of the processes, which hold its records together.
    fn parts(&self) -> Result<Vec<PathBuf>> {
        let (file, replicas) = (self.records.file, self.shape.replicas);
        if replicas == 1 {
            return Ok(vec![file.to_owned()]);
        }
        let part = |number| file.with_extension(format!("{number}-of-{replicas}.ndjson"));
        let parts: Vec<_> = (0..replicas).map(part).collect();
        if !parts.iter().all(|part| part.exists()) {
            let text = fs::read(file).context("cannot read the records")?;
            let lines: Vec<_> = text.split_inclusive(|byte| *byte == b'\n').collect();
            for (part, lines) in parts.iter().zip(lines.chunks(lines.len().div_ceil(replicas))) {
                fs::write(part, lines.concat()).context("cannot write a part of the records")?;
            }
        }
        Ok(parts)
    }

    /// Runs a command on a topic, and makes sure that it carried so many records.
    fn run(&self, args: &[&str], topic: &str, records: u64) -> Result<Child> {
        let child = self.child(args, topic, self.records.file)?;
        check(std::slice::from_ref(&child), records)?;
        Ok(child)
    }

    fn child(&self, args: &[&str], topic: &str, input: &Path) -> Result<Child> {
        let text = self.text(topic, input);
        let name = input.file_name().context("records have a file")?;
        let file = self.stage.folder().join(name).with_extension("yaml");
        fs::write(&file, text).context("cannot write a pipeline")?;
        let mut command: Command = self.stage.batchpipe();
        command.args(args).arg("--json").arg("-f").arg(&file);
        cpu::of_child(&mut command)
    }

    fn text(&self, topic: &str, input: &Path) -> String {
        // A checkpoint of its own for each topic: a file that was read is not read again.
        let name = input.file_name().unwrap_or_default().display();
        let checkpoint = self.stage.folder().join(format!("{topic}.{name}.checkpoint"));
        let Shape { sealed, per_batch, partitions, codec, level, key, replicas: _ } = self.shape;
        let mut compression = json!({"codec": codec});
        if let Some(level) = level {
            compression["level"] = json!(level);
        }
        let mut producer = json!({
            "source": {"file": {"path": input, "checkpointPath": checkpoint, "follow": false}},
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

/// Fails unless the processes of each side carried so many records together, and have none left.
fn check(children: &[Child], records: u64) -> Result<()> {
    let mut delivered = BTreeMap::<Role, u64>::new();
    for line in children.iter().flat_map(|child| child.printed.lines()) {
        let report: ExitReport = serde_json::from_str(line).context("not an exit report")?;
        ensure!(report.in_flight == 0, "records are left: {line}");
        *delivered.entry(report.role).or_default() += report.delivered;
    }
    ensure!(
        !delivered.is_empty() && delivered.values().all(|count| *count == records),
        "not each side carried {records} records: {delivered:?}"
    );
    Ok(())
}
