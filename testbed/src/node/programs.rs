//! The programs of a node: their files, their command lines, and when each is ready.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::settings::{self, ADDRESS, HOST, NAME, SOCKET};
use crate::{
    ControlPlane, Program, Result,
    error::Context,
    processes::{Processes, Readiness},
};

/// The name of the program that looks after pods, and of its log.
pub(crate) const KUBELET: &str = "kubelet";

/// Builds what is not there yet.
pub(crate) fn build() -> Result<()> {
    use Program::{
        Containerd, ContainerdShim, CoreDns, Ctr, KubeApiserver, KubeProxy, KubeScheduler, Kubelet,
    };
    // The longest first: those that follow share what it compiled.
    let all = [
        KubeApiserver,
        KubeScheduler,
        Kubelet,
        KubeProxy,
        Containerd,
        ContainerdShim,
        Ctr,
        CoreDns,
    ];
    all.into_iter().try_for_each(|program| program.get().map(drop))
}

/// Starts all of them, each when what it needs is there.
pub(crate) fn start(processes: &mut Processes, control_plane: &ControlPlane) -> Result<()> {
    let files = Files { folder: processes.folder().to_owned(), control_plane };
    containerd(processes, &files)?;
    kubelet(processes, &files)?;
    scheduler(processes, &files)?;
    proxy(processes, &files)?;
    names(processes, &files)
}

/// Where settings are written to.
struct Files<'a> {
    folder: PathBuf,
    control_plane: &'a ControlPlane,
}

impl Files<'_> {
    fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.folder.join(name);
        fs::write(&path, text).context("write", &path)?;
        Ok(path)
    }

    /// A kubeconfig that leads from the node to the control plane on the host.
    fn kubeconfig(&self, name: &str, original: &Path) -> Result<PathBuf> {
        let text = fs::read_to_string(original).context("read", original)?;
        self.write(&format!("{name}.kubeconfig"), &text.replace("127.0.0.1", HOST))
    }

    fn kubeconfig_of_user(&self, name: &str, user: &str, group: Option<&str>) -> Result<PathBuf> {
        let original = self.control_plane.kubeconfig_for_user(user, group)?;
        self.kubeconfig(name, &original)
    }
}

fn containerd(processes: &mut Processes, files: &Files) -> Result<()> {
    let networks = files.folder.join("networks");
    fs::create_dir(&networks).context("create", &networks)?;
    files.write("networks/pods.conflist", &settings::network())?;
    let shim = Program::ContainerdShim.get()?;
    let text = settings::containerd(&files.folder.join("containerd"), &networks, &shim);
    let mut command = processes.command(&Program::Containerd.get()?);
    command.arg("--config").arg(files.write("containerd.toml", &text)?);
    processes.add("containerd", command, Readiness::Socket(processes.file(SOCKET)))
}

fn kubelet(processes: &mut Processes, files: &Files) -> Result<()> {
    let user = format!("system:node:{NAME}");
    let kubeconfig = files.kubeconfig_of_user(KUBELET, &user, Some("system:nodes"))?;
    // Nothing is asked beyond cluster DNS: images and tests need no other network.
    files.write("resolv.conf", "")?;
    let authority = files.control_plane.authority();
    let text = settings::kubelet(&files.folder, &authority);
    let mut command = processes.command(&Program::Kubelet.get()?);
    command.arg("--config").arg(files.write("kubelet.json", &text)?);
    command.arg("--kubeconfig").arg(kubeconfig);
    command.arg("--root-dir").arg(files.folder.join("kubelet"));
    command.arg("--cert-dir").arg(files.folder.join("kubelet-certificates"));
    command.args(["--node-ip", ADDRESS, "--hostname-override", NAME]);
    processes.add(KUBELET, command, Readiness::Port(ADDRESS, 10_250))
}

fn scheduler(processes: &mut Processes, files: &Files) -> Result<()> {
    let kubeconfig = files.kubeconfig_of_user("scheduler", "system:kube-scheduler", None)?;
    let mut command = processes.command(&Program::KubeScheduler.get()?);
    for flag in ["--kubeconfig", "--authentication-kubeconfig", "--authorization-kubeconfig"] {
        command.arg(flag).arg(&kubeconfig);
    }
    command.arg("--leader-elect=false");
    processes.add("kube-scheduler", command, Readiness::Port(ADDRESS, 10_259))
}

fn proxy(processes: &mut Processes, files: &Files) -> Result<()> {
    let mut command = processes.command(&Program::KubeProxy.get()?);
    administrator(&mut command, files, "proxy")?;
    command.args(["--hostname-override", NAME, "--proxy-mode=iptables"]);
    // Answers would else go the short way through the bridge, past the rules that changed the question.
    command.arg("--masquerade-all");
    // The table of connections is the machine's, not ours to size.
    command.args(["--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0s"]);
    command.arg("--conntrack-tcp-timeout-close-wait=0s");
    processes.add("kube-proxy", command, Readiness::Port(ADDRESS, 10_256))
}

fn administrator(command: &mut Command, files: &Files, name: &str) -> Result<()> {
    let kubeconfig = files.kubeconfig(name, &files.control_plane.kubeconfig())?;
    command.arg("--kubeconfig").arg(kubeconfig);
    Ok(())
}

fn names(processes: &mut Processes, files: &Files) -> Result<()> {
    let kubeconfig = files.kubeconfig("names", &files.control_plane.kubeconfig())?;
    let mut command = processes.command(&Program::CoreDns.get()?);
    command.arg("-conf").arg(files.write("Corefile", &settings::names(&kubeconfig))?);
    processes.add("coredns", command, Readiness::Port(ADDRESS, 53))
}
