//! Dead letters made by hand, and the command under test.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::kit::{
    broker,
    command::{Ended, Running, batchpipe, run},
    lines::lines,
    pipeline::Pipeline,
    topic::{self, Raw},
};

/// A topic with its dead-letter topic, and a pipeline's file.
pub(super) struct Stage {
    pub(super) topic: String,
    pub(super) letters: String,
    folder: tempfile::TempDir,
}

impl Stage {
    /// Both topics are there, and empty.
    pub(super) fn new(topic: &str, partitions: u32) -> Self {
        let (topic, letters) = (topic.to_owned(), format!("{topic}.dlq"));
        broker().create_topic(&topic, partitions, &[]).unwrap();
        broker().create_topic(&letters, 1, &[]).unwrap();
        Self { topic, letters, folder: tempfile::tempdir().unwrap() }
    }

    /// A pipeline from standard input to standard output.
    pub(super) fn pipeline(&self) -> PathBuf {
        Pipeline::new(&self.topic).write(self.folder.path())
    }

    /// The same, with a consumer whose limits are too small for the batches of the other.
    pub(super) fn strict_pipeline(&self) -> PathBuf {
        let mut pipeline = Pipeline::new(&self.topic);
        pipeline.batch = "{maxRecords: 1, maxBytes: 1Ki}";
        pipeline.limits = "{maxBatchBytes: 1Ki}";
        pipeline.write(self.folder.path())
    }

    /// The same with one record in a batch.
    pub(super) fn pipeline_of_single_records(&self) -> PathBuf {
        let mut pipeline = Pipeline::new(&self.topic);
        pipeline.batch = "{maxRecords: 1}";
        pipeline.write(self.folder.path())
    }

    /// Makes letters.
    pub(super) fn put(&self, letters: &[Raw]) {
        topic::write(&self.letters, letters);
    }

    /// A letter with this value, and with fields in its header behind reason and topic.
    pub(super) fn letter(&self, reason: &str, fields: &str, value: impl Into<Vec<u8>>) -> Raw {
        let header = format!("reason={reason};topic={};{fields}", self.topic);
        let headers = vec![("batchpipe-dlq".to_owned(), header.into_bytes())];
        Raw { headers, ..Raw::value(0, value) }
    }

    /// Letters of single records `{"seq":N}` from this partition.
    pub(super) fn records(&self, partition: i32, numbers: std::ops::Range<usize>) -> Vec<Raw> {
        let letter = |number: usize| {
            let fields = format!("partition={partition};offset={number};index=0");
            self.letter("sink_rejected", &fields, record(number))
        };
        numbers.map(letter).collect()
    }

    /// The command, not started.
    pub(super) fn command(&self, more: &[&str]) -> std::process::Command {
        batchpipe(&[&["redrive", "--from", &self.letters, "--json"], more].concat())
    }

    /// Sends letters back; returns the report of a run that ended well.
    pub(super) fn redrive(&self, more: &[&str]) -> Value {
        run(self.command(more)).report()
    }

    /// Runs the command to its end, whatever that is.
    pub(super) fn try_redrive(&self, more: &[&str]) -> Ended {
        Running::start(self.command(more)).wait()
    }

    /// All messages of the topic.
    pub(super) fn messages(&self) -> Vec<Raw> {
        topic::read(&self.topic)
    }

    /// What `audit` reports.
    pub(super) fn audit(&self) -> Value {
        Running::start(batchpipe(&["audit", "-t", &self.topic, "--json"])).wait().report()
    }
}

/// A record, byte for byte.
pub(super) fn record(number: usize) -> String {
    format!("{{\"seq\":{number}}}")
}

/// Consumes until caught up; what it printed.
pub(super) fn consume(pipeline: &Path) -> Vec<u8> {
    run(batchpipe(&["consume", "-f", pipeline.to_str().unwrap(), "--until-caught-up"])).stdout
}

/// A report with these numbers.
pub(super) fn report(read: u64, redriven: u64, others: &[(&str, u64)]) -> Value {
    let mut report = json!({
        "read": read, "redriven": redriven, "skipped": 0, "tooManyAttempts": 0, "truncated": 0, "unreadable": 0,
    });
    for (name, number) in others {
        report[name] = (*number).into();
    }
    report
}

/// How often each of the records `0..total` is among these lines; every line has to be one.
pub(super) fn tally(text: &[u8], total: usize) -> Vec<u32> {
    let mut counts = vec![0; total];
    for line in lines(text) {
        let value: Value = serde_json::from_slice(line).unwrap();
        let number = usize::try_from(value["seq"].as_u64().unwrap()).unwrap();
        assert_eq!(line.trim_ascii_end(), record(number).as_bytes());
        counts[number] += 1;
    }
    counts
}
