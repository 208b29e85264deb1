//! The `batchpipe-testbed` command: its one line, its end, and what is left when it is killed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

const KAFKA: [&str; 3] = ["kafka", "--port", "0"];
const CLUSTER: [&str; 1] = ["cluster"];

/// The command running, its servers ready.
struct Running {
    command: Child,
    output: BufReader<ChildStdout>,
    line: serde_json::Value,
    servers: Vec<u32>,
}

impl Running {
    fn start(args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_batchpipe-testbed"))
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(command.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let servers = servers_of(command.id());
        Self { command, output, line: serde_json::from_str(&line).unwrap(), servers }
    }

    fn said(&self, key: &str) -> String {
        self.line[key].as_str().unwrap().to_owned()
    }

    /// The folder of the file that the command line of a server names.
    fn folder_of(&self, file: &str) -> PathBuf {
        let lines: Vec<String> = self.servers.iter().map(|id| command_line(*id)).collect();
        let path = lines.iter().flat_map(|line| line.split('\0')).find(|word| word.ends_with(file));
        Path::new(path.unwrap()).parent().unwrap().to_owned()
    }

    /// Ends it with SIGTERM and returns what it printed since the line.
    fn stop(&mut self) -> String {
        kill_process(Pid::from_child(&self.command), Signal::TERM).unwrap();
        assert_eq!(self.command.wait().unwrap().code(), Some(0));
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        rest
    }

    fn kill(&mut self) {
        self.command.kill().unwrap();
        self.command.wait().unwrap();
    }

    fn is_gone(&self) -> bool {
        self.servers.iter().all(|server| command_line(*server).is_empty())
    }
}

/// The command's children that are not the watchdog.
fn servers_of(parent: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap();
    let ids = children.split_whitespace().map(|id| id.parse().unwrap());
    ids.filter(|id| !command_line(*id).starts_with("sh\0")).collect()
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
    let mut running = Running::start(&KAFKA);
    let folder = running.folder_of("server.properties");
    assert_eq!(running.servers.len(), 1);
    assert!(TcpStream::connect(running.said("bootstrapServers")).is_ok());
    assert_eq!(running.stop(), "");
    assert!(running.is_gone() && !folder.exists());
}

#[test]
fn a_killed_command_leaves_neither_java_nor_a_folder() {
    let mut running = Running::start(&KAFKA);
    let folder = running.folder_of("server.properties");
    running.kill();
    assert!(soon(|| running.is_gone()));
    assert!(soon(|| !folder.exists()));
}

#[test]
fn a_cluster_prints_its_kubeconfig_and_leaves_nothing_at_sigterm() {
    let mut running = Running::start(&CLUSTER);
    let kubeconfig = PathBuf::from(running.said("kubeconfig"));
    assert_eq!(running.servers.len(), 3);
    assert!(fs::read_to_string(&kubeconfig).unwrap().contains("https://127.0.0.1:"));
    assert_eq!(running.stop(), "");
    assert!(running.is_gone() && !kubeconfig.parent().unwrap().exists());
}

#[test]
fn a_killed_command_leaves_nothing_of_its_cluster() {
    let mut running = Running::start(&CLUSTER);
    let kubeconfig = PathBuf::from(running.said("kubeconfig"));
    running.kill();
    assert!(soon(|| running.is_gone()));
    assert!(soon(|| !kubeconfig.parent().unwrap().exists()));
}
