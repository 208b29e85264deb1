//! With `delivery: ExactlyOnce`, whatever happens, readers of committed messages see each record once, and so they do the
//! dead letters.

use std::{
    fs::File,
    io::Write as _,
    thread,
    time::{Duration, Instant},
};

use batchpipe_testbed::{Kafka, kafka, shared_kafka};

use super::records::{Held, lines, scene};
use crate::{
    faults::support::{Scene, until},
    kit::topic::{Raw, messages, read, read_at, write},
};

const PARTITIONS: u32 = 3;

/// A pipeline whose batches are in its topic, with a topic for the records.
fn exact(kafka: &Kafka, name: &str, lines: &[String]) -> (Scene, String) {
    let (mut scene, target) = scene(kafka, name, lines);
    scene.spec["consumer"]["sink"]["kafka"]["delivery"] = "ExactlyOnce".into();
    (scene, target)
}

/// The same with the topic made.
fn exact_into(kafka: &Kafka, name: &str, lines: &[String]) -> (Scene, String) {
    let (scene, target) = exact(kafka, name, lines);
    kafka.create_topic(&target, PARTITIONS, &[]).unwrap();
    (scene, target)
}

/// Adds lines to the input.
fn append(scene: &Scene, lines: &[String]) {
    let mut input = File::options().append(true).open(scene.input()).unwrap();
    for line in lines {
        writeln!(input, "{line}").unwrap();
    }
}

/// Moments that look random and are the same in each run, in milliseconds.
fn moments(seed: u64) -> impl Iterator<Item = Duration> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Duration::from_millis((state >> 33) % 700)
    })
}

#[test]
fn each_record_is_there_once_with_its_key() {
    let (kafka, lines) = (shared_kafka().unwrap(), lines(100_000));
    let (scene, target) = exact_into(kafka, "exactly-copies", &lines);
    assert_eq!(scene.consume_all().well().delivered, 100_000);
    assert_eq!(scene.consume_all().well().delivered, 0, "the group knows that all is delivered");
    Held::read(&target, &lines, PARTITIONS, true).check_exact("exactly once");
}

/// SIGKILL 20 times, at moments from joining the group to the middle of transactions, while records keep coming. Some
/// messages cannot be read, so that dead letters are in the transactions too.
#[test]
fn a_consumer_that_is_killed_again_and_again_doubles_nothing() {
    const KILLS: usize = 20;
    let (kafka, lines) = (shared_kafka().unwrap(), lines(200_000));
    let mut parts = lines.chunks(lines.len() / KILLS);
    let (mut scene, target) = exact_into(kafka, "exactly-killed", parts.next().unwrap());
    scene.spec["producer"]["source"]["file"]["follow"] = true.into();
    let producer = scene.produce();
    let bad: Vec<_> = (0..300_i32)
        .map(|number| {
            Raw::value(number % 3, [b"\x1f\x8b broken ", number.to_string().as_bytes()].concat())
        })
        .collect();
    let mut letters = bad.chunks(bad.len() / KILLS);
    let mut moments = moments(7);
    for kill in 0..KILLS {
        write(&scene.topic, letters.next().unwrap());
        append(&scene, parts.next().unwrap_or_default());
        let before = messages(&target);
        let consumer = scene.consume();
        // Every other one is killed in its first transactions, the others while they join or wait for a dead one's.
        if kill % 2 == 0 {
            until("it delivers", || messages(&target) > before);
        }
        thread::sleep(moments.next().unwrap());
        consumer.kill();
    }
    producer.await_delivered((lines.len() - lines.len() / KILLS) as u64);
    producer.terminate().well();
    scene.consume_all().well();
    Held::read(&target, &lines, PARTITIONS, true).check_exact("killed");
    let letters = read("exactly-killed.dlq");
    assert_eq!(letters.len(), bad.len(), "dead letters");
    let mut kept: Vec<_> = letters.into_iter().map(|letter| letter.value).collect();
    let mut expected: Vec<_> = bad.into_iter().map(|message| message.value).collect();
    kept.sort();
    expected.sort();
    assert_eq!(kept, expected);
}

#[test]
fn a_consumer_that_is_stopped_under_load_doubles_nothing_and_says_what_it_did() {
    let (kafka, lines) = (shared_kafka().unwrap(), lines(100_000));
    let (scene, target) = exact_into(kafka, "exactly-stopped", &lines);
    let mut delivered = 0;
    while delivered < 100_000 {
        let before = messages(&target);
        let consumer = scene.consume();
        until("it delivers", || messages(&target) > before);
        delivered += consumer.terminate().well().delivered;
    }
    assert_eq!(delivered, 100_000);
    Held::read(&target, &lines, PARTITIONS, true).check_exact("stopped");
}

#[test]
fn members_that_come_and_go_double_nothing() {
    let (kafka, lines) = (shared_kafka().unwrap(), lines(200_000));
    for (protocol, name) in [("classic", "exactly-groups"), ("consumer", "exactly-groups-new")] {
        let (mut scene, target) = exact_into(kafka, name, &lines);
        if protocol == "consumer" {
            scene.spec["kafka"]["options"] = serde_json::json!({"group.protocol": "consumer"});
        }
        let mut members: Vec<_> = (0..2).map(|_| scene.consume()).collect();
        for _ in 0..6 {
            let before = messages(&target);
            members.push(scene.consume());
            let since = Instant::now();
            until("somebody delivers, or all is done", || {
                messages(&target) > before || since.elapsed() > Duration::from_secs(3)
            });
            members.remove(0).terminate().well();
        }
        for member in members {
            member.terminate().well();
        }
        scene.consume_all().well();
        Held::read(&target, &lines, PARTITIONS, true).check_exact(name);
    }
}

