//! A run that is killed or stopped in the middle is gone on with: nothing is lost.

use rustix::process::Signal;

use super::support::{Stage, consume, report, tally};
use crate::kit::{command::Running, topic};

const TOTAL: usize = 40_000;
/// Sent by a first run, so that it shows whether the others begin there.
const FIRST: usize = 10_000;
/// In the middle of what is left.
const MIDDLE: i64 = 15_000;

/// A run, once it is in the middle.
fn start(stage: &Stage, pipeline: &str) -> Running {
    let mut running = Running::start(stage.command(&["-f", pipeline]));
    running.until("in the middle", || topic::messages(&stage.topic) > MIDDLE);
    running
}

#[test]
fn a_run_that_is_killed_loses_nothing() {
    let stage = Stage::new("redrive-killed", 3);
    for partition in 0..4 {
        let numbers = TOTAL / 4 * partition..TOTAL / 4 * (partition + 1);
        stage.put(&stage.records(i32::try_from(partition % 3).unwrap(), numbers));
    }
    let pipeline = stage.pipeline_of_single_records();
    let pipeline = pipeline.to_str().unwrap();
    let (total, first) = (TOTAL as u64, FIRST as u64);
    let limited = stage.redrive(&["-f", pipeline, "--limit", &FIRST.to_string()]);
    assert_eq!(limited, report(first, first, &[]));
    drop(start(&stage, pipeline)); // kills it
    let sent = usize::try_from(topic::messages(&stage.topic)).unwrap();
    assert!((FIRST..TOTAL).contains(&sent), "it was killed too late: {sent}");
    let rest = stage.redrive(&["-f", pipeline]);
    assert_eq!(rest["read"], rest["redriven"]);
    assert!(rest["read"].as_u64().unwrap() <= total - first, "it begins anew: {rest}");
    assert_eq!(stage.redrive(&["-f", pipeline]), report(0, 0, &[]));
    let counts = tally(&consume(&stage.pipeline()), TOTAL);
    let (lost, twice) = (counts.iter().filter(|count| **count == 0).count(), doubled(&counts));
    println!("killed: {TOTAL} letters, {sent} sent before, {lost} lost, {twice} twice");
    assert_eq!(lost, 0);
    assert!(twice <= sent - FIRST, "{twice}");
    assert_eq!(stage.audit()["missing"], 0);
}

#[test]
fn a_run_that_is_stopped_ends_in_order_and_repeats_nothing() {
    let stage = Stage::new("redrive-stopped", 1);
    stage.put(&stage.records(0, 0..TOTAL));
    let pipeline = stage.pipeline_of_single_records();
    let pipeline = pipeline.to_str().unwrap();
    let stopped = start(&stage, pipeline).stop();
    assert_eq!(stopped.code, Some(1));
    assert!(stopped.stderr.contains("run it again to go on"), "{}", stopped.stderr);
    let before = stopped.report();
    assert_eq!(before["read"], before["redriven"], "what was on its way was awaited");
    let sent = before["read"].as_u64().unwrap();
    assert_eq!(topic::messages(&stage.topic), i64::try_from(sent).unwrap());
    let left = TOTAL as u64 - sent;
    assert!(left > 0, "it was stopped too late");
    assert_eq!(stage.redrive(&["-f", pipeline]), report(left, left, &[]));
    let counts = tally(&consume(&stage.pipeline()), TOTAL);
    assert!(counts.iter().all(|count| *count == 1));
    let audit = stage.audit();
    assert_eq!((&audit["missing"], &audit["duplicated"]), (&0.into(), &0.into()));
}

#[test]
fn of_two_runs_at_a_time_one_notices_and_ends() {
    let stage = Stage::new("redrive-twice", 1);
    stage.put(&stage.records(0, 0..TOTAL));
    let pipeline = stage.pipeline_of_single_records();
    let pipeline = pipeline.to_str().unwrap();
    let first = start(&stage, pipeline);
    first.signal(Signal::STOP);
    let second = stage.redrive(&["-f", pipeline]);
    assert_eq!(second["read"], second["redriven"]);
    first.signal(Signal::CONT);
    let first = first.wait();
    assert_eq!(first.code, Some(1));
    assert!(first.stderr.contains("another process has moved group"), "{}", first.stderr);
    assert_eq!(stage.redrive(&["-f", pipeline]), report(0, 0, &[]));
    let counts = tally(&consume(&stage.pipeline()), TOTAL);
    assert!(counts.iter().all(|count| *count > 0));
    assert_eq!(stage.audit()["missing"], 0);
}

fn doubled(counts: &[u32]) -> usize {
    counts.iter().map(|count| count.saturating_sub(1) as usize).sum()
}
