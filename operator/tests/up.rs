//! `scripts/up` and `scripts/down`, as people run them on a bare machine: a cluster, a broker, the operator and a
//! pipeline with records, and then nothing of it any more.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    os::unix::{fs::symlink, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
};

use batchpipe_testbed::node_hindrance;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The machine has one, so one test at a time.
static TURN: Mutex<()> = Mutex::new(());

/// Runs `scripts/down` when the test ends, however it does.
struct Up(#[expect(dead_code, reason = "held while the test runs")] MutexGuard<'static, ()>);

impl Up {
    fn take_turn() -> Self {
        Self(TURN.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Up {
    /// Takes down what is up, as whoever has seen enough does.
    #[track_caller]
    fn down(self) {
        let output = script("down").output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        drop(self);
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // Of a test that has failed; of another one there is nothing any more.
        let _ = script("down").status();
    }
}

fn script(name: &str) -> Command {
    let mut command = Command::new(format!("{ROOT}/scripts/{name}"));
    // What is tested is the way there, and optimised programs take ten minutes.
    command.env("BATCHPIPE_PROFILE", "dev").current_dir(ROOT);
    command
}

/// Where `scripts/up` notes what it started.
fn state() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    Path::new(ROOT).join(target).join("up")
}

/// Runs a line in the shell that `scripts/up` tells people to have.
fn shell(line: &str) -> String {
    let line = format!(". {}/env && {line}", state().display());
    printed(&Command::new("sh").args(["-c", &line]).current_dir(ROOT).output().unwrap())
}

#[track_caller]
fn printed(output: &Output) -> String {
    let [printed, said] =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    assert!(output.status.success(), "{printed}{said}");
    printed
}

/// What `scripts/install-needs` itself runs.
const SHELL: [&str; 6] = ["bash", "env", "grep", "head", "id", "sed"];
/// What building needs, and a broker.
const NEEDS: [&str; 11] =
    ["make", "gcc", "g++", "perl", "git", "pkg-config", "flock", "java", "mvn", "cargo", "go"];
/// What a node needs.
const OF_NODE: [&str; 5] = ["runc", "ip", "iptables", "unshare", "setpriv"];

/// A folder with links to these programs and no others, to be the whole path.
fn only(names: &[&str]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("needs-of-a-cluster");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let path = env::var_os("PATH").unwrap();
    let places = || env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    for name in names {
        let file = places().map(|place| place.join(name)).find(|file| file.is_file());
        symlink(file.unwrap_or_else(|| panic!("{name} is missing")), folder.join(name)).unwrap();
    }
    folder
}

#[test]
fn neither_a_container_tool_nor_python_is_needed() {
    if let Some(reason) = node_hindrance() {
        eprintln!("left out: {reason}");
        return;
    }
    let path = only(&[&SHELL[..], &NEEDS, &OF_NODE].concat());
    let output = script("install-needs").arg("--cluster").env("PATH", path).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((printed(&output), words), (String::new(), String::new()));
}

/// The value of a column of the only row of a table.
fn cell<'a>(table: &'a str, title: &str) -> &'a str {
    let titles = table.lines().position(|line| line.starts_with("NAME ")).unwrap();
    let mut lines = table.lines().skip(titles);
    let (titles, row) = (lines.next().unwrap(), lines.next().unwrap());
    let at = titles.find(title).unwrap_or_else(|| panic!("no {title} in {titles}"));
    row[at..].split_whitespace().next().unwrap()
}

/// How many records the topic has; none is missing.
fn audited_records() -> u64 {
    let text = shell("batchpipe audit -b $KAFKA_BROKER -t telemetry --json");
    let audit: batchpipe_api::report::AuditReport = serde_json::from_str(&text).unwrap();
    assert_eq!((audit.missing, audit.corrupt), (0, 0), "{text}");
    audit.records
}

#[test]
fn a_bare_machine_runs_a_pipeline_and_is_bare_again() {
    if let Some(reason) = node_hindrance() {
        eprintln!("left out: {reason}");
        return;
    }
    let up = Up::take_turn();
    assert!(!state().join("pid").exists(), "it is up already; scripts/down removes it");
    let table = printed(&script("up").output().unwrap());
    println!("{table}");
    assert_eq!((cell(&table, "READY"), cell(&table, "PHASE")), ("True", "Running"));
    assert!(
        cell(&table, "RATE").parse::<u64>().unwrap() > 0 && cell(&table, "RATIO").ends_with('x')
    );
    let before = audited_records();

    shell("kubectl scale bp telemetry --replicas 3");
    shell(
        "kubectl wait --for=jsonpath='{.status.consumer.readyReplicas}'=3 --timeout=2m bp/telemetry",
    );
    shell("kubectl wait --for=condition=Ready --timeout=2m bp/telemetry");
    // Known once every partition was measured, and again after the change of hands.
    shell("kubectl wait --for=jsonpath='{.status.data.lagRecords}' --timeout=1m bp/telemetry");
    let after = audited_records();
    assert!(after > before, "{before} records at first, {after} later");

    let kubeconfig = shell("printf %s $KUBECONFIG");
    // Its id and when it began.
    let noted = fs::read_to_string(state().join("pid")).unwrap();
    let process = Path::new("/proc").join(noted.split(' ').next().unwrap());
    assert!(process.exists(), "{noted}");
    up.down();
    assert!(!state().exists() && !Path::new(&kubeconfig).exists());
    assert!(!process.exists(), "{} is still there", process.display());
    assert!(!Path::new("/sys/class/net/batchpipe0").exists(), "the pods' network is still there");
}

#[test]
fn an_interrupted_start_leaves_nothing_and_nobody_can_cut_in() {
    if let Some(reason) = node_hindrance() {
        eprintln!("left out: {reason}");
        return;
    }
    let up = Up::take_turn();
    assert!(!state().join("pid").exists(), "it is up already; scripts/down removes it");
    // A group of its own, as a terminal's foreground job has it.
    let mut start = script("up");
    let mut start =
        start.process_group(0).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut said = BufReader::new(start.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(said.any(|line| line.contains("starting Kubernetes")));
    for name in ["up", "down"] {
        let other = script(name).output().unwrap();
        let words = String::from_utf8_lossy(&other.stderr).into_owned();
        assert!(!other.status.success() && words.contains("is at work"), "{name}: {words}");
    }
    // As for Ctrl-C, which whoever runs tests in the background has switched off for all that they start.
    let group = format!("-{}", start.id());
    assert!(Command::new("kill").args(["-TERM", "--", &group]).status().unwrap().success());
    let said: Vec<_> = said.collect();
    assert_eq!(start.wait().unwrap().code(), Some(130), "{said:?}");
    assert!(said.iter().any(|line| line.contains("interrupted")), "{said:?}");
    assert!(!state().exists());
    up.down();
}
