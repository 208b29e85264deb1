//! Bento: lines in, archived and compressed, to Kafka, and back. A process per run; what a run over a single record
//! costs is taken away.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use batchpipe_testbed::Program;
use serde_json::{Value, json};

use super::{Ground, Party, Setting, Version};
use crate::{
    cpu::{self, Child},
    rounds::{Contender, Run},
    spread::float,
};

pub(crate) const ZSTD_TUNED: &str = "bento zstd, tuned";

const KINDS: [Kind; 4] = [
    Kind { who: ZSTD_TUNED, codec: "zstd", is_tuned: true },
    Kind { who: "bento lz4, tuned", codec: "lz4", is_tuned: true },
    Kind { who: "bento zstd", codec: "zstd", is_tuned: false },
    Kind { who: "bento zlib", codec: "zlib", is_tuned: false },
];
/// The version in the module that the test bed builds.
const VERSION: &str = "1.20.0";
/// Records of a message.
const BATCH: u64 = 100;
/// It is slow, so it gets only this part of the records when time is short.
const SLOWNESS: u64 = 5;
/// How long it waits for the next message.
const PATIENCE_SECONDS: u64 = 20;
/// What lets Go collect its garbage less often.
const TUNED: (&str, &str) = ("GOGC", "400");

/// A way of running it.
#[derive(Clone, Copy)]
struct Kind {
    who: &'static str,
    codec: &'static str,
    is_tuned: bool,
}

/// The program.
pub(crate) struct Bento {
    program: PathBuf,
}

impl Bento {
    /// Builds it, unless that was done before.
    pub(crate) fn find() -> Result<Self> {
        Ok(Self { program: Program::Bento.get()? })
    }

    fn produce(&self, kind: Kind, ground: Ground<'_>, topic: &str) -> Result<Run> {
        let single = format!("{topic}-single");
        ground.stage.make_topic(&single)?;
        let brokers = ground.stage.brokers();
        let send = |records, topic: &str| -> Result<Child> {
            let file = ground.data.head(records)?;
            let config = producer(kind, &file, BATCH.min(records), &brokers, topic);
            self.run(kind, ground, &config)
        };
        let run = measured(ground, &single, topic, send)?;
        let (found, wanted) = (ground.stage.messages(topic)?, run.records.div_ceil(BATCH));
        ensure!(found == wanted, "{found} messages of {BATCH} records instead of {wanted}");
        Ok(run)
    }

    fn consume(&self, kind: Kind, ground: Ground<'_>, topic: &str) -> Result<Run> {
        let single = format!("{topic}-single");
        let brokers = ground.stage.brokers();
        let read = |records: u64, topic: &str| -> Result<Child> {
            let config = consumer(kind, &brokers, topic, records.div_ceil(BATCH));
            let child = self.run(kind, ground, &config)?;
            let waited = child.cost.wall_seconds >= float(PATIENCE_SECONDS);
            ensure!(!waited, "nothing more came for {PATIENCE_SECONDS} s");
            Ok(child)
        };
        let run = measured(ground, &single, topic, read)?;
        ground.stage.remove_topic(&single)?;
        Ok(run)
    }

    fn run(&self, kind: Kind, ground: Ground<'_>, config: &Value) -> Result<Child> {
        let file = ground.stage.folder().join("bento.yaml");
        std::fs::write(&file, config.to_string()).context("cannot write a configuration")?;
        let mut command = Command::new(&self.program);
        if kind.is_tuned {
            command.env(TUNED.0, TUNED.1);
        }
        cpu::of_child(command.arg("-c").arg(file))
    }
}

/// The cost of a share of the records without that of a single one.
fn measured(
    ground: Ground<'_>,
    single: &str,
    topic: &str,
    work: impl Fn(u64, &str) -> Result<Child>,
) -> Result<Run> {
    let records = whole_batches(ground.share(SLOWNESS));
    let start = work(1, single)?.cost;
    let (child, broker) = ground.stage.with_broker(|| work(records, topic))?;
    Ok(Run {
        start: Some(start),
        peak_bytes: Some(child.peak_bytes),
        broker: Some(broker / float(records) * 1e6),
        ..Run::new(child.cost.less(start), records)
    })
}

