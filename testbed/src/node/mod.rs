//! One running Kubernetes node below a control plane: its scheduler, containerd, kubelet, kube-proxy, cluster DNS,
//! and the pods. It needs root and Linux.
//!
//! All of it lives in namespaces of its own, so nothing of the host's containers, firewall or mounts is touched,
//! and all of it ends with the namespaces. The host is plugged into the pods' network.

mod cable;
mod lock;
mod needs;
mod programs;
mod settings;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

pub use needs::hindrance as node_hindrance;

use crate::{
    ControlPlane, ControlPlaneBuilder, Error, Image, Program, Result, error::Context, images,
    process, processes::Processes,
};
use cable::Cable;

/// What containerd's Kubernetes part writes on an image that pods can use.
const USABLE: &str = "io.cri-containerd.image=managed";

const LIMIT: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(50);

/// A Kubernetes that runs pods. Dropping it ends and removes all of it.
#[derive(Debug)]
pub struct Node {
    // In this order: the node ends before what it talks to, and the next one may start when all is gone.
    processes: Processes,
    control_plane: ControlPlane,
    _cable: Cable,
    _lock: File,
}

impl Node {
    /// Starts a node below a control plane with other than the usual settings.
    pub fn start(control_plane: ControlPlaneBuilder) -> Result<Self> {
        needs::check()?;
        programs::build()?;
        let lock = lock::take()?;
        // Dropped in this order too when something fails.
        let cable;
        let mut processes = Processes::start(&settings::group())?;
        cable = Cable::plug_in(&processes)?;
        let control_plane = control_plane.advertise(settings::HOST_ADDRESS).start()?;
        programs::start(&mut processes, &control_plane)?;
        let node = Self { processes, control_plane, _cable: cable, _lock: lock };
        node.import(&images::pause_image()?)?;
        node.await_ready()?;
        Ok(node)
    }

    /// The API server and what belongs to it.
    pub fn control_plane(&self) -> &ControlPlane {
        &self.control_plane
    }

    /// As [`Self::control_plane`], to stop and start it.
    pub fn control_plane_mut(&mut self) -> &mut ControlPlane {
        &mut self.control_plane
    }

    /// [`ControlPlane::kubectl`].
    pub fn kubectl(&self, args: &[&str]) -> Result<String> {
        self.control_plane.kubectl(args)
    }

    /// Where pods reach what listens on this machine, a broker for example.
    pub fn host_address(&self) -> &'static str {
        settings::HOST
    }

    /// Gives the node an image, which pods can use when this returns.
    pub fn import(&self, image: &Image) -> Result<()> {
        let path = self.folder().join(image.name().replace(['/', ':'], "-"));
        fs::write(&path, image.archive()).context("write", &path)?;
        let file = path.display().to_string();
        self.ctr(&["images", "import", &file])?;
        fs::remove_file(&path).context("remove", &path)?;
        let named = format!("name=={}", image.name());
        self.until("image", image.name(), || {
            Ok(self.ctr(&["images", "list", &named])?.contains(USABLE))
        })
    }

    /// Kills kubelet (SIGKILL). Pods go on, and nobody looks after them.
    pub fn kill_kubelet(&mut self) -> Result<()> {
        self.processes.kill(programs::KUBELET)
    }

    /// Starts kubelet again after [`Self::kill_kubelet`].
    pub fn start_kubelet(&mut self) -> Result<()> {
        self.processes.start_again(programs::KUBELET)
    }

    /// What the node's own files are in, logs among them; it goes with this value.
    pub fn folder(&self) -> &Path {
        self.processes.folder()
    }

    fn ctr(&self, args: &[&str]) -> Result<String> {
        let mut ctr = self.processes.command(&Program::Ctr.get()?);
        process::run(ctr.args(["--namespace", "k8s.io"]).args(args))
    }

    /// Waits until pods can be scheduled.
    fn await_ready(&self) -> Result<()> {
        let path = "jsonpath={.status.conditions[?(@.type==\"Ready\")].status}";
        self.until("node", settings::NAME, || {
            let status = self.kubectl(&["get", "node", settings::NAME, "--output", path]);
            Ok(status.is_ok_and(|status| status == "True"))
        })
    }

    fn until(
        &self,
        kind: &'static str,
        name: &str,
        mut is_so: impl FnMut() -> Result<bool>,
    ) -> Result<()> {
        let deadline = Instant::now() + LIMIT;
        while Instant::now() < deadline {
            if is_so()? {
                return Ok(());
            }
            thread::sleep(POLL);
        }
        Err(Error::NotReady { kind, name: name.to_owned(), tail: self.last_words() })
    }

    /// The end of kubelet's log, which is gone with this value.
    fn last_words(&self) -> String {
        let log: PathBuf = self.folder().join(format!("{}.log", programs::KUBELET));
        let text = fs::read(log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}
