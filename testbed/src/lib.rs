//! Real systems for tests, built from package registries: Apache Kafka, Kubernetes, and a Python with a Kafka
//! client.
//!
//! ```no_run
//! let mut kafka = batchpipe_testbed::kafka()?;
//! kafka.create_topic("demo-topic", 6, &[("retention.ms", "86400000")])?;
//! println!("{}", kafka.bootstrap_servers());
//! kafka.kill()?;
//! kafka.start_again()?;
//! # Ok::<(), batchpipe_testbed::Error>(())
//! ```
//!
//! With [`node()`] Kubernetes runs pods too, of images made of our own programs:
//!
//! ```no_run
//! use batchpipe_testbed::{Kafka, node, workload_image, workspace_program};
//!
//! let node = node()?;
//! let kafka = Kafka::builder().listener_for_pods(node.host_address()).start()?;
//! let binary = workspace_program("batchpipe")?;
//! node.import(&workload_image(&binary)?)?;
//! node.kubectl(&["run", "producer", "--image=batchpipe.local/workload:dev", "--", "--help"])?;
//! # Ok::<(), batchpipe_testbed::Error>(())
//! ```
//!
//! What is started is stopped and removed when its value is dropped, when a test panics, and when the test
//! process is killed. What takes long to get is built once into a cache folder (`BATCHPIPE_CACHE`, by
//! default `~/.cache/batchpipe`) that all processes of a user share.

use std::sync::OnceLock;

mod cache;
mod control_plane;
mod daemon;
mod docker;
mod error;
mod go;
mod images;
mod jars;
mod java;
mod kafka;
mod kubeconfig;
mod node;
mod pki;
mod ports;
mod process;
mod processes;
mod python;
mod space;
mod stage;
mod strimzi;
mod watchdog;
mod workspace;

pub use control_plane::{ControlPlane, ControlPlaneBuilder};
pub use docker::{Docker, docker_hindrance};
pub use error::Error;
pub use go::{KUBERNETES, Program};
pub use images::{Image, operator_image, workload_image};
pub use jars::KAFKA;
pub use java::java_program;
pub use kafka::{Builder, Kafka, Operation, Resource, Security};
pub use node::{Node, node_hindrance};
pub use python::{python, python_with};
pub use stage::{Stage, restricted_namespace, serve};
pub use strimzi::{Strimzi, strimzi_crds};
pub use workspace::workspace_program;

/// The result of everything here.
pub type Result<T> = std::result::Result<T, Error>;

/// A running Kafka with nothing in it.
pub fn kafka() -> Result<Kafka> {
    Kafka::builder().start()
}

/// One broker that all tests of this process share: give topics and groups names of their own.
///
/// It starts at the first call and is stopped when the process ends. When it cannot start, every caller gets
/// the same error.
pub fn shared_kafka() -> std::result::Result<&'static Kafka, &'static Error> {
    static SHARED: OnceLock<Result<Kafka>> = OnceLock::new();
    SHARED.get_or_init(kafka).as_ref()
}

/// A running Kubernetes without a node and with nothing in it. The first call ever builds it, for minutes.
pub fn control_plane() -> Result<ControlPlane> {
    ControlPlane::builder().start()
}

/// One control plane that all tests of this process share: use namespaces of your own.
///
/// As [`shared_kafka`] otherwise.
pub fn shared_control_plane() -> std::result::Result<&'static ControlPlane, &'static Error> {
    static SHARED: OnceLock<Result<ControlPlane>> = OnceLock::new();
    SHARED.get_or_init(control_plane).as_ref()
}

/// A running Kubernetes with a node that runs pods. It needs root and Linux (see [`node_hindrance`]), and waits
/// while another one runs on this machine.
pub fn node() -> Result<Node> {
    Node::start(ControlPlane::builder())
}

/// One node that all tests of this process share: use namespaces of your own.
///
/// As [`shared_kafka`] otherwise. Since a machine has one node at a time, [`node()`] would wait for ever beside it.
pub fn shared_node() -> std::result::Result<&'static Node, &'static Error> {
    static SHARED: OnceLock<Result<Node>> = OnceLock::new();
    SHARED.get_or_init(node).as_ref()
}
