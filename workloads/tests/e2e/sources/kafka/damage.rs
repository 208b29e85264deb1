//! A broker's disk damages record batches of the topic that single records come from.

use std::collections::BTreeSet;

use batchpipe_api::reason::Reason;
use batchpipe_testbed::{Kafka, kafka};

use super::stage::Stage;
use crate::faults::{
    damage::{damage, rewrite},
    support::{Tally, read_topic, until},
};
use crate::kit::command::not_kafka;

#[test]
fn records_that_a_disk_has_damaged_are_counted_and_the_others_come_once() {
    let mut kafka = kafka().unwrap();
    let stage = Stage::new(&kafka, "source-damaged");
    let (records, pairs) = stage.records(20_000);
    // Many record batches of few messages.
    for part in pairs.chunks(100) {
        stage.send(part);
    }
    let before = read_topic(&kafka, &stage.raw);
    let Stage { scene, raw, .. } = stage;
    kafka.stop().unwrap();
    let mut damaged = BTreeSet::new();
    damaged.extend(damage(&kafka, &raw, 0, |_| vec![0]));
    damaged.extend(damage(&kafka, &raw, 1, |count| vec![count / 2, count / 2 + 1]));
    damaged.extend(damage(&kafka, &raw, 2, |count| vec![count - 1]));
    kafka.start_again().unwrap();
    let mut expected = Tally::new(&records);
    for message in &before {
        if !damaged.contains(&(message.partition, message.offset)) {
            expected.line(&message.value);
        }
    }
    assert_eq!(expected.lost().len(), damaged.len());

    let producer = scene.produce();
    let wanted = (records.len() as u64, damaged.len() as u64);
    until("all is sent or known", || {
        let accounting = producer.report().accounting;
        (accounting.delivered + accounting.dead_lettered, accounting.dead_lettered) == wanted
    });
    producer.terminate().well();
    let sent = scene.tally_topic(&kafka, &records);
    assert_eq!((sent.lost(), sent.duplicates(), sent.strange()), (expected.lost(), 0, 0));
    let letters = read_topic(&kafka, "source-damaged.dlq");
    let mut kept = BTreeSet::new();
    for letter in &letters {
        let origin = letter.dead_letter().unwrap();
        assert_eq!((origin.reason, origin.truncated), (Reason::Corrupt, Some(0)));
        assert_eq!(origin.topic, raw);
        assert!(kept.insert((origin.partition, origin.offset)), "{origin}");
    }
    assert_eq!(kept, damaged);
    // Nothing is fetched again by the next one.
    let producer = scene.produce();
    producer.await_ready();
    let report = producer.terminate().well();
    assert_eq!(report.accepted, 0);
}

#[test]
fn answers_that_are_not_kafkas_are_not_taken_for_damage() {
    let mut kafka = kafka().unwrap();
    let mut stage = Stage::new(&kafka, "source-balancer");
    let (records, pairs) = stage.records(3000);
    // What balances connections answers for itself while nobody is behind it.
    let servers = [not_kafka(), kafka.bootstrap_servers(), not_kafka()].join(",");
    stage.scene.spec["kafka"]["bootstrapServers"] = servers.into();
    let producer = stage.scene.produce();
    stage.send(&pairs[..1000]);
    until("some are sent", || producer.report().accounting.delivered == 1000);
    stage.await_committed(); // or they are sent again when the group is joined anew
    let Stage { scene, raw, .. } = stage;
    kafka.stop().unwrap();
    until("its log tells of it", || producer.log().contains("no broker answers"));
    kafka.start_again().unwrap();
    let stage = Stage { scene, kafka: &kafka, raw };
    stage.send(&pairs[1000..]);
    until("all is sent", || producer.report().accounting.delivered == 3000);
    let report = producer.terminate().well();
    assert_eq!((report.accepted, report.dead_lettered), (3000, 0));
    stage.scene.tally_topic(&kafka, &records).check_complete("source-balancer");
}

/// The partition has such an offset, so that only what follows tells that it is not true.
#[test]
fn an_offset_that_is_damaged_by_little_is_told_and_costs_nothing() {
    let mut kafka = kafka().unwrap();
    let stage = Stage::new(&kafka, "source-nearer");
    let (records, pairs) = stage.records(4000);
    // Record batches of some ten messages.
    for part in pairs.chunks(50) {
        stage.send(part);
    }
    let Stage { scene, raw, .. } = stage;
    let turn = |kafka: &mut Kafka| {
        kafka.stop().unwrap();
        // 64 more, or as many less once it is turned.
        rewrite(kafka, &raw, 1, |log, batches| log[batches[2].start + 7] ^= 64);
        kafka.start_again().unwrap();
    };
    turn(&mut kafka);
    let producer = scene.produce();
    until("it is told", || producer.log().contains("comes behind offset"));
    producer.terminate().well();
    turn(&mut kafka);
    let stage = Stage { scene, kafka: &kafka, raw: raw.clone() };
    let producer = stage.scene.produce();
    stage.await_committed();
    producer.terminate().well();
    stage.tally(&kafka, &records).check_exact("source-nearer");
}
