//! Programs in namespaces of their own, and the watchdog that ends and removes all of it.

use std::{
    fs,
    net::TcpStream,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Error, Result, daemon::Daemon, error::Context, space::Space, watchdog::Watchdog};

const CLEAN_UP: &str = include_str!("../assets/space/clean-up.sh");

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
    /// At a port of an address.
    Port(&'static str, u16),
    /// At a socket in the file system.
    Socket(PathBuf),
}

impl Readiness {
    fn is_reached(&self) -> bool {
        match self {
            Self::Port(address, port) => TcpStream::connect((*address, *port)).is_ok(),
            Self::Socket(path) => UnixStream::connect(path).is_ok(),
        }
    }
}

impl Processes {
    /// Namespaces with nothing in them, and a folder. Both the folder and the control group are named after `group`,
    /// which is nobody else's.
    pub(crate) fn start(group: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix(&format!("{group}-")).tempdir();
        let folder = folder.context("create", std::env::temp_dir())?.keep();
        let mut watchdog = Watchdog::start(&folder)?;
        let clean_up = folder.join("clean-up.sh");
        let text = CLEAN_UP.replace("GROUP", group);
        fs::write(&clean_up, text).context("write", &clean_up)?;
        let space = Space::start(&folder, group, &mut watchdog)?;
        Ok(Self { space, programs: Vec::new(), folder, watchdog })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The first process in the namespaces, by its id on the host.
    pub(crate) const fn init(&self) -> u32 {
        self.space.init()
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
    }
}
