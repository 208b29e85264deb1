//! The group has committed more of a partition than there is, as after an unclean leader election: to wait there for what
//! comes would leave out everything until then.

use std::{fs::OpenOptions, time::Duration};

use batchpipe_testbed::{Kafka, shared_kafka};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{CommitMode, Consumer as _},
    producer::{BaseProducer, BaseRecord, Producer as _},
};
use serde_json::json;

use super::{
    recreation::bystander,
    support::{Records, Scene, Tally, read_topic, until},
};

const PATIENCE: Duration = Duration::from_secs(30);
const FIRST: usize = 9000;
const MORE: usize = 30_000;
/// How far behind the end the group is said to be, in messages; less than comes.
const BEYOND: i64 = 20;
/// The partition of which the group is said to have more.
const PARTITION: i32 = 1;

pub(super) fn commit(kafka: &Kafka, scene: &Scene, offset: i64) {
    let group = bystander(kafka, scene);
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&scene.topic, PARTITION, Offset::Offset(offset)).unwrap();
    group.commit(&list, CommitMode::Sync).unwrap();
}

fn end(kafka: &Kafka, scene: &Scene) -> i64 {
    kafka.end_offsets(&scene.topic).unwrap()[1]
}

/// Sends more records than the offset is behind the end.
fn grow(kafka: &Kafka, scene: &Scene, records: &mut Records, until: i64) {
    let mut input = OpenOptions::new().append(true).open(scene.input()).unwrap();
    records.append(&mut input, MORE);
    scene.produce_all().well();
    assert!(end(kafka, scene) > until + BEYOND);
}

/// How many records are in the partitions of which the group has what there is.
pub(super) fn elsewhere(kafka: &Kafka, scene: &Scene, records: &Records) -> u64 {
    let mut tally = Tally::new(records);
    for message in read_topic(kafka, &scene.topic) {
        if message.partition != PARTITION {
            tally.text(&message.open().1);
        }
    }
    tally.order.len() as u64
}

/// The partition waits, before and after the log has grown past that offset, also when another process comes meanwhile; the
/// others do not.
#[test]
fn the_partition_waits_however_long_it_becomes_and_the_others_go_on() {
    let kafka = shared_kafka().unwrap();
    let mut scene = Scene::new(kafka, "beyond");
    scene.spec["consumer"]["sink"] = json!({"stdout": {}});
    // Workers are fewer than partitions on any machine.
    scene.spec["topic"]["partitions"] = json!(12);
    scene.spec["batch"]["maxRecords"] = json!(20);
    let mut records = scene.write_input(FIRST);
    scene.produce_all().well();
    let there = end(kafka, &scene);
    commit(kafka, &scene, there + BEYOND);
    let told = "which was behind its end";

    let mut outputs = Vec::new();
    let first = scene.consume();
    outputs.push(first.output.clone());
    until("it is told", || first.log().contains(told));
    first.await_delivered(elsewhere(kafka, &scene, &records));
    grow(kafka, &scene, &mut records, there);
    let all = elsewhere(kafka, &scene, &records);
    first.await_delivered(all);
    assert_eq!(first.terminate().well().delivered, all, "nothing of that partition");

    let second = scene.consume();
    outputs.push(second.output.clone());
    until("the next one knows of it", || second.log().contains(told));
    assert_eq!(second.terminate().well().delivered, 0);

    commit(kafka, &scene, 0);
    let last = scene.start("consume", &["--until-caught-up"]);
    outputs.push(last.output.clone());
    last.wait().well();
    let mut tally = Tally::new(&records);
    for output in &outputs {
        tally.output(output);
    }
    tally.check_exact("beyond");
}

/// A file sink that has everything by its files is not asked by them alone.
#[test]
fn files_that_hold_what_the_log_has_lost_do_not_hide_what_comes() {
    let kafka = shared_kafka().unwrap();
    let scene = Scene::new(kafka, "beyond-files");
    let mut records = scene.write_input(FIRST);
    scene.produce_all().well();
    let there = end(kafka, &scene);
    commit(kafka, &scene, there + BEYOND);
    let consumer = scene.consume();
    until("it is told", || consumer.log().contains("which was behind its end"));
    grow(kafka, &scene, &mut records, there);
    consumer.await_delivered(elsewhere(kafka, &scene, &records));
    consumer.terminate().well();
    commit(kafka, &scene, 0);
    scene.consume_all().well();
    scene.tally_output(&records).check_exact("beyond-files");
}

/// What consumers are told as the end is where transactions that are open begin; what the group has may be behind that.
#[test]
fn an_offset_behind_an_open_transaction_is_gone_on_from() {
    let kafka = shared_kafka().unwrap();
    let mut scene = Scene::new(kafka, "beyond-open");
    scene.spec["consumer"]["sink"] = json!({"stdout": {}});
    let mut records = scene.write_input(FIRST);
    scene.produce_all().well();
    let first = scene.start("consume", &["--until-caught-up"]);
    let before = first.output.clone();
    first.wait().well();

    let behind = end(kafka, &scene) + 1;
    let writer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", kafka.bootstrap_servers())
        .set("transactional.id", &scene.topic)
        .create()
        .unwrap();
    writer.init_transactions(PATIENCE).unwrap();
    writer.begin_transaction().unwrap();
    let skipped = BaseRecord::<(), _>::to(&scene.topic).partition(PARTITION).payload("1");
    writer.send(skipped).map_err(|(error, _)| error).unwrap();
    while writer.in_flight_count() > 0 {
        writer.poll(Duration::from_millis(1));
    }
    commit(kafka, &scene, behind);
    let consumer = scene.consume();
    let more = consumer.output.clone();
    consumer.await_ready();
    writer.commit_transaction(PATIENCE).unwrap();
    let mut input = OpenOptions::new().append(true).open(scene.input()).unwrap();
    records.append(&mut input, MORE);
    scene.produce_all().well();
    consumer.await_delivered(MORE as u64);
    assert!(!consumer.log().contains("behind its end"), "{}", consumer.log());
    consumer.terminate().well();
    let mut tally = Tally::new(&records);
    tally.output(&before);
    tally.output(&more);
    tally.check_exact("beyond-open");
}
