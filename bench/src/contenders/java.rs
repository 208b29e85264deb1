//! Kafka's own clients in Java: `ProducerPerformance`, `ConsumerPerformance`, which does not look at records, and a consumer
//! that takes each record apart with Jackson.
//! `peers/Peer.java` runs them in one JVM that is warm, so that its start does not count.

use std::process::Command;

use anyhow::{Result, ensure};

use super::{Ground, Party, Setting, Version};
use crate::{
    cpu,
    rounds::{Contender, Run},
};

pub(crate) const ZSTD: &str = "java zstd";
const NOT_VALIDATING: &str = "java zstd, no validation";

const CODECS: [(&str, &str); 3] = [(ZSTD, "zstd"), ("java lz4", "lz4"), ("java none", "none")];

const SOURCE: &str = include_str!("../../peers/Peer.java");
/// What Kafka's own scripts start their tools with, and room for the records.
const JVM: [&str; 8] = [
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-Xms1g",
    "-Xmx2g",
    "-Dbatchpipe.log=ERROR",
];
const PRODUCER: [&str; 4] =
    ["acks=all", "linger.ms=100", "batch.size=262144", "buffer.memory=67108864"];
const CONSUMER: [&str; 5] = [
    "auto.offset.reset=earliest",
    "max.poll.records=10000",
    "fetch.min.bytes=100000",
    "receive.buffer.bytes=2097152",
    "check.crcs=false",
];
/// The JVM needs many records to become fast; with less time it gets this part of them.
const SLOWNESS: u64 = 2;

/// The compiled class.
pub(crate) struct Java {
    program: Command,
}

impl Java {
    /// Compiles it.
    pub(crate) fn find() -> Result<Self> {
        Ok(Self { program: batchpipe_testbed::java_program("Peer", SOURCE, &JVM)? })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.program.get_program());
        command.args(self.program.get_args());
        command
    }

    fn produce(&self, codec: &str, ground: Ground<'_>, topic: &str) -> Result<Run> {
        let warm = format!("{topic}-warm");
        ground.stage.make_topic(&warm)?;
        let records = ground.share(SLOWNESS);
        let mut command = self.command();
        command.args(["produce", &ground.stage.brokers(), &warm, topic, &records.to_string()]);
        command.arg(&ground.data.file).arg(codec).args(PRODUCER);
        let run = ground.client(&mut command, records, 2 * records + 1)?;
        ground.stage.remove_topic(&warm)?;
        let sent = ground.stage.messages(topic)?;
        ensure!(sent == records, "{sent} of {records} records are in the topic");
        Ok(run)
    }

    /// `receive` takes records, `consume` takes them apart.
    fn consume(&self, how: &str, ground: Ground<'_>, topic: &str) -> Result<Run> {
        let records = ground.share(SLOWNESS);
        let mut command = self.command();
        command.args([how, &ground.stage.brokers(), topic, &records.to_string()]);
        ground.client(command.args(CONSUMER), records, 2 * records)
    }
}

impl Party for Java {
    fn contenders<'a>(&'a self, ground: Ground<'a>) -> Vec<Contender<'a>> {
        let codecs = &CODECS[..if ground.quick { 1 } else { CODECS.len() }];
        let pairs = codecs.iter().flat_map(|(who, codec)| {
            ground.pair(
                who,
                move |topic| self.produce(codec, ground, topic),
                move |topic| self.consume("consume", ground, topic),
            )
        });
        let mut all: Vec<_> = pairs.collect();
        if !ground.quick {
            let receive = move |topic: &str| self.consume("receive", ground, topic);
            // Between the two that send and take apart: the latter removes the topic.
            all.insert(1, ground.reader(NOT_VALIDATING, ZSTD, receive));
        }
        all
    }

    fn settings(&self) -> Vec<Setting> {
        let names = CODECS.map(|(who, _)| who).join("; ");
        let words = |settings: &[&str]| format!("`{}`", settings.join("`, `"));
        let produce = format!(
            "`ProducerPerformance`: one record is one message, lines of the file in random order; {}; no record is \
             checked",
            words(&PRODUCER)
        );
        let consume = format!(
            "`KafkaConsumer`, Jackson's tokens of each record; {}. The JVM is warm: it did all of it once before, \
             which is not counted; memory is that of both",
            words(&CONSUMER)
        );
        let receive = "`ConsumerPerformance` with the same settings: no record is looked at";
        vec![Setting::new(&names, produce, consume), Setting::new(NOT_VALIDATING, "", receive)]
    }

    fn versions(&self) -> Result<Vec<Version>> {
        let mut command = Command::new(self.program.get_program());
        let printed = cpu::of_child(command.arg("--version"))?.printed;
        let version = printed.lines().next().unwrap_or_default().to_owned();
        Ok(vec![Version { what: "Java", version }])
    }
}
