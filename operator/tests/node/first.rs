//! The first minutes: the example is applied, records arrive, and `kubectl get bp` tells how many.

use std::{
    fs,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use batchpipe_api::report::Report;
use serde_json::{Value, json};

use crate::support::{Manifest, Pipeline, Pod, Side, bed, number, wait_for};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/telemetry.yaml");

#[test]
fn the_example_delivers_its_first_record_and_shows_its_numbers() {
    let Some(bed) = bed() else { return };
    let text = fs::read_to_string(Path::new(EXAMPLE)).unwrap();
    bed.apply(&text).unwrap();
    let applied = Instant::now();
    while !bed.printed.is_begun("telemetry") {
        assert!(applied.elapsed() < Duration::from_mins(2), "no record arrives");
        sleep(Duration::from_millis(50));
    }
    println!(
        "from apply to the first record at the sink: {:.1} s",
        applied.elapsed().as_secs_f64()
    );
    let pipeline = Pipeline { bed, name: "telemetry".to_owned() };
    pipeline.await_ready();
    println!("from apply to Ready: {:.1} s", applied.elapsed().as_secs_f64());
    wait_for("the numbers", || {
        let data = pipeline.get()["status"]["data"].clone();
        let has = |name| !data[name].is_null();
        ["recordsPerSecond", "ratio", "lagRecords", "deadLetters"]
            .into_iter()
            .all(has)
            .then_some(())
    });
    println!("from apply to all numbers: {:.1} s", applied.elapsed().as_secs_f64());
    let table = bed.kubectl(&["get", "bp", "telemetry", "--output=wide"]);
    println!("{table}");
    let mut lines = table.lines();
    let (titles, row) = (lines.next().unwrap(), lines.next().unwrap());
    for title in ["RATE", "RATIO", "LAG", "DLQ", "TOPIC", "CODEC", "MESSAGE"] {
        let at = titles.find(title).unwrap_or_else(|| panic!("no {title} in {titles}"));
        assert_ne!(row.as_bytes()[at], b' ', "{title} is empty: {table}");
    }
    pipeline.finish();
}

#[test]
fn the_numbers_are_those_of_all_pods_together() {
    let manifest =
        Manifest::new("several").with("/producer/replicas", 2).with("/consumer/replicas", 2);
    let Some(pipeline) = Pipeline::flowing(&manifest) else { return };
    // The rates of pods are means over 30 s, and the status is written every 15 s.
    wait_for("status and reports to agree", || agree(&pipeline).then_some(()));
    pipeline.finish();
}

fn agree(pipeline: &Pipeline) -> bool {
    let (producers, consumers) =
        (reports(pipeline, Side::Producer), reports(pipeline, Side::Consumer));
    let data = pipeline.get()["status"]["data"].clone();
    let rate: f64 = consumers.iter().map(|report| report.rates.records_per_second).sum();
    let (raw, wire) = producers.iter().fold((0, 0), |(raw, wire), report| {
        (raw + report.accounting.raw_bytes, wire + report.accounting.wire_bytes)
    });
    let said = data["recordsPerSecond"].as_f64().unwrap_or(-1.0);
    let is_same_rate = (said - rate).abs() <= 0.1 * rate && rate > 300.0;
    is_same_rate
        && (ratio(&data) - ratio_of(raw, wire)).abs() <= 0.2
        && data["lagMessages"].is_i64()
        && data["deadLetters"] == json!(0)
        && number(&data["lagRecords"]) < 1000
        && partitions(&consumers) == [0, 1, 2, 3]
}

fn reports(pipeline: &Pipeline, side: Side) -> Vec<Report> {
    pipeline.pods(side).iter().filter_map(Pod::report).collect()
}

/// The partitions that consumers have, each once.
fn partitions(consumers: &[Report]) -> Vec<i32> {
    let mut all: Vec<i32> =
        consumers.iter().flat_map(|report| report.lag.iter().map(|lag| lag.partition)).collect();
    all.sort_unstable();
    all
}

fn ratio(data: &Value) -> f64 {
    let text = data["ratio"].as_str().unwrap_or("-1x");
    text.trim_end_matches('x').parse().unwrap()
}

#[expect(clippy::cast_precision_loss, reason = "a ratio")]
fn ratio_of(raw: u64, wire: u64) -> f64 {
    raw as f64 / wire as f64
}
