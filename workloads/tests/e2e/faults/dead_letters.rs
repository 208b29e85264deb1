//! The dead-letter topic is missing when it is needed: what needs it waits and says so; nothing is lost.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    time::{Duration, Instant},
};

use batchpipe_api::reason::Reason;
use batchpipe_testbed::{Kafka, shared_kafka};
use serde_json::json;

use super::{
    sizes::random_digits,
    support::{Records, Scene, TopicMessage, read_topic, until},
};

const TOTAL: usize = 20_000;
const BAD: usize = 10;
const MISSING: &str = "DeadLetterUnavailable";

/// Writes an input in which some lines are no JSON; returns the good ones and the bad ones.
fn write_input(scene: &Scene) -> (Records, Vec<String>) {
    let mut file = BufWriter::new(File::create(scene.input()).unwrap());
    let (mut records, mut bad) = (Records::default(), Vec::new());
    for number in 0..BAD {
        records.append(&mut file, TOTAL / BAD);
        let line = format!("{{\"bad\": {number},, }}");
        writeln!(file, "{line}").unwrap();
        bad.push(line);
    }
    file.flush().unwrap();
    (records, bad)
}

/// Fails unless the dead-letter topic holds exactly these records, which are no JSON.
fn check_letters(kafka: &Kafka, topic: &str, bad: &[String]) {
    check_letters_of(kafka, topic, bad, Reason::InvalidJson);
}

fn check_letters_of(kafka: &Kafka, topic: &str, bad: &[String], reason: Reason) {
    let letters = read_topic(kafka, topic);
    let has_reason = |letter: &TopicMessage| letter.dead_letter().unwrap().reason == reason;
    assert!(letters.iter().all(has_reason));
    let mut kept: Vec<_> =
        letters.into_iter().map(|letter| String::from_utf8(letter.value).unwrap()).collect();
    kept.sort();
    assert!(kept == bad, "{topic}: {} letters of {} records", kept.len(), bad.len());
}

#[test]
fn a_consumer_waits_for_the_dead_letter_topic() {
    let kafka = shared_kafka().unwrap();
    let mut scene = Scene::new(kafka, "letters-consumer");
    scene.spec["consumer"]["deadLetter"] = json!({"provision": "Never"});
    scene.spec["producer"]["validate"] = "None".into();
    let (records, bad) = write_input(&scene);
    scene.produce_all().well();
    let consumer = scene.consume();
    consumer.await_unready(MISSING);
    kafka.create_topic("letters-consumer.dlq", 1, &[]).unwrap();
    consumer.await_ready();
    consumer.await_delivered(records.len() as u64);
    assert_eq!(consumer.terminate().well().dead_lettered, BAD as u64);
    scene.tally_output(&records).check_exact("dead letters, consumer");
    check_letters(kafka, "letters-consumer.dlq", &bad);
}

/// Nobody comes back to a message that is in a file: its letters have to be safe before.
#[test]
fn a_consumer_that_is_stopped_while_letters_wait_sends_them_next_time() {
    let kafka = shared_kafka().unwrap();
    let mut scene = Scene::new(kafka, "letters-stopped-consumer");
    scene.spec["consumer"]["deadLetter"] = json!({"provision": "Never"});
    scene.spec["producer"]["validate"] = "None".into();
    let (records, bad) = write_input(&scene);
    scene.produce_all().well();
    let consumer = scene.start("consume", &["--grace-period", "1s"]);
    consumer.await_unready(MISSING);
    consumer.terminate();
    kafka.create_topic("letters-stopped-consumer.dlq", 1, &[]).unwrap();
    scene.consume_all().well();
    scene.tally_output(&records).check_exact("dead letters, consumer stopped");
    check_letters(kafka, "letters-stopped-consumer.dlq", &bad);
}

/// Each has a letter of its own, of whatever size it is.
#[test]
fn thousands_of_bad_records_in_one_message_are_all_kept() {
    const MANY: usize = 3000;
    let (kafka, name) = (shared_kafka().unwrap(), "letters-many");
    let mut scene = Scene::new(kafka, name);
    scene.spec["topic"]["partitions"] = 1.into();
    scene.spec["batch"] = json!({"maxRecords": 10_000, "linger": "1s"});
    scene.spec["producer"]["validate"] = "None".into();
    let mut file = BufWriter::new(File::create(scene.input()).unwrap());
    let (mut records, mut bad) = (Records::default(), Vec::new());
    for number in 0..MANY {
        records.append(&mut file, 1);
        // From a single byte to some kB.
        let line = if number == 0 {
            "x".to_owned()
        } else {
            format!("bad {number}{}", "!".repeat(number))
        };
        writeln!(file, "{line}").unwrap();
        bad.push(line);
    }
    file.flush().unwrap();
    scene.spec["batch"]["maxBytes"] = "16Mi".into();
    assert_eq!(scene.produce_all().well().delivered, 2 * MANY as u64);
    assert_eq!(read_topic(kafka, name).len(), 1, "one message");
    assert_eq!(scene.consume_all().well().dead_lettered, MANY as u64);
    scene.tally_output(&records).check_exact(name);
    bad.sort();
    check_letters(kafka, &format!("{name}.dlq"), &bad);
}

