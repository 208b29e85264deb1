//! One running Kubernetes without a node: etcd, the API server and the controllers. It needs no root.
//!
//! Ports, keys and data belong to the value, not to the processes: the API server can be stopped, killed and
//! started again on them. Whatever happens to this process, the watchdog ends all of them and removes the folder.

mod access;
mod builder;
mod flags;
mod lifecycle;

use std::path::{Path, PathBuf};

pub use builder::ControlPlaneBuilder;

use crate::{daemon::Daemon, pki::Pki, ports::Port, watchdog::Watchdog};

/// A Kubernetes that stores, checks and controls objects. Dropping it kills it and removes what it stored.
///
/// Without a node no pod ever runs: a Deployment gets its `ReplicaSet` and pods, which stay pending.
#[derive(Debug)]
pub struct ControlPlane {
    kubectl: PathBuf,
    folder: PathBuf,
    pki: Pki,
    port: Port,
    #[expect(dead_code, reason = "held so that nobody takes them while etcd is down")]
    etcd_ports: [Port; 2],
    etcd: Daemon,
    api_server: Daemon,
    controllers: Daemon,
    watchdog: Watchdog,
}

impl ControlPlane {
    /// A control plane to be started with other than the usual settings.
    pub fn builder() -> ControlPlaneBuilder {
        ControlPlaneBuilder::default()
    }

    /// The API server's address.
    pub fn server(&self) -> String {
        flags::server(self.port.number())
    }

    /// A kubeconfig of the administrator, who may do everything.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("admin.kubeconfig")
    }

    /// What the API server was asked and by whom: one JSON object of kind `Event` a line. A line may come a
    /// moment after the answer.
    pub fn audit_log(&self) -> PathBuf {
        flags::audit_log(&self.folder)
    }

    /// The API server's log.
    pub fn log(&self) -> &Path {
        self.api_server.log()
    }

    /// The ids of the processes that run: etcd, the API server, the controllers.
    pub fn process_ids(&self) -> Vec<u32> {
        let all = [&self.etcd, &self.api_server, &self.controllers];
        all.into_iter().filter_map(Daemon::process_id).collect()
    }

    /// What all its files are in; it goes with this value.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}
