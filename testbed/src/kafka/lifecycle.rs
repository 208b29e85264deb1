//! Starting, stopping, killing and pausing the broker's process.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, ExitStatus},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{Kafka, wire};
use crate::{Error, Result, error::Context};

/// A cold start takes 3 s on an idle machine, and far longer beside a build.
const START_LIMIT: Duration = Duration::from_mins(2);
const STOP_LIMIT: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(20);

const TAIL_LINES: usize = 30;

impl Kafka {
    /// Starts the broker again on the same port and data, after [`Self::stop`] or [`Self::kill`].
    pub fn start_again(&mut self) -> Result<()> {
        if self.broker.is_some() {
            return Err(Error::State { found: "running", wanted: "stopped" });
        }
        let log = File::options().create(true).append(true).open(self.log());
        let log = log.context("open", self.log())?;
        self.broker = Some(self.watchdog.spawn(&self.command, &log)?);
        self.await_answer().inspect_err(|_| drop(self.kill()))
    }

    /// Asks the broker to stop (SIGTERM) and waits until it has.
    pub fn stop(&mut self) -> Result<()> {
        self.signal(Signal::CONT)?;
        self.signal(Signal::TERM)?;
        let ended = self.await_exit(STOP_LIMIT)?;
        if ended.is_some() {
            return Ok(());
        }
        self.kill()?;
        Err(Error::Stop { seconds: STOP_LIMIT.as_secs() })
    }

    /// Kills the broker (SIGKILL), as a power failure would.
    pub fn kill(&mut self) -> Result<()> {
        self.signal(Signal::KILL)?;
        self.await_exit(STOP_LIMIT).map(drop)
    }

    /// Freezes the broker (SIGSTOP): connections stay open, and nothing is answered.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets a paused broker go on.
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    pub(super) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port.number()))
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let broker = self.broker.as_ref().ok_or_else(not_running)?;
        kill_process(Pid::from_child(broker), signal).context("signal", "the broker")
    }

    /// Waits until the broker answers a request: only then do its listeners serve clients.
    fn await_answer(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        while Instant::now() < deadline {
            if let Some(status) = self.await_exit(POLL)? {
                return Err(self.start_error(format!("ended at once with {status}")));
            }
            if wire::answers(self.address()) {
                return Ok(());
            }
        }
        Err(self.start_error(format!("did not answer within {} s", START_LIMIT.as_secs())))
    }

    /// The broker's status if it ends within `limit`; then it is reaped, and its id is forgotten.
    fn await_exit(&mut self, limit: Duration) -> Result<Option<ExitStatus>> {
        let broker = self.broker.as_mut().ok_or_else(not_running)?;
        let status = wait(broker, limit).context("wait for", "the broker")?;
        if status.is_some() {
            self.broker = None;
            self.watchdog.forget()?;
        }
        Ok(status)
    }

    /// Keeps a copy of the log, because the broker's folder goes with this value.
    fn start_error(&self, reason: String) -> Error {
        let text = fs::read(self.log()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let kept: PathBuf =
            std::env::temp_dir().join(format!("batchpipe-kafka-{}.log", self.port.number()));
        let log = fs::write(&kept, text.as_bytes()).map_or_else(|_| self.log(), |()| kept);
        Error::Start { reason, log, tail: tail(&text) }
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        // Not running is fine, and the watchdog tries again.
        let _ = self.kill();
    }
}

fn not_running() -> Error {
    Error::State { found: "stopped", wanted: "running" }
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
}