#[test]
fn both_sides_wait_while_they_may_not_write_letters() {
    let (kafka, name) = (shared_kafka().unwrap(), "letters-denied");
    let mut scene = Scene::new(kafka, name);
    let letters = format!("{name}.dlq");
    kafka.create_topic(&letters, 1, &[]).unwrap();
    let (records, mut bad) = write_input(&scene);
    kafka.deny_write(&letters).unwrap();
    let producer = scene.produce();
    producer.await_unready(MISSING);
    kafka.allow_write(&letters).unwrap();
    let report = producer.wait().well();
    assert_eq!((report.delivered, report.dead_lettered), (records.len() as u64, BAD as u64));

    // The same for what only the consumer looks at.
    fs::write(scene.input(), "also bad\n").unwrap();
    scene.spec["producer"]["validate"] = "None".into();
    scene.produce_all().well();
    bad.push("also bad".to_owned());
    kafka.deny_write(&letters).unwrap();
    let consumer = scene.consume();
    consumer.await_unready(MISSING);
    kafka.allow_write(&letters).unwrap();
    consumer.await_ready();
    consumer.await_accepted(records.len() as u64 + 1);
    assert_eq!(consumer.terminate().well().dead_lettered, 1);
    scene.tally_output(&records).check_exact(name);
    bad.sort();
    check_letters(kafka, &letters, &bad);
}

#[test]
fn a_producer_waits_for_the_dead_letter_topic() {
    let kafka = shared_kafka().unwrap();
    let mut scene = Scene::new(kafka, "letters-producer");
    scene.spec["consumer"]["deadLetter"] = json!({"provision": "Never"});
    let (records, bad) = write_input(&scene);
    let mut producer = scene.produce();
    producer.await_unready(MISSING);
    assert!(producer.runs());
    kafka.create_topic("letters-producer.dlq", 1, &[]).unwrap();
    let report = producer.wait().well();
    assert_eq!((report.delivered, report.dead_lettered), (records.len() as u64, BAD as u64));
    scene.tally_topic(kafka, &records).check_exact("dead letters, producer");
    check_letters(kafka, "letters-producer.dlq", &bad);
}

#[test]
fn a_producer_that_is_stopped_while_letters_wait_sends_them_next_time() {
    let kafka = shared_kafka().unwrap();
    let mut scene = Scene::new(kafka, "letters-stopped");
    scene.spec["consumer"]["deadLetter"] = json!({"provision": "Never"});
    let (records, bad) = write_input(&scene);
    let producer = scene.start("produce", &["--grace-period", "1s"]);
    producer.await_unready(MISSING);
    let ended = producer.terminate();
    assert_eq!(ended.status.code(), Some(1), "something is unaccounted for");
    assert!(ended.report.unwrap().in_flight > 0);
    kafka.create_topic("letters-stopped.dlq", 1, &[]).unwrap();
    scene.produce_all().well();
    // What was sent before the stop was not acknowledged to the source, because a letter stood before it.
    scene.tally_topic(kafka, &records).check_complete("dead letters, stopped");
    check_letters(kafka, "letters-stopped.dlq", &bad);
}

/// A letter that is not safe yet holds the checkpoint: nothing else would bring it back.
#[test]
fn a_producer_that_is_killed_while_letters_wait_sends_them_next_time() {
    let kafka = shared_kafka().unwrap();
    let scene = Scene::new(kafka, "letters-killed");
    let (records, bad) = write_input(&scene);
    kill_while_letters_wait(kafka, scene, &records, &bad, Reason::InvalidJson);
}

/// The same for what only the broker says of a record.
#[test]
fn a_producer_that_is_killed_while_letters_of_large_records_wait_sends_them_next_time() {
    let (kafka, name) = (shared_kafka().unwrap(), "letters-killed-large");
    let scene = Scene::new(kafka, name);
    kafka.create_topic(name, 3, &[("max.message.bytes", "2000")]).unwrap();
    let mut file = BufWriter::new(File::create(scene.input()).unwrap());
    let (mut records, mut large) = (Records::default(), Vec::new());
    for number in 0..BAD {
        let line = format!(r#"{{"large":"{}"}}"#, random_digits(number as u64));
        writeln!(file, "{line}").unwrap();
        large.push(line);
        records.append(&mut file, TOTAL / BAD);
    }
    drop(file);
    large.sort();
    kill_while_letters_wait(kafka, scene, &records, &large, Reason::RecordTooLarge);
}

fn kill_while_letters_wait(
    kafka: &Kafka,
    mut scene: Scene,
    records: &Records,
    bad: &[String],
    reason: Reason,
) {
    scene.spec["consumer"]["deadLetter"] = json!({"provision": "Never"});
    let producer = scene.start("produce", &[]);
    producer.await_unready(MISSING);
    // All the others are in the topic, and acknowledged to whoever counts no letters.
    producer.await_delivered(records.len() as u64);
    let checkpoint = || fs::read_to_string(scene.checkpoint()).unwrap_or_default();
    let (written, asked) = (checkpoint(), Instant::now());
    // Longer than the time between two checkpoints.
    until("a checkpoint would have been written", || asked.elapsed() > Duration::from_secs(3));
    assert_eq!(checkpoint(), written, "a letter stands before everything");
    producer.kill();
    let letters = format!("{}.dlq", scene.topic);
    kafka.create_topic(&letters, 1, &[]).unwrap();
    scene.produce_all().well();
    scene.tally_topic(kafka, records).check_complete(&scene.topic);
    check_letters_of(kafka, &letters, bad, reason);
}
