//! Where processes are measured: a real broker, a folder for files, and the programs under test.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use batchpipe_testbed::Kafka;
use tempfile::TempDir;

use crate::cpu;

/// Partitions of every topic.
pub(crate) const PARTITIONS: u32 = 6;

/// A broker with its files.
pub(crate) struct Stage {
    kafka: Kafka,
    folder: TempDir,
    batchpipe: PathBuf,
}

impl Stage {
    /// Starts a broker. `batchpipe` has to be built beside this program.
    pub(crate) fn start() -> Result<Self> {
        let own = std::env::current_exe().context("cannot find this program's own path")?;
        let batchpipe = own.with_file_name("batchpipe");
        ensure!(batchpipe.exists(), "{} is missing; run `make bench`", batchpipe.display());
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let data = folder.path().join("kafka");
        let kafka = Kafka::builder().optimised().data_dir(data).start()?;
        Ok(Self { kafka, folder, batchpipe })
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn brokers(&self) -> String {
        self.kafka.bootstrap_servers()
    }

    /// A command of the program under test, without what the environment says about pipelines.
    pub(crate) fn batchpipe(&self) -> Command {
        let mut command = Command::new(&self.batchpipe);
        for name in
            ["KAFKA_BROKER", "KAFKA_TOPIC", "COMPRESSION_CODEC", "BATCHPIPE_STAY", "RUST_LOG"]
        {
            command.env_remove(name);
        }
        command
    }

    /// Makes a topic with nothing in it.
    pub(crate) fn make_topic(&self, name: &str) -> Result<()> {
        self.make_topic_of(name, PARTITIONS)
    }

    /// The same with so many partitions.
    pub(crate) fn make_topic_of(&self, name: &str, partitions: u32) -> Result<()> {
        Ok(self.kafka.create_topic(name, partitions, &[])?)
    }

    pub(crate) fn remove_topic(&self, name: &str) -> Result<()> {
        Ok(self.kafka.delete_topic(name)?)
    }

    /// How many messages are in a topic.
    pub(crate) fn messages(&self, name: &str) -> Result<u64> {
        let ends = self.kafka.end_offsets(name)?;
        Ok(ends.into_iter().map(|end| u64::try_from(end).unwrap_or(0)).sum())
    }

    /// What work took of the broker's CPU, in seconds, with its result.
    pub(crate) fn with_broker<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<(T, f64)> {
        let spent = || cpu::of_process(self.kafka.process_id().context("the broker has ended")?);
        let before = spent()?;
        let result = work()?;
        Ok((result, spent()? - before))
    }

    /// What the broker stores for a topic, in bytes: its log segments.
    pub(crate) fn topic_bytes(&self, name: &str) -> Result<u64> {
        let mut bytes = 0;
        for partition in 0..self.kafka.end_offsets(name)?.len() {
            let folder = self.folder().join("kafka").join(format!("{name}-{partition}"));
            let entries = fs::read_dir(&folder)
                .with_context(|| format!("cannot look into {}", folder.display()))?;
            for entry in entries {
                let entry = entry.context("cannot look into a partition's folder")?;
                if entry.path().extension().is_some_and(|kind| kind == "log") {
                    bytes += entry.metadata().context("cannot look at a segment")?.len();
                }
            }
        }
        Ok(bytes)
    }
}
