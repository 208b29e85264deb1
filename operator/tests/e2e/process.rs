//! The program itself: its signals, its exit codes, its admin server, and what it prints.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::support::{IMAGE, Namespace, cluster, kubeconfig, wait_for, within};

const PROGRAM: &str = env!("CARGO_BIN_EXE_batchpipe-operator");

/// An operator process; it is killed when a test fails.
struct Process(Child);

impl Process {
    fn start(namespace: Namespace<'_>, identity: &str) -> Self {
        Self::at("127.0.0.1:0", namespace, identity)
    }

    fn at(admin: &str, namespace: Namespace<'_>, identity: &str) -> Self {
        let child = Command::new(PROGRAM)
            .args(["run", "--workload-image", IMAGE, "--admin", admin])
            .args(["--watch-namespaces", namespace.name, "--operator-namespace", namespace.name])
            .args([
                "--lease-duration",
                "3s",
                "--lease-renew-deadline",
                "2s",
                "--lease-retry-period",
                "500ms",
            ])
            .args(["--identity", identity])
            .env("KUBECONFIG", kubeconfig(namespace))
            .stderr(Stdio::inherit())
            .spawn();
        Self(child.unwrap())
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.0.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    fn end(mut self) -> Option<i32> {
        within(Duration::from_secs(30), "the process to end", || self.0.try_wait().unwrap()).code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn holder(namespace: Namespace<'_>) -> String {
    let lease = namespace.find("lease/batchpipe-operator");
    lease.and_then(|it| Some(it["spec"]["holderIdentity"].as_str()?.to_owned())).unwrap_or_default()
}

#[test]
fn sigterm_gives_the_lease_back_and_ends_with_0() {
    let namespace = Namespace::new(cluster(), "sigterm");
    let process = Process::start(namespace, "one");
    wait_for("the lease", || holder(namespace).starts_with("one_").then_some(()));
    process.signal("-TERM");
    assert_eq!(process.end(), Some(0));
    assert_eq!(holder(namespace), "");
}

#[test]
fn a_leader_that_was_suspended_writes_nothing_when_it_wakes() {
    let namespace = Namespace::new(cluster(), "suspended");
    let first = Process::start(namespace, "first");
    wait_for("the first to lead", || holder(namespace).starts_with("first_").then_some(()));
    namespace.pipeline("demo", "");
    namespace.await_children("demo");
    first.signal("-STOP");
    let second = Process::start(namespace, "second");
    within(Duration::from_secs(8), "the second to lead", || {
        holder(namespace).starts_with("second_").then_some(())
    });
    // Only the one that was suspended still looks after pipelines when the other has gone.
    second.signal("-STOP");
    namespace.kubectl(&["delete", "deployment/demo-producer"]);
    first.signal("-CONT");
    wait_for("the first to lead again", || holder(namespace).starts_with("first_").then_some(()));
    let restored = wait_for("the child", || namespace.find("deployment/demo-producer"));
    let lease = namespace.get("lease/batchpipe-operator");
    let (made, acquired) =
        (&restored["metadata"]["creationTimestamp"], &lease["spec"]["acquireTime"]);
    assert!(made.as_str().unwrap() >= &acquired.as_str().unwrap()[..19], "{made} {acquired}");
}

#[test]
fn a_leader_that_is_killed_is_replaced_within_the_lease_and_five_seconds() {
    let namespace = Namespace::new(cluster(), "killed");
    let first = Process::start(namespace, "first");
    wait_for("the first to lead", || holder(namespace).starts_with("first_").then_some(()));
    namespace.pipeline("demo", "");
    namespace.await_children("demo");
    let _second = Process::start(namespace, "second");
    // As long as it takes to have seen who leads.
    std::thread::sleep(Duration::from_secs(2));
    assert!(holder(namespace).starts_with("first_"));
    first.signal("-KILL");
    let killed = Instant::now();
    namespace.kubectl(&["delete", "deployment/demo-producer"]);
    within(Duration::from_secs(8), "the second to lead", || {
        holder(namespace).starts_with("second_").then_some(())
    });
    println!("the second leads {:?} after the first was killed", killed.elapsed());
    wait_for("the child", || namespace.find("deployment/demo-producer"));
}

#[test]
fn crd_prints_what_the_chart_carries() {
    let output = Command::new(PROGRAM).arg("crd").output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), batchpipe_api::schema::crd_yaml());
}

#[test]
fn wrong_usage_ends_with_2_and_says_why() {
    for flags in
        [vec!["run"], vec!["run", "--workload-image", "w", "--lease-duration", "1s"], vec!["fly"]]
    {
        let output = Command::new(PROGRAM).args(&flags).env_clear().output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{flags:?}");
        assert!(!output.stderr.is_empty());
    }
}

/// The answer of an admin server, head and body; absent while nobody listens.
fn ask(address: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

#[test]
fn the_admin_server_says_that_it_is_alive_and_ready_and_what_was_done() {
    let namespace = Namespace::new(cluster(), "admin");
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let process = Process::at(&address, namespace, "one");
    wait_for("readiness", || ask(&address, "/readyz").filter(|it| it.starts_with("HTTP/1.1 200")));
    assert!(ask(&address, "/livez").unwrap().ends_with("ok\n"));
    namespace.pipeline("demo", "");
    namespace.await_children("demo");
    let metrics = wait_for("a reconciliation", || {
        ask(&address, "/metrics")
            .filter(|it| it.contains("reconciliations_total{outcome=\"changed\"}"))
    });
    for line in [
        "batchpipe_operator_leader 1",
        "api_requests_total{verb=\"watch\",code=\"200\"}",
        "batchpipe_build_info{version=",
    ] {
        assert!(metrics.contains(line), "{line} is missing from\n{metrics}");
    }
    process.signal("-TERM");
    assert_eq!(process.end(), Some(0));
}
