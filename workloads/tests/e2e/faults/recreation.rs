//! The topic is deleted under load and made again: both sides go on with the new one.

use std::collections::{BTreeMap, BTreeSet};

use batchpipe_testbed::{Kafka, shared_kafka};
use serde_json::json;

use super::support::{Records, Scene, Tally, read_topic};

/// The records of the new topic, and how many records of the same producer were acknowledged before it.
fn read_new(kafka: &Kafka, topic: &str, records: &Records) -> (Tally, u64) {
    let mut tally = Tally::new(records);
    let mut next = BTreeMap::new();
    let mut before = 0;
    for message in read_topic(kafka, topic) {
        let (envelope, text) = message.open();
        let next = next.entry(message.partition).or_insert_with(|| {
            before += envelope.sequence;
            envelope.sequence
        });
        assert_eq!(envelope.sequence, *next, "a hole in the new topic");
        *next = envelope.next_sequence();
        tally.text(&text);
    }
    assert_eq!(next.len(), 3, "every partition goes on");
    (tally, before)
}

/// Deletes the topic under load; `made_again` may make it again.
fn delete_under_load(name: &str, made_again: impl FnOnce(&Kafka)) {
    const TOTAL: usize = 200_000;
    let kafka = shared_kafka().unwrap();
    let mut scene = Scene::new(kafka, name);
    scene.generate(10_000, TOTAL);
    scene.spec["consumer"]["sink"] = json!({"stdout": {}});
    let (producer, consumer) = (scene.produce(), scene.consume());
    consumer.await_delivered(40_000);
    kafka.delete_topic(name).unwrap();
    made_again(kafka);
    let output = consumer.output.clone();
    producer.await_ready();
    producer.wait().well();
    let records = Records::of_seed(TOTAL);
    let (new, before) = read_new(kafka, name, &records);
    new.check_no_duplicates(name);
    let in_new = new.order.len();
    super::support::until("the consumer has caught up", || {
        let lag = consumer.report().lag;
        lag.len() == 3 && lag.iter().all(|partition| partition.messages == Some(0))
    });
    consumer.terminate().well();
    let mut sink = Tally::new(&records);
    sink.output(&output);
    sink.check_no_duplicates(name);
    let got: BTreeSet<_> = sink.order.iter().copied().collect();
    let left_out = new.order.iter().filter(|number| !got.contains(number)).count();
    assert_eq!(left_out, 0, "{name}: of {in_new} in the new topic");
    let from_old = got.len() - in_new;
    let destroyed = sink.lost().len();
    println!(
        "{name}: {before} in the old topic, {from_old} of them read, {destroyed} destroyed with it"
    );
    assert_eq!(before + in_new as u64, TOTAL as u64);
    assert_eq!(destroyed as u64, before - from_old as u64);
}

#[test]
fn a_topic_that_is_deleted_under_load_is_made_again() {
    delete_under_load("deleted", |_| {});
}

#[test]
fn a_topic_that_somebody_else_makes_again_is_used() {
    delete_under_load("replaced", |kafka| {
        // The producer may be quicker.
        let _ = kafka.create_topic("replaced", 3, &[]);
    });
}
