//! The topic is deleted under load and made again: both sides go on with the new one.

use std::collections::{BTreeMap, BTreeSet};

use batchpipe_testbed::{Kafka, shared_kafka};
use rustix::process::Signal;
use serde_json::json;

use super::support::{Child, Records, Scene, Tally, read_topic, until};

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

/// Deletes the topic under load in the way of the test. Everything that was acknowledged into the new topic is
/// delivered; what is lost is what was in the old one and not read.
fn delete_under_load(name: &str, replace: impl FnOnce(&Kafka, &Child)) {
    const TOTAL: usize = 200_000;
    let kafka = shared_kafka().unwrap();
    let mut scene = Scene::new(kafka, name);
    scene.generate(10_000, TOTAL);
    // Who sleeps for a while stays a member.
    scene.spec["kafka"]["options"] = json!({"session.timeout.ms": "30000"});
    scene.spec["consumer"]["sink"] = json!({"stdout": {}});
    let (producer, consumer) = (scene.produce(), scene.consume());
    consumer.await_delivered(20_000);
    replace(kafka, &consumer);
    let output = consumer.output.clone();
    producer.await_ready();
    producer.wait().well();
    let records = Records::of_seed(TOTAL);
    let (new, before) = read_new(kafka, name, &records);
    new.check_no_duplicates(name);
    let in_new = new.order.len();
    until("the consumer has caught up", || {
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
    delete_under_load("deleted", |kafka, _| kafka.delete_topic("deleted").unwrap());
}

#[test]
fn a_topic_that_somebody_else_makes_again_is_used() {
    delete_under_load("replaced", |kafka, _| {
        kafka.delete_topic("replaced").unwrap();
        // The producer may be quicker.
        let _ = kafka.create_topic("replaced", 3, &[]);
    });
}

/// Deletes the topic while the consumer sleeps, and wakes it when the new one is longer than the old one was.
fn replace_behind_its_back(kafka: &Kafka, topic: &str, consumer: &Child) {
    consumer.signal(Signal::STOP);
    let read = kafka.end_offsets(topic).unwrap();
    until("the old topic grows", || kafka.end_offsets(topic).unwrap()[0] > read[0] + 10);
    let old = kafka.end_offsets(topic).unwrap();
    kafka.delete_topic(topic).unwrap();
    until("the new topic is longer", || {
        kafka.end_offsets(topic).is_ok_and(|ends| ends.iter().zip(&old).all(|(new, old)| new > old))
    });
    consumer.signal(Signal::CONT);
}

#[test]
fn a_consumer_that_missed_the_deletion_reads_the_new_topic_from_its_start() {
    delete_under_load("missed", |kafka, consumer| {
        replace_behind_its_back(kafka, "missed", consumer);
    });
}

#[test]
fn a_file_sink_never_takes_the_new_topic_for_the_old_one() {
    const TOTAL: usize = 200_000;
    let kafka = shared_kafka().unwrap();
    let mut scene = Scene::new(kafka, "files-missed");
    scene.spec["kafka"]["options"] = json!({"session.timeout.ms": "30000"});
    scene.generate(10_000, TOTAL);
    let (producer, consumer) = (scene.produce(), scene.consume());
    consumer.await_delivered(20_000);
    replace_behind_its_back(kafka, "files-missed", &consumer);
    consumer.await_unready("was made again");
    producer.wait().well();
    consumer.terminate().well();
    let records = Records::of_seed(TOTAL);
    let (new, before) = read_new(kafka, "files-missed", &records);
    let old = scene.tally_output(&records);
    old.check_no_duplicates("files-missed");
    // As the message says: an empty folder.
    let folder = scene.folder.path().join("empty");
    scene.spec["consumer"]["sink"]["file"]["path"] = folder.display().to_string().into();
    assert_eq!(scene.consume_all().well().delivered, new.order.len() as u64);
    let mut sink = Tally::new(&records);
    sink.folder(&folder);
    sink.check_no_duplicates("files-missed");
    assert_eq!(sink.lost(), new.lost(), "the new topic is there as a whole");
    println!("files-missed: {before} in the old topic, {} of them read", old.order.len());
}
