//! A Docker engine of its own: `dockerd` in namespaces, so that its containers, networks, published ports and volumes are
//! nobody else's, and end with it. It needs root and Linux.
//!
//! No registry is asked: images are built from a Dockerfile on [stand-ins](Docker::stand_in_for_distroless) for those
//! that it and a compose file name.

mod needs;
mod stand_ins;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

pub use needs::hindrance as docker_hindrance;

use crate::{
    Result,
    error::Context,
    process,
    processes::{Processes, Readiness},
};

const SOCKET: &str = "/run/docker.sock";
const PLUGIN: &str = include_str!("../../assets/docker/compose-plugin.sh");

/// The system's own programs first: what was put beside them by hand may lack parts.
const PATH: &str = "PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin";

/// Longer than anything here takes on a machine that is busy, in seconds.
const PATIENCE: &str = "180";

/// What people may have set for a Docker or a compose file of theirs.
const FOREIGN: [&str; 6] = [
    "BINARIES",
    "COMPOSE_FILE",
    "COMPOSE_PROFILES",
    "COMPOSE_PROJECT_NAME",
    "DOCKER_CONTEXT",
    "DOCKER_HOST",
];

/// A running Docker engine with nothing in it. Dropping it ends and removes all of it.
#[derive(Debug)]
pub struct Docker {
    processes: Processes,
    group: String,
}

impl Docker {
    /// Starts it.
    pub fn start() -> Result<Self> {
        needs::check()?;
        let group = group();
        let mut processes = Processes::start(&group)?;
        let mut command = processes.command(Path::new("dockerd"));
        command.arg("--data-root").arg(processes.folder().join("docker"));
        command.args(["--cgroup-parent", &format!("/{group}")]);
        processes.add("dockerd", command, Readiness::Socket(processes.file(SOCKET)))?;
        let docker = Self { processes, group };
        docker.know_compose()?;
        Ok(docker)
    }

    /// A line of shell, in this folder, as a person types it on the engine's machine: there `docker` is this engine's, and
    /// the ports that its containers publish are there and nowhere else. It is ended when it takes minutes.
    pub fn shell(&self, folder: &Path, line: &str) -> Command {
        let mut command = self.processes.command(Path::new("env"));
        command
            .arg(format!("--chdir={}", folder.display()))
            .args([PATH, "timeout", PATIENCE, "sh", "-c", line]);
        command.env("DOCKER_CONFIG", self.config());
        // Engines before 23 have it, but do not use it unasked.
        command.env("DOCKER_BUILDKIT", "1");
        for name in FOREIGN {
            command.env_remove(name);
        }
        command
    }

    /// The name of the control group of its containers, by which they can be told from others on this machine.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// What all of its files are in; it goes with this value.
    pub fn folder(&self) -> &Path {
        self.processes.folder()
    }

    fn config(&self) -> PathBuf {
        self.folder().join("config")
    }

    fn run(&self, line: &str) -> Result<String> {
        process::run(&mut self.shell(self.folder(), line))
    }

    /// Lets `docker compose` be docker-compose where only that is installed.
    fn know_compose(&self) -> Result<()> {
        let plugins = self.config().join("cli-plugins");
        fs::create_dir_all(&plugins).context("create", &plugins)?;
        if self.run("docker compose version").is_ok() {
            return Ok(());
        }
        needs::require_compose()?;
        let plugin = plugins.join("docker-compose");
        fs::write(&plugin, PLUGIN).context("write", &plugin)?;
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(&plugin, mode).context("make executable", &plugin)
    }
}

/// Nobody else's: the watchdog of an engine that was killed may still remove it.
fn group() -> String {
    static ENGINES: AtomicU32 = AtomicU32::new(0);
    let engine = ENGINES.fetch_add(1, Ordering::Relaxed);
    format!("batchpipe-docker-{}-{engine}", std::process::id())
}
