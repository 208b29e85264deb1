//! Other topics, groups of one's own, and groups of others.

use super::support::{Stage, record, report};
use crate::kit::{
    broker,
    command::{Running, batchpipe, run},
    topic,
};

#[test]
fn letters_go_to_another_topic_and_what_was_together_stays_together() {
    let stage = Stage::new("redrive-elsewhere", 4);
    stage.put(&stage.records(1, 0..5));
    stage.put(&stage.records(3, 5..10));
    stage.put(&stage.records(2, 10..15));
    broker().create_topic("redrive-elsewhere-copy", 2, &[]).unwrap();
    let to = ["--to", "redrive-elsewhere-copy"];
    assert_eq!(stage.redrive(&to), report(15, 15, &[]));
    assert_eq!(stage.redrive(&to), report(0, 0, &[]));
    assert_eq!(topic::messages(&stage.topic), 0);
    let copies = topic::read("redrive-elsewhere-copy");
    assert!(copies.iter().all(|message| message.header("batchpipe-attempts") == Some("1")));
    let tap = batchpipe(&["tap", "-t", "redrive-elsewhere-copy", "--until-caught-up"]);
    let records = String::from_utf8(run(tap).stdout).unwrap();
    let of = |numbers: std::ops::Range<usize>| {
        numbers.map(|number| record(number) + "\n").collect::<String>()
    };
    assert!(records.contains(&of(0..10)), "partitions 1 and 3 are both in partition 1 now");
    // Where they came from is another job.
    assert_eq!(stage.redrive(&[]), report(15, 15, &[]));
}

#[test]
fn another_group_begins_anew() {
    let stage = Stage::new("redrive-group", 1);
    stage.put(&stage.records(0, 0..3));
    let ended = stage.try_redrive(&[]).success();
    assert!(ended.stderr.contains("group batchpipe-redrive.redrive-group.dlq "));
    assert_eq!(stage.redrive(&["--group", "redrive-group-mine"]), report(3, 3, &[]));
    assert_eq!(topic::messages(&stage.topic), 2);
}

#[test]
fn a_group_that_consumers_have_joined_is_refused_before_anything_is_sent() {
    let stage = Stage::new("redrive-in-use", 1);
    topic::write(&stage.topic, &[topic::Raw::value(0, record(0))]);
    stage.put(&stage.records(0, 1..4));
    let pipeline = stage.pipeline();
    let consume = batchpipe(&["consume", "-f", pipeline.to_str().unwrap()]);
    let mut consumer = Running::start(consume);
    consumer.until_printed();
    let refused = stage.try_redrive(&["--group", &stage.topic]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("has members that consume with it"), "{}", refused.stderr);
    assert_eq!(topic::messages(&stage.topic), 1);
    consumer.stop().success();
    assert_eq!(stage.redrive(&[]), report(3, 3, &[]));
}
