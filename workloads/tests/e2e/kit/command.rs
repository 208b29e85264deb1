//! Child processes: the command under test and the programs that it is compared with. None of them is waited
//! for without end, and none outlives its test.

use std::{
    fs::{self, File},
    io::{Read as _, Seek as _, Write as _},
    net::TcpListener,
    os::unix::fs::FileExt as _,
    path::Path,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::broker;

/// Longer than anything here takes on a machine that is busy.
const PATIENCE: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(5);

/// Variables that would change what the command does.
const VARIABLES: [&str; 8] = [
    "KAFKA_TOPIC",
    "COMPRESSION_CODEC",
    "BATCHPIPE_PIPELINE",
    "BATCHPIPE_STAY",
    "BATCHPIPE_ADMIN",
    "BATCHPIPE_GRACE_PERIOD",
    "BATCHPIPE_LISTEN",
    "RUST_LOG",
];

/// `batchpipe` with the shared broker in its environment.
pub(crate) fn batchpipe(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_batchpipe"));
    command.args(args).env("KAFKA_BROKER", broker().bootstrap_servers());
    for name in VARIABLES {
        command.env_remove(name);
    }
    command
}

/// One of the Python programs beside these tests, with the shared broker in its environment.
pub(crate) fn python(script: &str, args: &[&str]) -> Command {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop");
    let mut command = Command::new(batchpipe_testbed::python().unwrap());
    command.arg(folder.join(script)).args(args).env("KAFKA_BROKER", broker().bootstrap_servers());
    command
}

/// A program at work; it is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    stdout: File,
    stderr: File,
    /// The most memory that it was seen to have, in KiB.
    peak_kib: u64,
}

/// A program that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
    pub(crate) code: Option<i32>,
    /// The most memory that it was seen to have, in KiB.
    pub(crate) peak_kib: u64,
}

impl Running {
    /// Starts a program; whatever it prints goes to files, so it never waits for us.
    pub(crate) fn start(mut command: Command) -> Self {
        let (stdout, stderr) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        command.stdout(stdout.try_clone().unwrap()).stderr(stderr.try_clone().unwrap());
        Self { child: command.spawn().unwrap(), stdout, stderr, peak_kib: 0 }
    }

    /// Its standard input, if that was to be a pipe; dropping it ends the input.
    pub(crate) fn input(&mut self) -> ChildStdin {
        self.child.stdin.take().unwrap()
    }

    /// Whether it has printed anything yet.
    pub(crate) fn has_printed(&self) -> bool {
        self.stdout.metadata().unwrap().len() > 0
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        let status = self.wait_until(deadline).unwrap_or_else(|| {
            panic!("still running after {PATIENCE:?}: {}", text(&mut self.stderr))
        });
        Ended {
            stdout: bytes(&mut self.stdout),
            stderr: text(&mut self.stderr),
            code: status.code(),
            peak_kib: self.peak_kib,
        }
    }

    /// Asks it to end, as a cluster does, and waits for that.
    pub(crate) fn stop(self) -> Ended {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until something holds while it runs; it must not end before that.
    pub(crate) fn until(&mut self, what: &str, mut holds: impl FnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds() {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "ended before {what}: {}", text(&mut self.stderr));
            assert!(Instant::now() < deadline, "never {what}: {}", text(&mut self.stderr));
            thread::sleep(POLL);
        }
    }

    /// Waits until it has printed something.
    pub(crate) fn until_printed(&mut self) {
        let stdout = self.stdout.try_clone().unwrap();
        self.until("it prints", || stdout.metadata().unwrap().len() > 0);
    }

    /// Waits until it has printed so many lines.
    pub(crate) fn until_lines(&mut self, count: usize) {
        let stdout = self.stdout.try_clone().unwrap();
        self.until("it prints the lines", || {
            let length = usize::try_from(stdout.metadata().unwrap().len()).unwrap();
            let mut text = vec![0; length];
            // Where it goes on writing is not to be moved.
            stdout.read_exact_at(&mut text, 0).unwrap();
            memchr::memchr_iter(b'\n', &text).count() >= count
        });
    }

    fn wait_until(&mut self, deadline: Instant) -> Option<ExitStatus> {
        while Instant::now() < deadline {
            self.peak_kib = self.peak_kib.max(peak_kib(self.child.id()).unwrap_or(0));
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status);
            }
            thread::sleep(POLL);
        }
        None
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, unless the test has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// Fails unless it ended with 0.
    pub(crate) fn success(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self
    }

    /// The lines that it printed, each with its end.
    pub(crate) fn lines(&self) -> Vec<&[u8]> {
        super::lines::lines(&self.stdout)
    }

    /// The JSON object in the last line that it printed.
    pub(crate) fn report(&self) -> Value {
        let lines = self.lines();
        let last = lines.last().unwrap_or_else(|| panic!("nothing printed: {}", self.stderr));
        serde_json::from_slice(last).unwrap()
    }
}

/// Runs a program to its end, which has to be a success.
pub(crate) fn run(mut command: Command) -> Ended {
    command.stdin(Stdio::null());
    Running::start(command).wait().success()
}

fn bytes(file: &mut File) -> Vec<u8> {
    let mut bytes = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut bytes).unwrap();
    bytes
}

fn text(file: &mut File) -> String {
    String::from_utf8_lossy(&bytes(file)).into_owned()
}

fn peak_kib(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// Where something answers HTTP, until the tests end.
pub(crate) fn not_kafka() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
            // Closing first could make a reset of it, which says less.
            thread::spawn(move || std::io::copy(&mut stream, &mut std::io::sink()));
        }
    });
    address
}
