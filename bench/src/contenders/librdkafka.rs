//! A plain client of librdkafka: one record is one message. It is this program itself, started as [`crate::client`].

use std::process::Command;

use anyhow::{Context as _, Result};

use super::{Ground, Party, Setting, Version};
use crate::{
    client::{self, Calls, Mode},
    rounds::{Contender, Run},
};

const CODECS: [&str; 3] = ["zstd", "lz4", "none"];

pub(crate) const ZSTD: &str = "librdkafka zstd";

/// The client that is a part of this program.
pub(crate) struct Librdkafka;

impl Librdkafka {
    /// Is always there.
    #[expect(clippy::unnecessary_wraps, reason = "as for those that can be missing")]
    pub(crate) const fn find() -> Result<Self> {
        Ok(Self)
    }
}

fn name(codec: &str, calls: Calls) -> String {
    match calls {
        Calls::Single => format!("librdkafka {codec}"),
        Calls::Batch => format!("librdkafka {codec}, batch calls"),
    }
}

fn run(mode: Mode, calls: Calls, codec: &str, ground: Ground<'_>, topic: &str) -> Result<Run> {
    let own = std::env::current_exe().context("cannot find this program's own path")?;
    let args = client::Args {
        mode,
        calls,
        codec: codec.to_owned(),
        brokers: ground.stage.brokers(),
        topic: topic.to_owned(),
        records: ground.data.records,
        file: ground.data.file.clone(),
    };
    let records = args.records;
    ground.client(Command::new(own).args(args.to_words()), records, records)
}

impl Party for Librdkafka {
    fn contenders<'a>(&'a self, ground: Ground<'a>) -> Vec<Contender<'a>> {
        let mut all = Vec::new();
        for codec in &CODECS[..if ground.quick { 1 } else { CODECS.len() }] {
            for calls in [Calls::Single, Calls::Batch] {
                let run = move |mode| move |topic: &str| run(mode, calls, codec, ground, topic);
                all.extend(ground.pair(
                    &name(codec, calls),
                    run(Mode::Produce),
                    run(Mode::Consume),
                ));
            }
        }
        all
    }

    fn settings(&self) -> Vec<Setting> {
        let produce = format!(
            "strings in memory; one record is one message, copied by librdkafka; {}; delivery reports counted; no \
             record is checked",
            client::PRODUCER.map(|(key, value)| format!("`{key}={value}`")).join(", ")
        );
        let consume = format!(
            "subscribes, polls message by message, checks UTF-8 and JSON (serde_json) of each; {}",
            client::CONSUMER.map(|(key, value)| format!("`{key}={value}`")).join(", ")
        );
        let others = |calls, produce: &str, consume: &str| {
            let names: Vec<_> = CODECS.iter().map(|codec| name(codec, calls)).collect();
            Setting::new(&names.join("; "), produce, consume)
        };
        vec![
            others(Calls::Single, &produce, &consume),
            others(
                Calls::Batch,
                &format!("the same with `rd_kafka_produce_batch` of {}", client::CALL),
                &format!(
                    "the same with `rd_kafka_consume_batch_queue` of {}, partitions assigned",
                    client::CALL
                ),
            ),
        ]
    }

    fn versions(&self) -> Result<Vec<Version>> {
        let (_, version) = rdkafka::util::get_rdkafka_version();
        Ok(vec![Version { what: "librdkafka of the plain client", version }])
    }
}
