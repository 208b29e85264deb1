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
    kafka::{
        Pods,
        security::{PlainUser, Security},
        settings::{self, Listeners},
        storage,
    },
    ports::Port,
    watchdog::Watchdog,
};

/// Tests produce megabytes at most; the heap is what the broker's threads and caches need.
const HEAP: [&str; 2] = ["-Xms256m", "-Xmx1g"];
/// Where secured listeners are when there are no pods.
const LOOPBACK: &str = "127.0.0.1";

/// Settings of a broker that is to be started. Each has a default.
#[derive(Debug, Default)]
#[must_use = "nothing is started before `start`"]
pub struct Builder {
    port: Option<u16>,
    pods: Option<String>,
    /// The users of PLAIN, if there are secured listeners.
    secured: Option<Vec<PlainUser>>,
    properties: BTreeMap<String, String>,
    data: Option<PathBuf>,
    topics: Vec<PathBuf>,
    is_optimised: bool,
}

impl Builder {
    /// The port to listen on; by default, and for 0, a free one.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// A second listener, at an address of this machine that pods reach: `Node::host_address`, of a node that
    /// runs already. [`Kafka::bootstrap_servers_for_pods`] tells it.
    pub fn listener_for_pods(mut self, address: impl Into<String>) -> Self {
        self.pods = Some(address.into());
        self
    }

    /// Listeners with TLS, with SCRAM and PLAIN over TLS, and with SCRAM and PLAIN in the clear, beside the plain one:
    /// see [`Kafka::security`]. With [`Self::listener_for_pods`] pods reach them too.
    pub fn secured(mut self) -> Self {
        self.secured.get_or_insert_default();
        self
    }

    /// The same, with a user of the mechanism PLAIN.
    pub fn plain_user(mut self, name: &str, password: &str) -> Self {
        let user = PlainUser { name: name.to_owned(), password: password.to_owned() };
        self.secured.get_or_insert_default().push(user);
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

    /// Folders for the topics, each partition in the one that has the fewest; by default they are with the other data.
    pub fn topic_dirs(mut self, folders: impl IntoIterator<Item = PathBuf>) -> Self {
        self.topics.extend(folders);
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
        let pods = self.pods.map(Pods::new).transpose()?;
        let folder = folder()?;
        let watchdog = Watchdog::start(&folder)?;
        let data = self.data.unwrap_or_else(|| folder.join("data"));
        storage::prepare(&jars.formatted(), &data)?;
        self.topics.iter().try_for_each(|folder| storage::extend(&data, folder))?;
        let host = pods.as_ref().map_or(LOOPBACK, |pods| &pods.address);
        let security = match &self.secured {
            Some(users) => Some((Security::create(&folder.join("pki"), host)?, users)),
            None => None,
        };
        let secured = security.iter().flat_map(|(security, _)| security.listeners());
        let listeners = Listeners {
            port: port.number(),
            controller: controller.number(),
            pods: pods.as_ref().map(Pods::server),
            secured: secured.collect(),
        };
        let mut properties: BTreeMap<_, _> =
            security.iter().flat_map(|(security, users)| security.properties(users)).collect();
        let security = security.map(|(security, _)| security);
        properties.extend(self.properties);
        let text = settings::render(&listeners, &data, &self.topics, &properties);
        let path = folder.join("server.properties");
        fs::write(&path, text).context("write", &path)?;
        let compile = if self.is_optimised { "-XX:+TieredCompilation" } else { COMPILE_LITTLE };
        let mut command = jars.command("kafka.Kafka", &[HEAP[0], HEAP[1], compile, archive]);
        command.arg(path);
        let jars = jars.clone();
        let broker = Daemon::new("kafka", command, &folder);
        let mut kafka = Kafka { jars, port, controller, pods, security, broker, watchdog };
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
