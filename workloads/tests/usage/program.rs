//! The real binary, started with exactly the variables that a test gives, and never left behind.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    sync::{Arc, Condvar, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// Longer than anything here takes, also beside a build.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// What the environment may say to the binary.
const VARIABLES: [&str; 12] = [
    "BATCHPIPE_PIPELINE",
    "BATCHPIPE_ADMIN",
    "BATCHPIPE_GRACE_PERIOD",
    "BATCHPIPE_LISTEN",
    "BATCHPIPE_SECRETS",
    "BATCHPIPE_STAY",
    "BATCHPIPE_LOG",
    "RUST_LOG",
    "KAFKA_BROKER",
    "KAFKA_TOPIC",
    "COMPRESSION_CODEC",
    "KUBECTL",
];

/// A process that runs.
pub(crate) struct Program {
    pub(crate) child: Child,
    stdout: Option<JoinHandle<String>>,
    stderr: Arc<Words>,
    reader: Option<JoinHandle<()>>,
}

/// What a process said before it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

#[derive(Default)]
struct Words {
    text: Mutex<String>,
    more: Condvar,
}

/// The command with these arguments; nothing of the test's own environment reaches it.
pub(crate) fn batchpipe(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_batchpipe"));
    command.args(args);
    for name in VARIABLES {
        command.env_remove(name);
    }
    command
}

/// Runs the command until it ends by itself.
pub(crate) fn run(command: &mut Command) -> Ended {
    Program::start(command.stdin(Stdio::null())).end()
}

impl Program {
    pub(crate) fn start(command: &mut Command) -> Self {
        let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        let mut out = child.stdout.take().unwrap();
        let stdout = std::thread::spawn(move || {
            let mut text = Vec::new();
            out.read_to_end(&mut text).unwrap();
            String::from_utf8_lossy(&text).into_owned()
        });
        let err = BufReader::new(child.stderr.take().unwrap());
        let stderr = Arc::new(Words::default());
        let words = Arc::clone(&stderr);
        let reader = std::thread::spawn(move || {
            for line in err.lines() {
                let mut text = words.text.lock().unwrap();
                text.push_str(&line.unwrap());
                text.push('\n');
                words.more.notify_all();
            }
        });
        Self { child, stdout: Some(stdout), stderr, reader: Some(reader) }
    }

    /// Waits for a line on standard error that contains these words.
    pub(crate) fn says(&self, words: &str, within: Duration) -> String {
        let text = self.stderr.text.lock().unwrap();
        let line = |text: &str| text.lines().find(|it| it.contains(words)).map(str::to_owned);
        let waiting = |text: &mut String| line(text).is_none();
        let (text, _) = self.stderr.more.wait_timeout_while(text, within, waiting).unwrap();
        line(&text).unwrap_or_else(|| panic!("{words:?} is not said within {within:?}:\n{text}"))
    }

    /// The admin server's answer.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let line = self.says("admin server listens", PATIENCE);
        let event: serde_json::Value = serde_json::from_str(&line).unwrap();
        let address: SocketAddr = event["address"].as_str().unwrap().parse().unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), body.to_owned())
    }

    /// Waits until it ends by itself.
    pub(crate) fn end(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        // The pipe's end is the process's end; it is reaped right after that.
        while !self.reader.as_ref().unwrap().is_finished() && Instant::now() < deadline {
            let text = self.stderr.text.lock().unwrap();
            drop(self.stderr.more.wait_timeout(text, Duration::from_millis(5)).unwrap());
        }
        let in_time = Instant::now() < deadline;
        if !in_time {
            self.child.kill().unwrap();
        }
        let code = self.child.wait().unwrap().code();
        self.reader.take().unwrap().join().unwrap();
        let stderr = self.stderr.text.lock().unwrap().clone();
        assert!(in_time, "it does not end:\n{stderr}");
        Ended { code, stdout: self.stdout.take().unwrap().join().unwrap(), stderr }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
