//! The topic of single records is missing, made again, or cut short by retention.

use batchpipe_testbed::shared_kafka;

use super::stage::{PARTITIONS, Stage};
use crate::faults::support::until;

#[test]
fn a_topic_that_is_missing_is_named_and_read_when_it_is_there() {
    let kafka = shared_kafka().unwrap();
    let stage = Stage::without_topic(kafka, "rebatched-missing");
    let producer = stage.scene.produce();
    producer.await_unready("topic rebatched-missing.raw does not exist; create it");
    kafka.create_topic(&stage.raw, PARTITIONS, &[]).unwrap();
    let (records, pairs) = stage.records(1000);
    stage.send(&pairs);
    producer.await_ready();
    producer.await_delivered(1000);
    producer.terminate().well();
    stage.tally(kafka, &records).check_exact("rebatched-missing");
}

/// The second topic is longer than the first, so that its offsets alone say nothing.
#[test]
fn a_topic_that_was_made_again_while_nobody_read_is_read_from_its_start() {
    let kafka = shared_kafka().unwrap();
    let stage = Stage::new(kafka, "rebatched-again");
    let (_, pairs) = stage.records(1000);
    stage.send(&pairs);
    stage.produce_until(1000).terminate().well();
    kafka.delete_topic(&stage.raw).unwrap();
    kafka.create_topic(&stage.raw, PARTITIONS, &[]).unwrap();
    let (_, pairs) = stage.records(3000);
    stage.send(&pairs);
    let producer = stage.produce_until(3000);
    stage.await_committed();
    assert_eq!(producer.terminate().well().accepted, 3000);
}

#[test]
fn a_topic_that_is_made_again_under_a_producer_is_read_from_its_start() {
    let kafka = shared_kafka().unwrap();
    let stage = Stage::new(kafka, "rebatched-replaced");
    let (_, pairs) = stage.records(1000);
    stage.send(&pairs);
    let producer = stage.produce_until(1000);
    kafka.delete_topic(&stage.raw).unwrap();
    producer.await_unready("topic rebatched-replaced.raw does not exist");
    kafka.create_topic(&stage.raw, PARTITIONS, &[]).unwrap();
    let (_, pairs) = stage.records(3000);
    stage.send(&pairs);
    producer.await_ready();
    producer.await_delivered(4000);
    assert_eq!(producer.terminate().well().accepted, 4000);
}

#[test]
fn messages_that_retention_removed_are_counted_exactly() {
    let kafka = shared_kafka().unwrap();
    let stage = Stage::new(kafka, "rebatched-expired");
    let (_, pairs) = stage.records(4000);
    stage.send(&pairs);
    let first = stage.scene.start("produce", &["--limit", "2000"]).wait().well();
    assert_eq!(first.accepted, 2000);
    let mut removed = 0;
    for (partition, (offset, _)) in (0..).zip(stage.committed()) {
        let Some(offset) = offset else { continue };
        let end = kafka.end_offsets(&stage.raw).unwrap()[usize::try_from(partition).unwrap()];
        let new = (offset + 13).min(end);
        kafka.delete_records(&stage.raw, partition, new).unwrap();
        removed += u64::try_from(new - offset).unwrap();
    }
    assert!(removed > 0);
    let producer = stage.produce_until(2000 - usize::try_from(removed).unwrap());
    until("what expired is reported", || producer.report().accounting.expired_messages == removed);
    let report = producer.report();
    assert!(report.last_error.unwrap().message.starts_with("DataExpired"));
    producer.terminate().well();
}
