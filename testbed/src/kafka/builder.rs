//! How a broker is to be started.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::{
    Kafka, Result,
    error::Context,
    jars::Jars,
    kafka::{settings, storage},
    ports::Port,
    watchdog::Watchdog,
};

/// Settings of a broker that is to be started. Each has a default.
#[derive(Debug, Default)]
#[must_use = "nothing is started before `start`"]
pub struct Builder {
    port: Option<u16>,
    properties: BTreeMap<String, String>,
    data: Option<PathBuf>,
}

impl Builder {
    /// The port to listen on; by default a free one.
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

    /// Starts the broker and returns when it answers.
    pub fn start(self) -> Result<Kafka> {
        let jars = Jars::get()?;
        let port = self.port.map_or_else(Port::pick, Port::given)?;
        let controller = Port::pick()?;
        let folder = folder()?;
        let watchdog = Watchdog::start(&folder)?;
        let data = self.data.unwrap_or_else(|| folder.join("data"));
        storage::prepare(&jars.formatted(), &data)?;
        let text = settings::render(port.number(), controller.number(), &data, &self.properties);
        write(&folder.join("server.properties"), &text)?;
        let mut kafka =
            Kafka { jars, port, _controller: controller, folder, broker: None, watchdog };
        kafka.start_again()?;
        Ok(kafka)
    }
}

/// A new folder, which the watchdog removes.
fn folder() -> Result<PathBuf> {
    let folder = tempfile::Builder::new().prefix("batchpipe-kafka-").tempdir();
    folder.map(tempfile::TempDir::keep).context("create", std::env::temp_dir())
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).context("write", path)
}
