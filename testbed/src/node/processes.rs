//! The node's processes: its namespaces, the programs in them, and the watchdog that ends and removes all.

use std::{
    fs,
    net::TcpStream,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use super::{
    settings,
    space::{self, Space},
};
use crate::{Error, Result, daemon::Daemon, error::Context, watchdog::Watchdog};

const CLEAN_UP: &str = include_str!("../../assets/node/clean-up.sh");

/// The kernel takes a network apart a moment after its last process.
const LIMIT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);

/// Dropping it ends all of them.
#[derive(Debug)]
pub(crate) struct Processes {
    space: Space,
    programs: Vec<(Daemon, Readiness)>,
    folder: PathBuf,
    watchdog: Watchdog,
}

/// How it shows that a program can be used: it accepts connections.
#[derive(Debug)]
pub(crate) enum Readiness {
    /// At a port of the node's address.
    Port(u16),
    /// At a socket in the file system.
    Socket(PathBuf),
}

impl Readiness {
    fn is_reached(&self) -> bool {
        match self {
            Self::Port(port) => TcpStream::connect((settings::ADDRESS, *port)).is_ok(),
            Self::Socket(path) => UnixStream::connect(path).is_ok(),
        }
    }
}

impl Processes {
    /// Namespaces with nothing in them.
    pub(crate) fn start() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("batchpipe-node-").tempdir();
        let folder = folder.context("create", std::env::temp_dir())?.keep();
        let mut watchdog = Watchdog::start(&folder)?;
        let clean_up = folder.join("clean-up.sh");
        let text = CLEAN_UP.replace("GROUP", &settings::group());
        fs::write(&clean_up, text).context("write", &clean_up)?;
        let space = Space::start(&folder, &mut watchdog)?;
        Ok(Self { space, programs: Vec::new(), folder, watchdog })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A command that runs in the namespaces.
    pub(crate) fn command(&self, program: &Path) -> Command {
        self.space.command(program)
    }

    /// A file in the namespaces, as the host sees it.
    pub(crate) fn file(&self, path: &str) -> PathBuf {
        self.space.file(path)
    }

    /// Starts a program, made by [`Self::command`], and waits until it is ready.
    pub(crate) fn add(
        &mut self,
        name: &'static str,
        command: Command,
        readiness: Readiness,
    ) -> Result<()> {
        let mut daemon = Daemon::new(name, command, &self.folder);
        daemon.start(&mut self.watchdog, || readiness.is_reached())?;
        self.programs.push((daemon, readiness));
        Ok(())
    }

    pub(crate) fn kill(&mut self, name: &'static str) -> Result<()> {
        let (daemon, _) = find(&mut self.programs, name)?;
        daemon.kill(&mut self.watchdog)
    }

    pub(crate) fn start_again(&mut self, name: &'static str) -> Result<()> {
        let (daemon, readiness) = find(&mut self.programs, name)?;
        daemon.start(&mut self.watchdog, || readiness.is_reached())
    }
}

fn find<'a>(
    programs: &'a mut [(Daemon, Readiness)],
    name: &'static str,
) -> Result<&'a mut (Daemon, Readiness)> {
    let found = programs.iter_mut().find(|(daemon, _)| daemon.name() == name);
    found.ok_or(Error::State { name, found: "not started", wanted: "known" })
}

impl Drop for Processes {
    fn drop(&mut self) {
        // The namespaces take everything along; the rest is to collect what ended. The watchdog tries again.
        let _ = self.space.end(&mut self.watchdog);
        for (daemon, _) in &mut self.programs {
            let _ = daemon.kill(&mut self.watchdog);
        }
        let deadline = Instant::now() + LIMIT;
        while space::has_cable() && Instant::now() < deadline {
            thread::sleep(POLL);
        }
    }
}
