//! One program that keeps running: started, stopped, killed, paused, and started again by the same command.
//!
//! It leaves its folder and its process to the watchdog when this process ends; it knows nothing of what it runs.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Error, Result, error::Context, watchdog::Watchdog};

/// A cold start takes seconds on an idle machine, and far longer beside a build.
const START_LIMIT: Duration = Duration::from_mins(2);
const STOP_LIMIT: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(20);

const TAIL_LINES: usize = 30;

/// A program, whether it runs or not.
#[derive(Debug)]
pub(crate) struct Daemon {
    name: &'static str,
    command: Command,
    log: PathBuf,
    child: Option<Child>,
}

impl Daemon {
    /// What `command` starts, its output going to a log in `folder`. Nothing is started yet.
    pub(crate) fn new(name: &'static str, command: Command, folder: &Path) -> Self {
        Self { name, command, log: folder.join(format!("{name}.log")), child: None }
    }

    /// What it is called.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Where its output goes.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// The id of its process while there is one.
    pub(crate) fn process_id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Starts it and waits until `is_ready`; when that takes too long it is killed.
    pub(crate) fn start(
        &mut self,
        watchdog: &mut Watchdog,
        is_ready: impl FnMut() -> bool,
    ) -> Result<()> {
        if self.child.is_some() {
            return Err(Error::State { name: self.name, found: "running", wanted: "stopped" });
        }
        let log = File::options().create(true).append(true).open(&self.log);
        let log = log.context("open", &self.log)?;
        self.child = Some(watchdog.spawn(&self.command, &log)?);
        let ready = self.await_ready(watchdog, is_ready);
        ready.inspect_err(|_| drop(self.kill(watchdog)))
    }

    /// Asks it to stop (SIGTERM) and waits until it has.
    pub(crate) fn stop(&mut self, watchdog: &mut Watchdog) -> Result<()> {
        self.signal(Signal::CONT)?;
        self.signal(Signal::TERM)?;
        let ended = self.await_exit(watchdog, STOP_LIMIT)?;
        if ended.is_some() {
            return Ok(());
        }
        self.kill(watchdog)?;
        Err(Error::Stop { name: self.name, seconds: STOP_LIMIT.as_secs() })
    }

    /// Kills it (SIGKILL), as a power failure would.
    pub(crate) fn kill(&mut self, watchdog: &mut Watchdog) -> Result<()> {
        self.signal(Signal::KILL)?;
        self.await_exit(watchdog, STOP_LIMIT).map(drop)
    }

    /// How it ended, if nobody asked it to: it can then be started again.
    pub(crate) fn ended(&mut self, watchdog: &mut Watchdog) -> Result<Option<ExitStatus>> {
        self.await_exit(watchdog, Duration::ZERO)
    }

    /// Freezes it (SIGSTOP): connections stay open, and nothing is answered.
    pub(crate) fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on after a pause.
    pub(crate) fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let child = self.child.as_ref().ok_or_else(|| self.not_running())?;
        kill_process(Pid::from_child(child), signal).context("signal", self.name)
    }

    fn await_ready(
        &mut self,
        watchdog: &mut Watchdog,
        mut is_ready: impl FnMut() -> bool,
    ) -> Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        while Instant::now() < deadline {
            if let Some(status) = self.await_exit(watchdog, POLL)? {
                return Err(self.start_error(format!("ended at once with {status}")));
            }
            if is_ready() {
                return Ok(());
            }
        }
        Err(self.start_error(format!("did not answer within {} s", START_LIMIT.as_secs())))
    }

    /// Its status if it ends within `limit`; then it is reaped, and its id is forgotten.
    fn await_exit(
        &mut self,
        watchdog: &mut Watchdog,
        limit: Duration,
    ) -> Result<Option<ExitStatus>> {
        let not_running = self.not_running();
        let child = self.child.as_mut().ok_or(not_running)?;
        let id = child.id();
        let status = wait(child, limit).context("wait for", self.name)?;
        if status.is_some() {
            self.child = None;
            watchdog.forget(id)?;
        }
        Ok(status)
    }

    fn not_running(&self) -> Error {
        Error::State { name: self.name, found: "stopped", wanted: "running" }
    }

    /// Keeps a copy of the log, because its folder goes with this value.
    fn start_error(&self, reason: String) -> Error {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let folder = self.log.parent().and_then(Path::file_name).unwrap_or_default();
        let kept = format!("{}-{}.log", folder.display(), self.name);
        let kept = std::env::temp_dir().join(kept);
        let log = fs::write(&kept, text.as_bytes()).map_or_else(|_| self.log.clone(), |()| kept);
        Error::Start { name: self.name, reason, log, tail: tail(&text) }
    }
}

fn wait(child: &mut Child, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        thread::sleep(POLL);
    }
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_of_a_long_log_is_its_last_lines() {
        let text = (0..100).map(|line| line.to_string()).collect::<Vec<_>>().join("\n");
        assert!(tail(&text).starts_with("70\n") && tail(&text).ends_with("\n99"));
    }

    #[test]
    fn a_program_that_ends_at_once_is_an_error_that_shows_its_last_words() {
        let folder = tempfile::tempdir().unwrap();
        let mut watchdog = Watchdog::start(folder.path()).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo no such flag; exit 3"]);
        let mut daemon = Daemon::new("failing", command, folder.path());
        let error = daemon.start(&mut watchdog, || false).unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.ends_with("no such flag"), "{error}");
        assert_eq!(daemon.process_id(), None);
    }
}
