//! The `batchpipe-testbed` command: its one line, its end, and what is left when it is killed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use batchpipe_testbed::{Program, node_hindrance};
use rustix::process::{Pid, Signal, kill_process};

const KAFKA: [&str; 3] = ["kafka", "--port", "0"];
const CLUSTER: [&str; 1] = ["cluster"];
const NODE: [&str; 2] = ["cluster", "--node"];
const STAGE: [&str; 1] = ["stage"];

/// The command running, its servers ready.
struct Running {
    command: Child,
    output: BufReader<ChildStdout>,
    line: serde_json::Value,
    servers: Vec<u32>,
}

impl Running {
    fn start(args: &[&str]) -> Self {
        Self::start_in(&std::env::temp_dir(), args)
    }

    /// Starts it with another folder for what it keeps only while it runs.
    fn start_in(temporary: &Path, args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_batchpipe-testbed"))
            .args(args)
            .env("TMPDIR", temporary)
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
        self.stop_by(Signal::TERM)
    }

    fn stop_by(&mut self, signal: Signal) -> String {
        kill_process(Pid::from_child(&self.command), signal).unwrap();
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
fn it_listens_at_the_port_that_it_is_given_and_leaves_nothing_at_sigint() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let mut running = Running::start(&["kafka", "--port", &free]);
    let folder = running.folder_of("server.properties");
    let address = running.said("bootstrapServers");
    assert_eq!(address, format!("127.0.0.1:{free}"));
    assert!(TcpStream::connect(address).is_ok());
    assert_eq!(running.stop_by(Signal::INT), "");
    assert!(running.is_gone() && !folder.exists());
}

#[test]
fn secured_listeners_are_printed_when_asked_for() {
    let mut running =
        Running::start(&[KAFKA.as_slice(), &["--secured", "--user", "me=secret"]].concat());
    for listener in ["bootstrapServers", "tls", "saslTls", "sasl"] {
        assert!(TcpStream::connect(running.said(listener)).is_ok(), "{listener}");
    }
    assert!(Path::new(&running.said("authority")).exists());
    running.stop();
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
fn a_command_whose_broker_is_killed_fails() {
    let mut running = Running::start(&KAFKA);
    let broker = Pid::from_raw(running.servers[0].cast_signed()).unwrap();
    kill_process(broker, Signal::KILL).unwrap();
    assert_eq!(running.command.wait().unwrap().code(), Some(1));
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

/// A cluster whose node runs a pod.
struct WithNode {
    running: Running,
    /// Where it keeps what it writes.
    temporary: tempfile::TempDir,
    /// The number of its network interface: another node's, that starts when this one has ended, has another.
    cable: String,
}

const CABLE: &str = "/sys/class/net/batchpipe0/ifindex";

/// None where no node can run, which is said.
fn node_with_a_pod() -> Option<WithNode> {
    with_a_pod(&NODE)
}

/// The same by a command that starts more than a node.
fn with_a_pod(args: &[&str]) -> Option<WithNode> {
    if let Some(reason) = node_hindrance() {
        eprintln!("left out: {reason}");
        return None;
    }
    let temporary = tempfile::tempdir().unwrap();
    let running = Running::start_in(temporary.path(), args);
    kubectl(&running, &["create", "deployment", "idle", "--image=batchpipe.local/pause:1"]);
    kubectl(&running, &["rollout", "status", "deployment/idle", "--timeout=120s"]);
    assert!(!processes_of_pods(running.command.id()).is_empty());
    let cable = fs::read_to_string(CABLE).unwrap();
    Some(WithNode { running, temporary, cable })
}

fn kubectl(running: &Running, args: &[&str]) {
    let mut command = Command::new(Program::Kubectl.get().unwrap());
    let status = command.env("KUBECONFIG", running.said("kubeconfig")).args(args).status();
    assert!(status.unwrap().success());
}

/// The processes in the control group of a node's pods; the group has the id of the command in its name.
fn processes_of_pods(command: u32) -> Vec<PathBuf> {
    let group = format!("batchpipe-node-{command}/");
    let groups = |process: &PathBuf| fs::read_to_string(process.join("cgroup")).unwrap_or_default();
    let processes = entries(Path::new("/proc")).into_iter();
    processes.filter(|process| groups(process).contains(&group)).collect()
}

impl WithNode {
    /// What of the host's processes, networks, control groups, mounts and files shows that there was this node.
    fn left(&self) -> Vec<PathBuf> {
        let command = self.running.command.id();
        let group = format!("batchpipe-node-{command}");
        let root = Path::new("/sys/fs/cgroup");
        let hierarchies = entries(root).into_iter().chain([root.to_owned()]);
        let mut left: Vec<PathBuf> = hierarchies.map(|folder| folder.join(&group)).collect();
        left.retain(|group| group.exists());
        let here = self.temporary.path().to_str().unwrap();
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        left.extend(mounts.lines().filter(|mount| mount.contains(here)).map(PathBuf::from));
        // The locks of ports stay.
        let files = entries(self.temporary.path()).into_iter();
        left.extend(files.filter(|path| !path.to_str().unwrap().contains("batchpipe-ports-")));
        left.extend(processes_of_pods(command));
        let cable = fs::read_to_string(CABLE).is_ok_and(|cable| cable == self.cable);
        left.extend(cable.then(|| PathBuf::from(CABLE)));
        left
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// What `make up` starts, and `make down` ends.
#[test]
fn a_stage_leaves_nothing_of_its_node_and_of_its_broker_at_sigterm() {
    let Some(mut stage) = with_a_pod(&STAGE) else { return };
    let broker = stage.running.said("bootstrapServers");
    assert!(TcpStream::connect(&broker).is_ok());
    assert_eq!(stage.running.stop(), "");
    assert!(stage.running.is_gone() && TcpStream::connect(&broker).is_err());
    assert_eq!(stage.left(), Vec::<PathBuf>::new());
}

#[test]
fn a_killed_command_leaves_nothing_of_its_node_and_pods() {
    let Some(mut node) = node_with_a_pod() else { return };
    assert!(!node.left().is_empty());
    node.running.kill();
    assert!(soon(|| node.running.is_gone()));
    assert!(soon(|| node.left().is_empty()), "{:?}", node.left());
}

#[test]
fn a_command_that_waits_for_the_node_of_another_can_be_stopped() {
    let Some(mut first) = node_with_a_pod() else { return };
    let mut second = Command::new(env!("CARGO_BIN_EXE_batchpipe-testbed"))
        .args(NODE)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(second.stderr.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().contains("another node runs on this machine")));
    kill_process(Pid::from_child(&second), Signal::INT).unwrap();
    assert_eq!(second.wait().unwrap().code(), Some(130));
    first.running.stop();
}
