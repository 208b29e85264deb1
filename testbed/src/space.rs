//! Namespaces: their processes, mounts and network are not the host's, and end with the first of the processes,
//! however that ends.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::{
    fd::OwnedFd,
    io::Errno,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};

use crate::{Error, Result, daemon::Daemon, error::Context, images, process, watchdog::Watchdog};

const INIT: &str = include_str!("../assets/space/init.sh");
const CGROUPS: &str = include_str!("../assets/space/cgroups.sh");

/// Namespaces that are held by one process.
#[derive(Debug)]
pub(crate) struct Space {
    daemon: Daemon,
    /// The first process in it, by its id on the host.
    init: u32,
    /// The same process and no other, also when its id is given again.
    handle: OwnedFd,
}

impl Space {
    /// Makes the namespaces, and a control group of this name for containers.
    pub(crate) fn start(folder: &Path, group: &str, watchdog: &mut Watchdog) -> Result<Self> {
        process::run(Command::new("sh").args(["-c", CGROUPS, "cgroups", group]))?;
        let ready = folder.join("namespaces-are-ready");
        let mut command = Command::new("unshare");
        command.args(["--net", "--mount", "--pid", "--ipc", "--uts"]);
        command.args(["--fork", "--kill-child", "--mount-proc", "sh", "-c", INIT, "init"]);
        command.arg(images::pause_program()?).arg(&ready);
        let mut daemon = Daemon::new("namespaces", command, folder);
        daemon.start(watchdog, || ready.exists())?;
        let init = child_of(daemon.process_id())?;
        let handle = handle_of(init)?;
        Ok(Self { daemon, init, handle })
    }

    /// The first process in it, by its id on the host.
    pub(crate) const fn init(&self) -> u32 {
        self.init
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
        match pidfd_send_signal(&self.handle, Signal::KILL) {
            // It has ended by itself.
            Ok(()) | Err(Errno::SRCH) => self.daemon.stop(watchdog),
            Err(error) => Err(error).context("kill", "the namespaces' first process"),
        }
    }
}

/// The only child of a process.
fn child_of(parent: Option<u32>) -> Result<u32> {
    let parent = parent.unwrap_or_default();
    let path = PathBuf::from(format!("/proc/{parent}/task/{parent}/children"));
    let children = fs::read_to_string(&path).context("read", &path)?;
    let child = children.split_whitespace().next().and_then(|id| id.parse().ok());
    child.ok_or(Error::State { name: "namespaces", found: "ended", wanted: "running" })
}

fn handle_of(process: u32) -> Result<OwnedFd> {
    let id = i32::try_from(process).ok().and_then(Pid::from_raw);
    let ended = Error::State { name: "namespaces", found: "ended", wanted: "running" };
    pidfd_open(id.ok_or(ended)?, PidfdFlags::empty())
        .context("open", "the namespaces' first process")
}

/// `PATH` for a program that runs others, of which some are root's.
fn path() -> String {
    let inherited = env::var("PATH").unwrap_or_default();
    format!("PATH={inherited}:/usr/sbin:/usr/bin:/sbin:/bin")
}
