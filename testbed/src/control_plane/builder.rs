//! How a control plane is to be started.

use std::{fs, net::Ipv4Addr, path::PathBuf, process::Command};

use super::{
    ControlPlane,
    flags::{self, Layout},
};
use crate::{
    Program, Result,
    daemon::Daemon,
    error::Context,
    kubeconfig::{self, Credentials},
    pki::{Pair, Pki},
    ports::Port,
    watchdog::Watchdog,
};

const AUDIT_POLICY: &str = include_str!("../../assets/audit-policy.yaml");

/// Settings of a control plane that is to be started. Each has a default.
#[derive(Debug, Default)]
#[must_use = "nothing is started before `start`"]
pub struct ControlPlaneBuilder {
    port: Option<u16>,
    advertised: Option<Ipv4Addr>,
    api_server: Vec<String>,
    controllers: Vec<String>,
}

impl ControlPlaneBuilder {
    /// The API server's port; by default, and for 0, a free one.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Where pods and nodes reach the API server, which then listens on all addresses of this machine. By
    /// default only this machine's own processes reach it.
    pub fn advertise(mut self, address: Ipv4Addr) -> Self {
        self.advertised = Some(address);
        self
    }

    /// A flag of the API server, as `--name=value`, after the testbed's own.
    pub fn api_server_flag(mut self, flag: impl Into<String>) -> Self {
        self.api_server.push(flag.into());
        self
    }

    /// A flag of the controller manager, as `--name=value`, after the testbed's own.
    pub fn controller_manager_flag(mut self, flag: impl Into<String>) -> Self {
        self.controllers.push(flag.into());
        self
    }

    /// Starts it and returns when it answers and the namespace `default` can be used.
    pub fn start(self) -> Result<ControlPlane> {
        let kubectl = programs()?;
        let port = self.port.filter(|port| *port != 0).map_or_else(Port::pick, Port::given)?;
        let etcd_ports = [Port::pick()?, Port::pick()?];
        let folder = folder()?;
        let watchdog = Watchdog::start(&folder)?;
        let pki = Pki::create(folder.join("pki"))?;
        let etcd_port = etcd_ports[0].number();
        let layout = Layout { folder: &folder, pki: &pki, port: port.number(), etcd_port };
        let etcd = flags::etcd(&layout, etcd_ports[1].number())?;
        let [api_server, controllers] = self.servers(&layout)?;
        let etcd = Daemon::new("etcd", etcd, &folder);
        let api_server = Daemon::new("kube-apiserver", api_server, &folder);
        let controllers = Daemon::new("kube-controller-manager", controllers, &folder);
        let mut started = ControlPlane {
            kubectl,
            folder,
            pki,
            port,
            etcd_ports,
            etcd,
            api_server,
            controllers,
            watchdog,
        };
        started.start_all(etcd_port)?;
        Ok(started)
    }

    /// Makes the files that the API server and the controllers read, and their commands.
    fn servers(self, layout: &Layout) -> Result<[Command; 2]> {
        let policy = flags::audit_policy(layout.folder);
        fs::write(&policy, AUDIT_POLICY).context("write", &policy)?;
        let serving = layout.pki.server("apiserver", &flags::hosts(self.advertised))?;
        let admin = layout.pki.client("admin", "admin", Some("system:masters"))?;
        let manager = "system:kube-controller-manager";
        let manager = layout.pki.client("kube-controller-manager", manager, None)?;
        write_kubeconfig(layout, "admin", &admin)?;
        let kubeconfig = write_kubeconfig(layout, "kube-controller-manager", &manager)?;
        let mut api_server = flags::api_server(layout, &serving, &admin, self.advertised)?;
        let mut controllers = flags::controllers(layout, &kubeconfig)?;
        api_server.args(self.api_server);
        controllers.args(self.controllers);
        Ok([api_server, controllers])
    }
}

/// Builds all of them where they are missing, and returns `kubectl`. The longest build is the first: those that
/// follow share what it compiled.
fn programs() -> Result<PathBuf> {
    for program in [Program::KubeApiserver, Program::KubeControllerManager, Program::Etcd] {
        program.get()?;
    }
    Program::Kubectl.get()
}

fn write_kubeconfig(layout: &Layout, name: &str, pair: &Pair) -> Result<PathBuf> {
    let path = layout.folder.join(format!("{name}.kubeconfig"));
    let server = flags::server(layout.port);
    let credentials = Credentials::Certificate(pair);
    kubeconfig::write(&path, &server, &layout.pki.authority(), &credentials)?;
    Ok(path)
}

/// A new folder, which the watchdog removes.
fn folder() -> Result<PathBuf> {
    let folder = tempfile::Builder::new().prefix("batchpipe-cluster-").tempdir();
    folder.map(tempfile::TempDir::keep).context("create", std::env::temp_dir())
}
