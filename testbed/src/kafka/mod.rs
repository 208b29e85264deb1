//! One running Apache Kafka: a single node that is broker and controller.
//!
//! Ports and data belong to the value, not to the process: the broker can be stopped, killed and started
//! again on both. Whatever happens to this process, the watchdog kills the broker and removes its folder.

mod access;
mod admin;
mod builder;
mod lifecycle;
mod records;
mod security;
mod settings;
mod storage;
mod wire;

use std::{path::PathBuf, process::Command};

pub use access::{Operation, Resource};
pub use builder::Builder;
pub use security::Security;

use crate::{Result, daemon::Daemon, jars::Jars, ports::Port, process, watchdog::Watchdog};

/// A Kafka of one node. Dropping it kills it and removes what it stored.
#[derive(Debug)]
pub struct Kafka {
    jars: Jars,
    port: Port,
    #[expect(dead_code, reason = "held so that nobody takes it while the broker is down")]
    controller: Port,
    pods: Option<Pods>,
    security: Option<Security>,
    broker: Daemon,
    watchdog: Watchdog,
}

/// Where pods connect to.
#[derive(Debug)]
struct Pods {
    address: String,
    port: Port,
}

impl Pods {
    fn new(address: String) -> Result<Self> {
        Ok(Self { address, port: Port::pick()? })
    }

    fn server(&self) -> String {
        format!("{}:{}", self.address, self.port.number())
    }
}

impl Kafka {
    /// A broker to be started with other than the usual settings.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Where clients connect to, as `host:port`.
    pub fn bootstrap_servers(&self) -> String {
        format!("127.0.0.1:{}", self.port.number())
    }

    /// Where clients in pods connect to, if the broker was started with [`Builder::listener_for_pods`].
    pub fn bootstrap_servers_for_pods(&self) -> Option<String> {
        self.pods.as_ref().map(Pods::server)
    }

    /// The broker's log.
    pub fn log(&self) -> PathBuf {
        self.broker.log().to_owned()
    }

    /// The id of the broker's process while there is one.
    pub fn process_id(&self) -> Option<u32> {
        self.broker.process_id()
    }

    /// Runs one of Kafka's command line classes and returns what it printed, for example
    /// `kafka.tool("org.apache.kafka.tools.TopicCommand", &["--bootstrap-server", &servers, "--list"])`.
    ///
    /// Each call starts a JVM: prefer the methods that ask the broker directly.
    pub fn tool(&self, class: &str, args: &[&str]) -> Result<String> {
        process::run(self.tool_command(class).args(args))
    }

    /// The command that [`Self::tool`] runs, for tests that feed it or read it while it runs.
    pub fn tool_command(&self, class: &str) -> Command {
        self.jars.tool(class)
    }
}
