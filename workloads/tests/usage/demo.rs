//! The demo: a broker inside of the process, and a verdict that its exit code repeats.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use rustix::process::{Pid, Signal, kill_process};

use crate::program::{Ended, PATIENCE, Program, batchpipe, run};

/// Fails unless all of these records arrived once and the figures are those of a run.
fn assert_good(ended: &Ended, records: u64, at: &str) {
    assert_eq!(ended.code, Some(0), "{at}: {ended:#?}");
    let verdict: Value = serde_json::from_str(&ended.stdout).unwrap();
    let expected = [
        ("recordsProduced", records),
        ("recordsDelivered", records),
        ("lost", 0),
        ("duplicated", 0),
    ];
    for (field, expected) in expected {
        assert_eq!(verdict[field], expected, "{at}: {field} in {verdict}");
    }
    let (raw, wire) = (verdict["rawBytes"].as_u64().unwrap(), verdict["wireBytes"].as_u64());
    assert!(raw > records * 40 && wire.unwrap() > 0, "{at}: {verdict}");
    for figure in ["/ratio", "/recordsPerSecond", "/latencyMs/p50", "/latencyMs/p99"] {
        let value = verdict.pointer(figure).and_then(Value::as_f64);
        assert!(value.is_some_and(|value| value > 0.0), "{at}: {figure} in {verdict}");
    }
}

#[test]
fn whatever_is_made_arrives_once_and_the_verdict_says_so() {
    // The last one is many times what the embedded broker keeps.
    for (profile, codec, records) in
        [("telemetry", "zstd", 40_000), ("seed", "zlib", 40_000), ("logs", "none", 400_000)]
    {
        let (at, number) = (format!("{profile} {codec}"), records.to_string());
        let args = ["demo", "--records", &number, "--profile", profile, "--codec", codec, "--json"];
        assert_good(&run(&mut batchpipe(&args)), records, &at);
    }
}

#[test]
fn people_are_told_the_figures_and_the_verdict_in_words() {
    let ended = run(&mut batchpipe(&["demo", "--records", "2000"]));
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let row = |name: &str| {
        let line = ended.stdout.lines().find(|line| line.starts_with(name));
        line.unwrap_or_else(|| panic!("no {name:?} in {ended:#?}"))[name.len()..].trim().to_owned()
    };
    let counts = ["records in", "records out", "lost", "duplicated"].map(row);
    assert_eq!(counts, ["2000", "2000", "0", "0"]);
    assert!(row("wire bytes").contains("x smaller"), "{ended:#?}");
    assert_eq!(row("verdict"), "every record arrived exactly once, byte for byte");
}

/// Waits until the process, which says nothing of its first records, has worked for as long as thousands of them take.
fn await_work(process: u32) {
    let ticks = || -> u64 {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
        let times = stat.rsplit(')').next().unwrap().split_whitespace().skip(11).take(2);
        times.map(|ticks| ticks.parse::<u64>().unwrap()).sum()
    };
    let (before, deadline) = (ticks(), Instant::now() + PATIENCE);
    while ticks() < before + 30 {
        assert!(Instant::now() < deadline, "it does no work");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_demo_that_is_stopped_before_its_end_is_no_success() {
    // Without a number its end is the end of its time.
    for args in [&["demo", "--records", "900000000"][..], &["demo"]] {
        let demo = Program::start(batchpipe(args).env("BATCHPIPE_LOG", "info"));
        demo.says("partitions are assigned", PATIENCE);
        await_work(demo.child.id());
        kill_process(Pid::from_child(&demo.child), Signal::INT).unwrap();
        let ended = demo.end();
        assert_eq!(ended.code, Some(1), "{args:?}: {ended:#?}");
        assert!(ended.stdout.contains("stopped early"), "{args:?}: {ended:#?}");
    }
}
