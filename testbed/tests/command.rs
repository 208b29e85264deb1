//! The `batchpipe-testbed` command: its one line, its end, and what is left when it is killed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::TcpStream,
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

/// The command running, its broker ready.
struct Running {
    command: Child,
    output: BufReader<ChildStdout>,
    line: serde_json::Value,
    broker: u32,
}

impl Running {
    fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_batchpipe-testbed"))
            .args(["kafka", "--port", "0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(command.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let broker = broker_of(command.id());
        Self { command, output, line: serde_json::from_str(&line).unwrap(), broker }
    }

    fn servers(&self) -> String {
        self.line["bootstrapServers"].as_str().unwrap().to_owned()
    }

    fn folder(&self) -> std::path::PathBuf {
        let words = fs::read_to_string(format!("/proc/{}/cmdline", self.broker)).unwrap();
        let settings = words.split('\0').find(|word| word.ends_with("server.properties"));
        settings.map(|path| path.trim_end_matches("/server.properties").into()).unwrap()
    }
}

/// The java process among the command's children.
fn broker_of(parent: u32) -> u32 {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap();
    let mut ids = children.split_whitespace().map(|id| id.parse().unwrap());
    ids.find(|id| command_line(*id).contains("kafka.Kafka")).unwrap()
}

fn command_line(process: u32) -> String {
    fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap_or_default()
}

/// Waits up to 10 s.
fn soon(mut is_so: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        if is_so() {
            return true;
        }
        thread::sleep(Duration::from_millis(20));
    }
    false
}

#[test]
fn it_prints_one_line_and_leaves_nothing_at_sigterm() {
    let mut running = Running::start();
    let (servers, folder) = (running.servers(), running.folder());
    assert!(TcpStream::connect(&servers).is_ok());
    kill_process(Pid::from_child(&running.command), Signal::TERM).unwrap();
    assert_eq!(running.command.wait().unwrap().code(), Some(0));
    let mut rest = String::new();
    running.output.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
    assert_eq!(command_line(running.broker), "");
    assert!(!folder.exists());
}

#[test]
fn a_killed_command_leaves_neither_java_nor_a_folder() {
    let mut running = Running::start();
    let folder = running.folder();
    running.command.kill().unwrap();
    running.command.wait().unwrap();
    assert!(soon(|| command_line(running.broker).is_empty()));
    assert!(soon(|| !folder.exists()));
}
