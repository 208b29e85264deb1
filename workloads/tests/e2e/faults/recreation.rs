//! The topic is deleted under load and made again: both sides go on with the new one.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::Duration,
};

use batchpipe_testbed::{Kafka, shared_kafka};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
};
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
    consumer.await_unready("give it an empty folder");
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

/// Produces this many records into a topic that is made again before, from a file that is read from its start.
fn produce_anew(scene: &Scene, kafka: &Kafka, total: usize) -> Records {
    if scene.checkpoint().exists() {
        fs::remove_file(scene.checkpoint()).unwrap();
        kafka.delete_topic(&scene.topic).unwrap();
    }
    let records = scene.write_input(total);
    scene.produce_all().well();
    records
}

#[test]
fn files_of_an_earlier_topic_stop_a_consumer_that_was_away_when_the_topic_was_made_again() {
    let kafka = shared_kafka().unwrap();
    let scene = Scene::new(kafka, "files-away");
    let old = produce_anew(&scene, kafka, 2000);
    scene.consume_all().well();
    // Longer than the old one was in every partition, so that nothing in the offsets tells them apart.
    let new = produce_anew(&scene, kafka, 9000);
    for _ in 0..2 {
        let consumer = scene.consume();
        consumer.await_unready("give it an empty folder");
        consumer.terminate().well();
    }
    scene.tally_output(&old).check_exact("files-away");
    fs::remove_dir_all(scene.output()).unwrap();
    scene.consume_all().well();
    scene.tally_output(&new).check_exact("files-away");
}

/// A member of the consumers' group that joins nothing.
pub(super) fn bystander(kafka: &Kafka, scene: &Scene) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", kafka.bootstrap_servers())
        .set("group.id", &scene.topic)
        .create()
        .unwrap()
}

/// What is left when an offset is committed in the moment in which the topic is made again.
fn ignores_an_offset_of_an_earlier_topic(name: &str, offset: i64) {
    let kafka = shared_kafka().unwrap();
    let mut scene = Scene::new(kafka, name);
    scene.spec["consumer"]["sink"] = json!({"stdout": {}});
    let records = produce_anew(&scene, kafka, 9000);
    let group = bystander(kafka, &scene);
    let mut stale = TopicPartitionList::new();
    for partition in 0..3 {
        let mut element = stale.add_partition(&scene.topic, partition);
        element.set_offset(Offset::Offset(offset)).unwrap();
        element.set_metadata("of-a-topic-that-is-gone");
    }
    group.commit(&stale, CommitMode::Sync).unwrap();
    let mut tally = Tally::new(&records);
    for _ in 0..2 {
        let consumer = scene.start("consume", &["--until-caught-up"]);
        let output = consumer.output.clone();
        consumer.wait().well();
        tally.output(&output);
    }
    tally.check_exact(name);
    let committed = group.committed_offsets(stale, Duration::from_secs(10)).unwrap();
    let elements = committed.elements();
    assert!(elements.iter().all(|it| it.metadata().len() == 22), "{committed:?}");
}

#[test]
fn an_offset_that_was_committed_for_an_earlier_topic_counts_for_nothing() {
    ignores_an_offset_of_an_earlier_topic("stale-offset", 7);
}

#[test]
fn an_offset_of_an_earlier_topic_that_was_longer_counts_for_nothing() {
    ignores_an_offset_of_an_earlier_topic("stale-offset-beyond", 1_000_000);
}

/// A batch belongs to a partition from the start; what is left of those that are gone is kept until they are back.
#[test]
fn batches_of_partitions_that_are_gone_wait_for_them_and_the_others_go_on() {
    const TOTAL: usize = 60_000;
    let kafka = shared_kafka().unwrap();
    let mut scene = Scene::new(kafka, "fewer");
    scene.generate(5_000, TOTAL);
    scene.spec["topic"]["provision"] = json!("Never");
    kafka.create_topic("fewer", 3, &[]).unwrap();
    let producer = scene.produce();
    until("records are in every partition", || {
        kafka.end_offsets("fewer").is_ok_and(|ends| ends.iter().all(|end| *end > 3))
    });
    kafka.delete_topic("fewer").unwrap();
    producer.await_unready("fewer");
    // What was batched for the three partitions meanwhile waits.
    let accepted = producer.report().accounting.accepted;
    producer.await_accepted(accepted + 5_000);
    kafka.create_topic("fewer", 1, &[]).unwrap();
    producer.await_unready("does not have any more: it has 1 now");
    until("the one that is left is used", || {
        kafka.end_offsets("fewer").is_ok_and(|ends| ends[0] > 10)
    });
    kafka.add_partitions("fewer", 3).unwrap();
    producer.await_ready();
    producer.wait().well();
    let (new, before) = read_new(kafka, "fewer", &Records::of_seed(TOTAL));
    new.check_no_duplicates("fewer");
    assert_eq!(before + new.order.len() as u64, TOTAL as u64);
}
