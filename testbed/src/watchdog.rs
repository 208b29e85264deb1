//! A shell beside us that cleans up when we are gone: it kills the processes we told it and removes a folder.
//!
//! `Drop` does not run when a process is killed. The pipe to the watchdog closes in every case.

use std::{
    fs::File,
    io::{self, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

use crate::{Error, Result, error::Context, process};

const SCRIPT: &str = include_str!("../assets/watchdog.sh");

/// Starts the program in its arguments once a line has come. When we die before, none comes, and nothing starts.
const GATE: &str = r#"read -r go && exec "$@" </dev/null"#;

/// The watchdog's end of the pipe is with the shell; ours is here.
#[derive(Debug)]
pub(crate) struct Watchdog {
    shell: Child,
    pipe: Option<ChildStdin>,
}

impl Watchdog {
    /// Removes `folder` once this value or this process is gone.
    pub(crate) fn start(folder: &Path) -> Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "batchpipe-watchdog"]).arg(folder);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // A group of its own: Ctrl-C in a terminal must not end the watchdog before its work is done.
        command.process_group(0);
        let mut shell = command.spawn().map_err(|source| process::not_started(&command, source))?;
        let pipe = shell.stdin.take();
        Ok(Self { shell, pipe })
    }

    /// Starts `command`, its output going to `log`, so that it never outlives us: not even when we are killed
    /// between its start and the watchdog's knowing it.
    pub(crate) fn spawn(&mut self, command: &Command, log: &File) -> Result<Child> {
        let mut gated = Command::new("sh");
        gated.args(["-c", GATE, "batchpipe-gate"]).arg(command.get_program());
        gated.args(command.get_args()).process_group(0).stdin(Stdio::piped());
        gated.envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))));
        gated.stdout(log.try_clone().context("share", "the log")?);
        gated.stderr(log.try_clone().context("share", "the log")?);
        let mut child = gated.spawn().map_err(|source| process::not_started(&gated, source))?;
        self.tell(&format!("+{}", child.id()))?;
        let gate = child.stdin.take();
        gate.map_or(Ok(()), |mut pipe| pipe.write_all(b"go\n")).context("start", "sh")?;
        Ok(child)
    }

    /// There is nothing to kill there any more: the process was reaped, and its id may soon be another's.
    pub(crate) fn forget(&mut self, process: u32) -> Result<()> {
        self.tell(&format!("-{process}"))
    }

    fn tell(&mut self, line: &str) -> Result<()> {
        let pipe = self.pipe.as_mut().ok_or_else(|| Error::Io {
            action: "write to",
            path: PathBuf::from("the watchdog"),
            source: io::ErrorKind::BrokenPipe.into(),
        })?;
        writeln!(pipe, "{line}").context("write to", "the watchdog")
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.pipe.take());
        // Nothing can be done about a failure here; the shell ends on its own.
        let _ = self.shell.wait();
    }
}
