//! Keys select partitions, and records of a key stay in order.

use batchpipe_testbed::shared_kafka;
use batchpipe_workloads::key::KeyHash;

use super::stage::{KEYS, Stage, key};
use crate::faults::support::read_topic;

/// The numbers of the records of a text.
fn numbers(text: &[u8]) -> impl Iterator<Item = usize> {
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| {
        let value: serde_json::Value = serde_json::from_slice(line).unwrap();
        value["seq"].as_u64().unwrap().try_into().unwrap()
    })
}

#[test]
fn keyed_records_arrive_once_and_in_order() {
    const TOTAL: usize = 100_000;
    let kafka = shared_kafka().unwrap();
    let stage = Stage::new(kafka, "rebatched");
    let (records, pairs) = stage.records(TOTAL);
    stage.send(&pairs);
    let report = stage.produce_until(TOTAL).terminate().well();
    assert_eq!((report.accepted, report.delivered), (TOTAL as u64, TOTAL as u64));
    println!("rebatched: {TOTAL} messages became {}", report.batches);
    assert!(report.batches < TOTAL as u64 / 50, "{report:?}");
    stage.tally(kafka, &records).check_exact("rebatched");
    let mut last = vec![None; KEYS];
    for message in read_topic(kafka, &stage.scene.topic) {
        for number in numbers(&message.open().1) {
            let expected = KeyHash::of(key(number).as_bytes()).partition(3);
            assert_eq!(message.partition.unsigned_abs(), expected, "record {number}");
            let before = last[number % KEYS].replace(number);
            assert!(before < Some(number), "record {number} after {before:?}");
        }
    }
    stage.await_committed();
    // A topic's id is 16 bytes in base64.
    let committed = stage.committed();
    assert!(committed.iter().all(|(_, metadata)| metadata.len() == 22), "{committed:?}");
}

#[test]
fn a_key_in_the_record_is_stronger_than_that_of_the_message() {
    const TOTAL: usize = 3000;
    let kafka = shared_kafka().unwrap();
    let mut stage = Stage::new(kafka, "rebatched-pointer");
    stage.scene.spec["producer"]["key"] = "/seq".into();
    let (records, pairs) = stage.records(TOTAL);
    stage.send(&pairs);
    stage.produce_until(TOTAL).terminate().well();
    stage.tally(kafka, &records).check_exact("rebatched-pointer");
    for message in read_topic(kafka, &stage.scene.topic) {
        for number in numbers(&message.open().1) {
            let expected = KeyHash::of(number.to_string().as_bytes()).partition(3);
            assert_eq!(message.partition.unsigned_abs(), expected, "record {number}");
        }
    }
}
