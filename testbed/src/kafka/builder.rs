//! How a broker is to be started.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::{
    Kafka, Result,
    daemon::Daemon,
    error::Context,
    jars::{COMPILE_LITTLE, Jars},
    kafka::{settings, storage},
    ports::Port,
    watchdog::Watchdog,
};

/// Tests produce megabytes at most; the heap is what the broker's threads and caches need.
const HEAP: [&str; 2] = ["-Xms256m", "-Xmx1g"];

/// Settings of a broker that is to be started. Each has a default.
#[derive(Debug, Default)]
#[must_use = "nothing is started before `start`"]
pub struct Builder {
    port: Option<u16>,
    properties: BTreeMap<String, String>,
    data: Option<PathBuf>,
    is_optimised: bool,
}

impl Builder {
    /// The port to listen on; by default, and for 0, a free one.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// A broker setting, instead of the testbed's or Kafka's own.
    pub fn property(mut self, key: &str, value: &str) -> Self {
        self.properties.insert(key.to_owned(), value.to_owned());
        self
    }

    /// A folder for the broker's data, which then stays when the broker goes; by default one that does not.
    pub fn data_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.data = Some(folder.into());
        self
    }

    /// Has the JVM compile the broker as in production: for measurements. It costs more to start.
    pub fn optimised(mut self) -> Self {
        self.is_optimised = true;
        self
    }

    /// Starts the broker and returns when it answers.
    pub fn start(self) -> Result<Kafka> {
        let jars = Jars::get()?;
        let classes = Jars::classes(|archive| train(&jars, archive))?;
        let archive = format!("-XX:SharedArchiveFile={}", classes.display());
        self.start_with(&jars, &archive)
    }

    fn start_with(self, jars: &Jars, archive: &str) -> Result<Kafka> {
        let port = self.port.filter(|port| *port != 0).map_or_else(Port::pick, Port::given)?;
        let controller = Port::pick()?;
        let folder = folder()?;
        let watchdog = Watchdog::start(&folder)?;
        let data = self.data.unwrap_or_else(|| folder.join("data"));
        storage::prepare(&jars.formatted(), &data)?;
        let text = settings::render(port.number(), controller.number(), &data, &self.properties);
        let path = folder.join("server.properties");
        fs::write(&path, text).context("write", &path)?;
        let compile = if self.is_optimised { "-XX:+TieredCompilation" } else { COMPILE_LITTLE };
        let mut command = jars.command("kafka.Kafka", &[HEAP[0], HEAP[1], compile, archive]);
        command.arg(path);
        let jars = jars.clone();
        let broker = Daemon::new("kafka", command, &folder);
        let mut kafka = Kafka { jars, port, controller, broker, watchdog };
        kafka.start_again()?;
        Ok(kafka)
    }
}

/// Runs a broker once to learn which classes it loads, which are written to `archive` at its end.
fn train(jars: &Jars, archive: &Path) -> Result<()> {
    let option = format!("-XX:ArchiveClassesAtExit={}", archive.display());
    let mut kafka = Kafka::builder().start_with(jars, &option)?;
    kafka.create_topic("training", 1, &[])?;
    kafka.stop()
}

/// A new folder, which the watchdog removes.
fn folder() -> Result<PathBuf> {
    let folder = tempfile::Builder::new().prefix("batchpipe-kafka-").tempdir();
    folder.map(tempfile::TempDir::keep).context("create", std::env::temp_dir())
}
