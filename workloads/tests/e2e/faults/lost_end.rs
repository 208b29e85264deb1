//! The end of a log is lost under a consumer that has delivered it, as by a power cut or an unclean leader election: what
//! comes at those offsets then is not what was delivered.

use std::fs::{self, OpenOptions};

use batchpipe_api::report::PartitionLag;
use batchpipe_testbed::{Kafka, kafka};
use rustix::process::Signal;
use serde_json::json;

use super::{
    beyond::{commit, elsewhere},
    damage::rewrite,
    support::{Records, Scene, Tally, read_topic, until},
};

/// How often records are sent, so that there are several record batches.
const ROUNDS: usize = 4;
/// How many at a time.
const RECORDS: usize = 1500;
/// The partition that loses its end.
const PARTITION: i32 = 1;

/// Sends more records.
fn send(scene: &Scene, records: &mut Records) {
    let mut input = OpenOptions::new().append(true).open(scene.input()).unwrap();
    records.append(&mut input, RECORDS);
    scene.produce_all().well();
}

/// Removes the last record batch from a partition's log, and what the broker knows of it elsewhere. The broker has to be
/// killed before.
pub(crate) fn cut(kafka: &Kafka, topic: &str, partition: i32) {
    let start = rewrite(kafka, topic, partition, |_, batches| batches.last().unwrap().start);
    let folder = kafka.log().parent().unwrap().join(format!("data/{topic}-{partition}"));
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.extension().and_then(|end| end.to_str()) {
            Some("log") => {
                OpenOptions::new().write(true).open(path).unwrap().set_len(start as u64).unwrap();
            }
            Some("index" | "timeindex" | "snapshot") => fs::remove_file(path).unwrap(),
            _ => {}
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comes {
    /// When the consumer has heard of what was lost.
    Later,
    /// Before it can.
    AtOnce,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum To {
    Stdout,
    /// Another topic, in transactions.
    Topic,
}

/// A pipeline to there, of messages of twenty records.
fn scene(kafka: &Kafka, topic: &str, target: &str, to: To) -> Scene {
    let mut scene = Scene::new(kafka, topic);
    scene.spec["consumer"]["sink"] = match to {
        To::Stdout => json!({"stdout": {}}),
        To::Topic => json!({"kafka": {"topic": target, "delivery": "ExactlyOnce"}}),
    };
    if to == To::Topic {
        kafka.create_topic(target, 1, &[]).unwrap();
    }
    scene.spec["topic"]["partitions"] = json!(3);
    scene.spec["batch"]["maxRecords"] = json!(20);
    // It stays in the group while the broker is away.
    scene.spec["kafka"]["options"] = json!({"session.timeout.ms": "30000"});
    scene
}

/// `is_begun`: whether the consumer has delivered anything of the partition since it got it.
fn lose_the_end(topic: &str, is_begun: bool, comes: Comes, to: To) {
    let mut kafka = kafka().unwrap();
    let target = format!("{topic}.records");
    let scene = scene(&kafka, topic, &target, to);
    let mut records = scene.write_input(0);
    for _ in 0..ROUNDS {
        send(&scene, &mut records);
    }
    let (mut outputs, mut delivered) = (Vec::new(), 0);
    if !is_begun {
        let first = scene.start("consume", &["--until-caught-up"]);
        outputs.push(first.output.clone());
        delivered = first.wait().well().delivered;
    }
    let consumer = scene.consume();
    outputs.push(consumer.output.clone());
    consumer.await_ready();
    consumer.await_delivered(records.len() as u64 - delivered);
    let so_far = consumer.report().accounting.delivered;
    let before = kafka.end_offsets(topic).unwrap()[1];
    let is_committed = |lag: &PartitionLag| lag.partition == 1 && lag.committed == Some(before);
    until("the group knows", || consumer.report().lag.iter().any(is_committed));
    consumer.signal(Signal::STOP);
    kafka.kill().unwrap();
    cut(&kafka, topic, PARTITION);
    kafka.start_again().unwrap();
    let end = kafka.end_offsets(topic).unwrap()[1];
    assert!(end < before, "nothing was lost");
    let here = elsewhere(&kafka, &scene, &records);
    if comes == Comes::AtOnce {
        send(&scene, &mut records);
        send(&scene, &mut records);
    }
    consumer.signal(Signal::CONT);
    until("it is told", || consumer.log().contains("which was behind its end"));
    assert!(consumer.log().contains("went back"), "{}", consumer.log());

    // What comes now takes the offsets of what was lost.
    if comes == Comes::Later {
        send(&scene, &mut records);
        send(&scene, &mut records);
    }
    assert!(kafka.end_offsets(topic).unwrap()[1] > before);
    let more = elsewhere(&kafka, &scene, &records) - here;
    until("the others go on", || consumer.report().accounting.delivered == so_far + more);
    consumer.terminate();
    commit(&kafka, &scene, end);
    let last = scene.start("consume", &["--until-caught-up"]);
    outputs.push(last.output.clone());
    last.wait().well();
    let mut tally = Tally::new(&records);
    match to {
        To::Stdout => outputs.iter().for_each(|output| tally.output(output)),
        To::Topic => {
            for message in read_topic(&kafka, &target) {
                tally.line(&message.value);
            }
        }
    }
    tally.check_exact(topic);
}

#[test]
fn of_a_partition_that_is_read_nothing_is_left_out() {
    lose_the_end("lost-end", true, Comes::Later, To::Stdout);
}

#[test]
fn of_a_partition_that_was_idle_nothing_is_left_out() {
    lose_the_end("lost-end-idle", false, Comes::Later, To::Stdout);
}

#[test]
fn nothing_is_left_out_either_when_more_comes_at_once() {
    lose_the_end("lost-end-filled", true, Comes::AtOnce, To::Stdout);
}

#[test]
fn nothing_is_left_out_of_a_topic_either() {
    lose_the_end("lost-end-topic", true, Comes::AtOnce, To::Topic);
}
