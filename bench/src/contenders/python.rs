//! The Python demo's loops on the same records and the same broker, and the same with zstd.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::{Ground, Party, Setting, Version};
use crate::{
    cpu,
    rounds::{Contender, Run},
};

pub(crate) const ZLIB: &str = "python zlib";
pub(crate) const ZLIB_DUMPS: &str = "python zlib, json.dumps";
const ZSTD: &str = "python zstd";
const ZSTD_DUMPS: &str = "python zstd, json.dumps";

/// Each codec, with strings and with dicts at hand.
const CODECS: [(&str, &str, &str); 2] = [("zlib", ZLIB, ZLIB_DUMPS), ("zstd", ZSTD, ZSTD_DUMPS)];

/// It is slow, so it gets only this part of the records when time is short.
const SLOWNESS: u64 = 5;

/// The demo with its interpreter.
pub(crate) struct Python {
    interpreter: PathBuf,
}

/// What the script says of itself.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Versions {
    python: String,
    confluent_kafka: String,
    librdkafka: String,
    zstandard: String,
}

impl Python {
    /// Makes the interpreter's environment.
    pub(crate) fn find() -> Result<Self> {
        let interpreter = batchpipe_testbed::python_with(&peers().join("requirements.txt"))?;
        Ok(Self { interpreter })
    }

    fn script(&self) -> Command {
        let mut command = Command::new(&self.interpreter);
        command.arg(peers().join("origin.py"));
        command
    }

    fn run(&self, mode: &str, codec: &str, ground: Ground<'_>, topic: &str) -> Result<Run> {
        let records = ground.share(SLOWNESS);
        let mut command = self.script();
        command.args([mode, "--codec", codec, "--topic", topic]);
        command.args(["--brokers", &ground.stage.brokers(), "--records", &records.to_string()]);
        ground.client(command.arg("--file").arg(&ground.data.file), records, records)
    }
}

impl Party for Python {
    fn contenders<'a>(&'a self, ground: Ground<'a>) -> Vec<Contender<'a>> {
        let mut all = Vec::new();
        for (codec, strings, dumps) in &CODECS[..if ground.quick { 1 } else { CODECS.len() }] {
            let run = move |mode| move |topic: &str| self.run(mode, codec, ground, topic);
            all.extend(ground.pair(strings, run("strings"), run("consume")));
            all.push(ground.sender(dumps, run("dumps")));
        }
        all
    }

    fn settings(&self) -> Vec<Setting> {
        let produce = "strings in memory; joins 100, `zlib.compress`, librdkafka with lz4, linger 100 ms, acks all";
        let consume = "`zlib.decompress`, splits, `json.loads` of each record";
        vec![
            Setting::new(ZLIB, produce, consume),
            Setting::new(ZLIB_DUMPS, "the same with `json.dumps` of each dict in the loop", ""),
            Setting::new(ZSTD, "the same as zlib's with zstd 1 and no lz4", "likewise"),
            Setting::new(ZSTD_DUMPS, "the same with `json.dumps` of each dict in the loop", ""),
        ]
    }

    fn versions(&self) -> Result<Vec<Version>> {
        let printed = cpu::of_child(self.script().arg("versions"))?.printed;
        let found: Versions = serde_json::from_str(printed.trim())
            .with_context(|| format!("the script printed {printed:?}"))?;
        Ok(vec![
            Version { what: "Python", version: found.python },
            Version { what: "confluent-kafka", version: found.confluent_kafka },
            Version { what: "librdkafka of confluent-kafka", version: found.librdkafka },
            Version { what: "zstandard (Python)", version: found.zstandard },
        ])
    }
}

/// Where the programs of others are.
fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}
