//! From a file, through a topic, into files.

use std::{fs, path::Path};

use serde_json::Value;
use tempfile::TempDir;

use crate::kit::{
    command::{batchpipe, run},
    lines::{assert_same_lines, assert_same_text, mixed},
    pipeline::{Pipeline, delivered},
};

/// A folder with the records in `in.ndjson`.
fn folder(records: &[u8]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("in.ndjson"), records).unwrap();
    folder
}

/// Sends the file of the folder and delivers everything into `out`; returns the two exit reports.
fn through(pipeline: Pipeline, folder: &Path) -> [Value; 2] {
    let pipeline = pipeline.of_file(&folder.join("in.ndjson")).into_folder(&folder.join("out"));
    let path = pipeline.write(folder);
    let path = path.to_str().unwrap();
    [
        &["produce", "--json", "-f", path][..],
        &["consume", "--json", "--until-caught-up", "-f", path],
    ]
    .map(|args| run(batchpipe(args)).report())
}

fn assert_accounts(report: &Value, records: u64) {
    assert_eq!([&report["accepted"], &report["delivered"]], [records, records], "{report}");
    assert_eq!([&report["deadLettered"], &report["inFlight"]], [0, 0], "{report}");
}

#[test]
fn a_million_records_come_back_byte_for_byte() {
    let records = mixed(1_000_000);
    let folder = folder(&records);
    for report in through(Pipeline::new("a-million"), folder.path()) {
        assert_accounts(&report, 1_000_000);
    }
    let parts = delivered(&folder.path().join("out"), "a-million", 6);
    assert!(parts.iter().all(|part| !part.is_empty()), "each partition gets its part");
    assert_same_lines(&parts.concat(), &records);
}

#[test]
fn one_partition_keeps_the_order_of_the_file() {
    let records = mixed(1_000_000);
    let folder = folder(&records);
    let mut pipeline = Pipeline::new("in-order");
    pipeline.partitions = 1;
    for report in through(pipeline, folder.path()) {
        assert_accounts(&report, 1_000_000);
    }
    assert_same_text(&delivered(&folder.path().join("out"), "in-order", 1)[0], &records);
}

#[test]
fn a_file_without_a_last_line_end_is_delivered_whole() {
    let folder = folder(b"{\"a\":1}\n\n{\"a\":2}\r\n \t\n{\"a\":3}");
    let mut pipeline = Pipeline::new("no-last-end");
    pipeline.partitions = 1;
    for report in through(pipeline, folder.path()) {
        assert_accounts(&report, 3);
    }
    let found = &delivered(&folder.path().join("out"), "no-last-end", 1)[0];
    assert_same_text(found, b"{\"a\":1}\n{\"a\":2}\r\n{\"a\":3}\n");
}

#[test]
fn run_with_a_finite_file_ends_by_itself_with_everything_delivered() {
    let records = mixed(20_000);
    let folder = folder(&records);
    let pipeline = Pipeline::new("run-to-the-end")
        .of_file(&folder.path().join("in.ndjson"))
        .into_folder(&folder.path().join("out"));
    let path = pipeline.write(folder.path());
    let ended = run(batchpipe(&["run", "--json", "-f", path.to_str().unwrap()]));
    let reports: Vec<Value> =
        ended.lines().iter().map(|line| serde_json::from_slice(line).unwrap()).collect();
    assert_eq!(
        reports.iter().map(|report| report["role"].as_str().unwrap()).collect::<Vec<_>>(),
        ["producer", "consumer"]
    );
    for report in &reports {
        assert_accounts(report, 20_000);
    }
    let found = delivered(&folder.path().join("out"), "run-to-the-end", 6);
    assert_same_lines(&found.concat(), &records);
}