/// So many records that no batch stays open: the last one waits for the end of the input, and without replays the
/// input waits for the last one.
const fn whole_batches(records: u64) -> u64 {
    if records < BATCH { records } else { records - records % BATCH }
}

fn producer(kind: Kind, file: &Path, batch: u64, brokers: &str, topic: &str) -> Value {
    let processors = json!([
        {"archive": {"format": "lines"}},
        {"compress": {"algorithm": kind.codec}},
    ]);
    let lines = json!({"paths": [file], "scanner": {"lines": {}},
        "auto_replay_nacks": !kind.is_tuned});
    config(
        &json!({"file": lines}),
        &json!([]),
        &json!({"kafka_franz": {
            "seed_brokers": [brokers],
            "topic": topic,
            "compression": "none",
            "max_in_flight": 64,
            "batching": {"count": batch, "processors": processors},
        }}),
    )
}

fn consumer(kind: Kind, brokers: &str, topic: &str, messages: u64) -> Value {
    let input = json!({"kafka_franz": {
        "seed_brokers": [brokers],
        "topics": [topic],
        "consumer_group": topic,
        "start_from_oldest": true,
        "auto_replay_nacks": !kind.is_tuned,
    }});
    let until = json!({"read_until": {
        "check": format!("count(\"messages\") >= {messages}"),
        "idle_timeout": format!("{PATIENCE_SECONDS}s"),
        "input": input,
    }});
    let processors = json!([
        {"decompress": {"algorithm": kind.codec}},
        {"unarchive": {"format": "lines"}},
        {"mapping": "root = this"},
    ]);
    config(&until, &processors, &json!({"drop": {}}))
}

fn config(input: &Value, processors: &Value, output: &Value) -> Value {
    json!({
        "http": {"enabled": false},
        "logger": {"level": "ERROR"},
        "metrics": {"none": {}},
        "input": input,
        "pipeline": {"processors": processors},
        "output": output,
    })
}

impl Party for Bento {
    fn contenders<'a>(&'a self, ground: Ground<'a>) -> Vec<Contender<'a>> {
        let kinds = &KINDS[..if ground.quick { 1 } else { KINDS.len() }];
        let pairs = kinds.iter().flat_map(|kind| {
            ground.pair(
                kind.who,
                move |topic| self.produce(*kind, ground, topic),
                move |topic| self.consume(*kind, ground, topic),
            )
        });
        pairs.collect()
    }

    fn settings(&self) -> Vec<Setting> {
        let plain: Vec<_> = KINDS.iter().filter(|it| !it.is_tuned).map(|it| it.who).collect();
        let tuned: Vec<_> = KINDS.iter().filter(|it| it.is_tuned).map(|it| it.who).collect();
        let produce = format!(
            "`file` with scanner `lines`, `kafka_franz` with `max_in_flight: 64` and batching of {BATCH}, in it \
             `archive` as lines and `compress`; no compression of Kafka's; no record is checked"
        );
        let consume = "`kafka_franz`, `decompress`, `unarchive` as lines, `root = this` (parses JSON), `drop`";
        let likewise =
            format!("the same with `{}={}` and `auto_replay_nacks: false`", TUNED.0, TUNED.1);
        vec![
            Setting::new(&plain.join("; "), produce, consume),
            Setting::new(&tuned.join("; "), &*likewise, &*likewise),
        ]
    }

    fn versions(&self) -> Result<Vec<Version>> {
        let printed = cpu::of_child(Command::new(&self.program).arg("--version"))?.printed;
        ensure!(printed.contains(VERSION), "Bento says {printed:?} instead of {VERSION}");
        Ok(vec![Version { what: "Bento", version: VERSION.to_owned() }])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_whole_batches_where_there_are_enough() {
        assert_eq!([7, 100, 350].map(whole_batches), [7, 100, 300]);
    }

    #[test]
    fn only_the_tuned_one_gives_up_what_is_refused() {
        for kind in KINDS {
            let config = producer(kind, Path::new("/f"), BATCH, "b:1", "t");
            assert_eq!(config["input"]["file"]["auto_replay_nacks"], json!(!kind.is_tuned));
            let back = consumer(kind, "b:1", "t", 10);
            assert_eq!(back["pipeline"]["processors"][0]["decompress"]["algorithm"], kind.codec);
        }
    }
}
