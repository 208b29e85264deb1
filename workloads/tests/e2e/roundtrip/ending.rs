//! Where a producer or a consumer with a limit ends, and that the next one goes on there.

use std::fs;

use crate::kit::{
    broker,
    command::{Ended, Running, batchpipe, run},
    lines::{assert_same_lines, assert_same_text, mixed},
    pipeline::Pipeline,
    topic,
};

fn produce(path: &str, records: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.ndjson");
    fs::write(&input, records).unwrap();
    let mut command = batchpipe(&["produce", "-f", path]);
    command.stdin(fs::File::open(input).unwrap());
    Running::start(command).wait().success();
}

fn consume(path: &str, more: &[&str]) -> Ended {
    run(batchpipe(&[&["consume", "-f", path], more].concat()))
}

#[test]
fn a_limit_ends_at_a_batch_boundary_and_the_next_run_continues_there() {
    let records = mixed(5_000);
    let folder = tempfile::tempdir().unwrap();
    let mut pipeline = Pipeline::new("limited");
    pipeline.partitions = 1;
    pipeline.batch = "{maxRecords: 100, linger: 1s}";
    let path = pipeline.write(folder.path());
    let path = path.to_str().unwrap();
    produce(path, &records);
    assert_eq!(topic::messages("limited"), 50);
    let mut found = Vec::new();
    for (limit, expected) in [(1, 100), (100, 100), (101, 200), (250, 300), (1_000, 1_000)] {
        let ended = consume(path, &["--limit", &limit.to_string()]);
        assert_eq!(ended.lines().len(), expected, "--limit {limit}");
        found.extend(ended.stdout);
    }
    found.extend(consume(path, &["--until-caught-up"]).stdout);
    assert_same_text(&found, &records);
    assert_eq!(consume(path, &["--until-caught-up"]).stdout, b"");
}

#[test]
fn a_limit_over_many_partitions_loses_and_doubles_nothing() {
    let records = mixed(20_000);
    let folder = tempfile::tempdir().unwrap();
    let path = Pipeline::new("limited-six").write(folder.path());
    let path = path.to_str().unwrap();
    produce(path, &records);
    let mut found = Vec::new();
    for _ in 0..3 {
        let ended = consume(path, &["--limit", "4000"]);
        assert!((4_000..4_500).contains(&ended.lines().len()), "{}", ended.lines().len());
        found.extend(ended.stdout);
    }
    found.extend(consume(path, &["--until-caught-up"]).stdout);
    assert_same_lines(&found, &records);
}

#[test]
fn being_caught_up_at_once_is_an_end_too() {
    broker().create_topic("nothing-there", 6, &[]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = Pipeline::new("nothing-there").write(folder.path());
    assert_eq!(consume(path.to_str().unwrap(), &["--until-caught-up"]).stdout, b"");
}

#[test]
fn a_producer_with_a_limit_ends_there_and_the_next_one_continues_with_the_next_record_of_the_file()
{
    let records = mixed(5_000);
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.ndjson");
    fs::write(&input, &records).unwrap();
    let mut pipeline = Pipeline::new("limited-file").of_file(&input);
    pipeline.partitions = 1;
    let path = pipeline.write(folder.path());
    let path = path.to_str().unwrap();
    for (limit, accepted) in [(1, 1), (999, 999), (3_000, 3_000), (9_000, 1_000)] {
        let limit = limit.to_string();
        let ended = run(batchpipe(&["produce", "-f", path, "--limit", &limit, "--json"]));
        assert_eq!(ended.report()["accepted"], accepted, "--limit {limit}");
    }
    assert_same_text(&consume(path, &["--until-caught-up"]).stdout, &records);
}