#[test]
fn a_consumer_that_sleeps_longer_than_every_timeout_doubles_nothing() {
    use rustix::process::Signal;
    let (kafka, lines) = (shared_kafka().unwrap(), lines(200_000));
    let (scene, target) = exact_into(kafka, "exactly-asleep", &lines);
    let sleeper = scene.consume();
    until("it delivers", || messages(&target) > 1000);
    sleeper.signal(Signal::STOP);
    // The other one takes everything over, and is done before the first wakes up.
    let other = scene.consume_all().well();
    assert!(other.delivered > 0);
    sleeper.signal(Signal::CONT);
    sleeper.await_ready();
    sleeper.terminate();
    scene.consume_all().well();
    Held::read(&target, &lines, PARTITIONS, true).check_exact("asleep");
}

#[test]
fn a_broker_that_dies_doubles_nothing() {
    let (mut kafka, lines) = (kafka().unwrap(), lines(100_000));
    let (scene, target) = exact_into(&kafka, "exactly-broker", &lines);
    let consumer = scene.consume();
    until("it delivers", || kafka.end_offsets(&target).unwrap().iter().sum::<i64>() > 1000);
    kafka.kill().unwrap();
    consumer.await_unready("no broker answers");
    kafka.start_again().unwrap();
    consumer.await_ready();
    consumer.await_delivered(100_000);
    consumer.terminate().well();
    let committed = read_at(&kafka, &target);
    assert_eq!(committed.len(), lines.len());
}

#[test]
fn a_record_that_is_too_large_is_a_dead_letter_once() {
    const LARGE: [usize; 4] = [0, 7000, 7001, 19_999];
    let (kafka, mut lines) = (shared_kafka().unwrap(), lines(20_000));
    for number in LARGE {
        let text = "x".repeat(5000 + number % 1000);
        lines[number] =
            format!(r#"{{"seq":{number},"device":"d{}\u00e9","t":"{text}"}}"#, number % 97);
    }
    let (scene, target) = exact(kafka, "exactly-large", &lines);
    kafka.create_topic(&target, PARTITIONS, &[("max.message.bytes", "3000")]).unwrap();
    let consumer = scene.start("consume", &["--until-caught-up"]);
    let log = consumer.log_path();
    let report = consumer.wait().well();
    // Each refusal has to teach something: none may be taken for a trouble that passes.
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("a broker refuses a size"), "{log}");
    assert!(!log.contains("the transaction failed"), "{log}");
    assert_eq!((report.delivered, report.dead_lettered), (19_996, LARGE.len() as u64));
    let held = Held::read(&target, &lines, PARTITIONS, true);
    assert_eq!((held.lost(), held.duplicates()), (LARGE.to_vec(), 0));
    let letters = read("exactly-large.dlq");
    let mut kept: Vec<_> = letters.into_iter().map(|letter| letter.value.unwrap()).collect();
    let mut expected: Vec<_> =
        LARGE.iter().map(|number| lines[*number].clone().into_bytes()).collect();
    kept.sort();
    expected.sort();
    assert_eq!(kept, expected);
}

#[test]
fn a_topic_of_dead_letters_that_is_missing_is_awaited_and_letters_too_large_are_cut() {
    let (kafka, lines) = (shared_kafka().unwrap(), lines(5000));
    let (mut scene, target) = exact_into(kafka, "exactly-letters", &lines);
    let letters = "exactly-letters.bad";
    scene.spec["consumer"]["deadLetter"] =
        serde_json::json!({"topic": letters, "provision": "Never"});
    let large = [b"\x1f\x8b".as_slice(), &vec![b'x'; 20_000]].concat();
    let small = |partition| Raw::value(partition, b"\x1f\x8b small".to_vec());
    // More comes behind the one that has to be cut twice.
    write(&scene.topic, &[Raw::value(0, large.clone()), small(1), small(0), small(0)]);
    let consumer = scene.consume();
    consumer.await_unready(&format!("topic {letters} does not exist"));
    kafka.create_topic(letters, 1, &[("max.message.bytes", "9000")]).unwrap();
    until("all is kept", || consumer.report().accounting.dead_lettered == 4);
    consumer.await_ready();
    consumer.await_delivered(5000);
    consumer.terminate().well();
    Held::read(&target, &lines, PARTITIONS, true).check_exact("letters");
    let kept = read(letters);
    assert_eq!(kept.len(), 4, "{kept:?}");
    let cut = kept.iter().find(|letter| letter.value.as_ref().unwrap().len() > 100).unwrap();
    let header = cut.header("batchpipe-dlq").unwrap();
    assert!(header.contains(";truncated=1;size=20002"), "{header}");
    assert!(large.starts_with(cut.value.as_ref().unwrap()));
}

#[test]
fn a_topic_that_is_missing_or_may_not_be_written_is_awaited() {
    let (kafka, lines) = (shared_kafka().unwrap(), lines(20_000));
    let (scene, target) = exact(kafka, "exactly-missing", &lines);
    let consumer = scene.consume();
    consumer.await_unready(&format!("topic {target} does not exist; create it"));
    kafka.create_topic(&target, PARTITIONS, &[]).unwrap();
    consumer.await_ready();
    consumer.await_delivered(20_000);
    consumer.terminate().well();
    Held::read(&target, &lines, PARTITIONS, true).check_exact("missing");

    let (scene, target) = exact_into(kafka, "exactly-denied", &lines);
    kafka.deny_write(&target).unwrap();
    let consumer = scene.consume();
    consumer.await_unready("SinkUnavailable");
    kafka.allow_write(&target).unwrap();
    consumer.await_ready();
    consumer.await_delivered(20_000);
    consumer.terminate().well();
    Held::read(&target, &lines, PARTITIONS, true).check_exact("denied");
}
