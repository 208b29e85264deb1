//! One run of the `batchpipe` command: started, watched, signalled, and always ended.

use std::{
    fs::{self, File},
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use batchpipe_api::report::{ExitReport, Report};
use rustix::process::{Pid, Signal, kill_process};

use super::{PATIENCE, until};

/// A running `batchpipe`. Dropping it kills it.
pub(crate) struct Child {
    process: std::process::Child,
    /// Standard output.
    pub(crate) output: PathBuf,
    log: PathBuf,
}

/// How a run ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// Its exit report, if it came to write one.
    pub(crate) report: Option<ExitReport>,
}

impl Child {
    /// Starts a command with its standard output; `name` distinguishes its files in `folder`.
    pub(super) fn start(folder: &Path, name: &str, mut command: Command) -> Self {
        let (out, log) = (folder.join(format!("{name}.out")), folder.join(format!("{name}.log")));
        let process = command
            .env_remove("KAFKA_BROKER")
            .env_remove("KAFKA_TOPIC")
            .stdin(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Self { process, output: out, log }
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn process(&mut self) -> &mut std::process::Child {
        &mut self.process
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    /// Whether it still runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.process.try_wait().unwrap().is_none()
    }

    /// Asks it to stop and waits for that.
    pub(crate) fn terminate(self) -> Ended {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Kills it.
    pub(crate) fn kill(mut self) {
        self.signal(Signal::KILL);
        self.process.wait().unwrap();
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                let text = fs::read_to_string(&self.output).unwrap_or_default();
                let last = text.lines().next_back().unwrap_or_default();
                return Ended { status, report: serde_json::from_str(last).ok() };
            }
            assert!(Instant::now() < deadline, "it does not end:\n{}", self.log());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Where it logs.
    pub(crate) fn log_path(&self) -> PathBuf {
        self.log.clone()
    }

    /// Where its admin server listens.
    fn admin(&self) -> SocketAddr {
        let mut found = None;
        until("the admin server listens", || {
            found = self.log().lines().find_map(address);
            found.is_some()
        });
        found.unwrap()
    }

    /// Whether its admin server listens yet.
    pub(crate) fn listens(&self) -> bool {
        self.log().lines().any(|line| address(line).is_some())
    }

    /// Asks the admin server; status code and body.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let answer = self.ask(path).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// The same, whole; an error when it ends meanwhile.
    fn ask(&self, path: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(self.admin())?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.get("/readyz").0 == 200
    }

    pub(crate) fn await_ready(&self) {
        until("it is ready", || self.is_ready());
    }

    /// Waits until it says that it is not ready, and why, in these words.
    pub(crate) fn await_unready(&self, words: &str) {
        until(&format!("/readyz says {words}"), || {
            let (status, body) = self.get("/readyz");
            status == 503 && body.contains(words)
        });
    }

    pub(crate) fn report(&self) -> Report {
        serde_json::from_str(&self.get("/status").1).unwrap()
    }

    /// Waits for its end; gives the last report before that.
    pub(crate) fn last_report(&mut self) -> Report {
        let mut last = None;
        until("it has ended", || {
            let answer = self.ask("/status").unwrap_or_default();
            let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
            last = serde_json::from_str(body).ok().or_else(|| last.take());
            !self.runs()
        });
        last.unwrap()
    }

    /// Waits until it has accounted for so many records, however.
    pub(crate) fn await_accepted(&self, records: u64) {
        until(&format!("{records} records are accepted"), || {
            self.report().accounting.accepted >= records
        });
    }

    /// Waits until so many records are delivered.
    pub(crate) fn await_delivered(&self, records: u64) {
        until(&format!("{records} records are delivered"), || {
            self.report().accounting.delivered >= records
        });
    }
}

impl Ended {
    /// The report of a run that ended well: exit code 0, every record accounted for.
    pub(crate) fn well(&self) -> ExitReport {
        assert!(self.status.success(), "ended with {}: {:?}", self.status, self.report);
        let report = self.report.unwrap();
        let settled = report.delivered + report.dead_lettered + report.released;
        assert_eq!(report.in_flight, 0, "{report:?}");
        assert_eq!(report.accepted, settled, "{report:?}");
        report
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill(); // it may have ended
        let _ = self.process.wait();
        if thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            let tail = lines[lines.len().saturating_sub(15)..].join("\n");
            eprintln!("--- {}\n{tail}", self.log.display());
        }
    }
}

/// The address in the log line that tells it.
fn address(line: &str) -> Option<SocketAddr> {
    let value: serde_json::Value = serde_json::from_str(line).ok()?;
    (value["message"] == "admin server listens").then(|| value["address"].as_str())??.parse().ok()
}
