//! The node's own namespaces: its processes, mounts and network are not the host's, and end with the first of its
//! processes, however that ends.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::process::{Pid, Signal, kill_process};

use super::settings::{self, ADDRESS, CABLE, HOST, SERVICES};
use crate::{Error, Result, daemon::Daemon, error::Context, images, process, watchdog::Watchdog};

const INIT: &str = include_str!("../../assets/node/init.sh");
const NETWORK: &str = include_str!("../../assets/node/network.sh");
const CGROUPS: &str = include_str!("../../assets/node/cgroups.sh");

/// Namespaces that are held by one process.
#[derive(Debug)]
pub(crate) struct Space {
    daemon: Daemon,
    /// The first process in it, by its id on the host.
    init: u32,
}

impl Space {
    /// Makes the namespaces and joins their network with the host's.
    pub(crate) fn start(folder: &Path, watchdog: &mut Watchdog) -> Result<Self> {
        script(CGROUPS, &[&settings::group()])?;
        let ready = folder.join("namespaces-are-ready");
        let mut command = Command::new("unshare");
        command.args(["--net", "--mount", "--pid", "--ipc", "--uts"]);
        command.args(["--fork", "--kill-child", "--mount-proc", "sh", "-c", INIT, "init"]);
        command.arg(images::pause_program()?).arg(&ready);
        let mut daemon = Daemon::new("namespaces", command, folder);
        daemon.start(watchdog, || ready.exists())?;
        let init = child_of(daemon.process_id())?;
        script(NETWORK, &[&init.to_string(), CABLE, HOST, ADDRESS, SERVICES])?;
        Ok(Self { daemon, init })
    }

    /// A command that runs `program` within. It is killed when the process that runs the command is.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command.arg("--target").arg(self.init.to_string());
        command.args(["--mount", "--net", "--pid", "--ipc", "--uts", "--"]);
        command.args(["setpriv", "--pdeathsig", "KILL", "--", "env", &path()]);
        command.arg(program);
        command
    }

    /// A file within, as the host sees it.
    pub(crate) fn file(&self, path: &str) -> PathBuf {
        format!("/proc/{}/root{path}", self.init).into()
    }

    /// Ends everything within. The first process goes first, so that who waits for it collects it.
    pub(crate) fn end(&mut self, watchdog: &mut Watchdog) -> Result<()> {
        let init = i32::try_from(self.init).ok().and_then(Pid::from_raw);
        if let Some(init) = init {
            kill_process(init, Signal::KILL).context("kill", "the node's first process")?;
        }
        self.daemon.stop(watchdog)
    }
}

/// Whether the host still has its end of a node's cable.
pub(crate) fn has_cable() -> bool {
    Path::new("/sys/class/net").join(CABLE).exists()
}

fn script(text: &str, args: &[&str]) -> Result<()> {
    process::run(Command::new("sh").args(["-c", text, "node"]).args(args)).map(drop)
}

/// The only child of a process.
fn child_of(parent: Option<u32>) -> Result<u32> {
    let parent = parent.unwrap_or_default();
    let path = PathBuf::from(format!("/proc/{parent}/task/{parent}/children"));
    let children = fs::read_to_string(&path).context("read", &path)?;
    let child = children.split_whitespace().next().and_then(|id| id.parse().ok());
    child.ok_or(Error::State { name: "namespaces", found: "ended", wanted: "running" })
}

/// `PATH` for a program that runs others, of which some are root's.
fn path() -> String {
    let inherited = env::var("PATH").unwrap_or_default();
    format!("PATH={inherited}:/usr/sbin:/usr/bin:/sbin:/bin")
}
