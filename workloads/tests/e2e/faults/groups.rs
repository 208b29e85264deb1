//! Members of the group come, go, and are taken for dead.

use std::{
    fs::{self, OpenOptions},
    io, thread,
    time::Duration,
};

use batchpipe_testbed::{Kafka, shared_kafka};
use rdkafka::{
    ClientConfig,
    producer::{BaseProducer, BaseRecord, Producer as _},
};
use rustix::process::Signal;

use super::support::{Child, PATIENCE, Records, Scene, Tally, until};
use crate::kit::command::{Running, python};

/// A second consumer of the same group with a folder of its own.
fn start_second(scene: &mut Scene, folder: &str) -> Child {
    let own = scene.spec["consumer"]["sink"]["file"]["path"].take();
    scene.spec["consumer"]["sink"]["file"]["path"] =
        scene.folder.path().join(folder).display().to_string().into();
    let child = scene.consume();
    scene.spec["consumer"]["sink"]["file"]["path"] = own;
    child
}

fn partitions(child: &Child) -> usize {
    child.report().lag.len()
}

/// Waits until nothing that is in the topic is unread.
fn await_caught_up(child: &Child) {
    until("it has caught up", || {
        let report = child.report();
        let is_done = report.lag.iter().all(|partition| {
            let is_dated = partition.asked_at_ms.is_some_and(|asked| asked <= report.begun_at_ms);
            partition.messages == Some(0) && is_dated
        });
        report.lag.len() == 3 && report.partitions == Some(3) && is_done
    });
}

#[test]
fn members_that_join_and_leave_under_load_lose_and_double_nothing() {
    const TOTAL: usize = 200_000;
    let kafka = shared_kafka().unwrap();
    let mut scene = Scene::new(kafka, "rebalanced");
    scene.generate(10_000, TOTAL);
    let (producer, first) = (scene.produce(), scene.consume());
    first.await_delivered(10_000);
    for _ in 0..3 {
        let second = start_second(&mut scene, "second");
        second.await_delivered(3000);
        second.terminate().well();
        until("all partitions are back", || partitions(&first) == 3);
    }
    producer.wait().well();
    await_caught_up(&first);
    first.terminate().well();
    let mut tally = scene.tally_output(&Records::of_seed(TOTAL));
    let mine = tally.order.len();
    tally.folder(&scene.folder.path().join("second"));
    assert!(mine < tally.order.len(), "both had their share");
    tally.check_exact("rebalanced");
}

#[test]
fn a_member_that_slept_past_its_session_loses_nothing() {
    const TOTAL: usize = 150_000;
    let kafka = shared_kafka().unwrap();
    let mut scene = Scene::new(kafka, "slept");
    scene.generate(10_000, TOTAL);
    let (producer, first) = (scene.produce(), scene.consume());
    first.await_delivered(10_000);
    let second = start_second(&mut scene, "second");
    second.await_delivered(2000);
    first.signal(Signal::STOP);
    until("the other one has taken over", || partitions(&second) == 3);
    thread::sleep(Duration::from_secs(2));
    first.signal(Signal::CONT);
    first.await_ready();
    producer.wait().well();
    until("both have caught up", || {
        let lags = [first.report().lag, second.report().lag].concat();
        lags.len() == 3 && lags.iter().all(|partition| partition.messages == Some(0))
    });
    first.terminate().well();
    second.terminate().well();
    let mut tally = Tally::new(&Records::of_seed(TOTAL));
    tally.folder(&scene.output());
    tally.folder(&scene.folder.path().join("second"));
    tally.check_complete("slept");
    // Files that were complete, but not committed when it fell asleep: a second's worth, and some patience.
    assert!(tally.duplicates() <= 30_000, "{} duplicated", tally.duplicates());
}

/// Whoever asks for the whole topic to be delivered must not be told so while others have not delivered their part.
#[test]
fn catching_up_waits_for_what_other_members_have() {
    const TOTAL: usize = 30_000;
    let kafka = shared_kafka().unwrap();
    let mut scene = Scene::new(kafka, "caught-up-together");
    let records = scene.write_input(TOTAL);
    scene.spec["consumer"]["sink"] = serde_json::json!({"stdout": {}});
    scene.produce_all().well();
    let mut first = scene.start_piped("consume");
    first.await_unready("SinkUnavailable");
    let mut second = scene.start("consume", &["--until-caught-up"]);
    until("it says that it waits for the other one", || {
        second.log().contains("waiting for the group to commit those of others")
    });
    assert!(second.runs());
    let mut pipe = first.process().stdout.take().unwrap();
    let mut printed = fs::File::create(&first.output).unwrap();
    let copy = thread::spawn(move || io::copy(&mut pipe, &mut printed).unwrap());
    let (firsts, seconds) = (first.output.clone(), second.output.clone());
    second.wait().well();
    assert!(first.terminate().status.success());
    copy.join().unwrap();
    let mut tally = Tally::new(&records);
    tally.output(&firsts);
    tally.output(&seconds);
    tally.check_complete("caught-up-together");
}

/// Sends an input in one transaction, some lines in each message, to three partitions in turn.
fn send_in_a_transaction(kafka: &Kafka, topic: &str, input: &str) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", kafka.bootstrap_servers())
        .set("transactional.id", topic)
        .create()
        .unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    producer.begin_transaction().unwrap();
    let lines: Vec<_> = input.lines().collect();
    for (lines, partition) in lines.chunks(10).zip([0, 1, 2].into_iter().cycle()) {
        let value = lines.join("\n");
        let message = BaseRecord::<(), String>::to(topic).payload(&value).partition(partition);
        producer.send(message).unwrap();
    }
    producer.commit_transaction(PATIENCE).unwrap();
}

/// The end of a transaction takes an offset that no committed one ever passes.
#[test]
fn catching_up_does_not_wait_for_what_is_no_message() {
    let kafka = shared_kafka().unwrap();
    let mut scene = Scene::new(kafka, "caught-up-transaction");
    kafka.create_topic(&scene.topic, 3, &[]).unwrap();
    let records = scene.write_input(3000);
    scene.spec["consumer"]["sink"] = serde_json::json!({"stdout": {}});
    send_in_a_transaction(kafka, &scene.topic, &fs::read_to_string(scene.input()).unwrap());
    let first = scene.consume();
    first.await_delivered(3000);
    let (firsts, second) = (first.output.clone(), scene.start("consume", &["--until-caught-up"]));
    let seconds = second.output.clone();
    second.wait().well();
    first.terminate().well();
    let mut tally = Tally::new(&records);
    tally.output(&firsts);
    tally.output(&seconds);
    tally.check_complete("caught-up-transaction");
}

#[test]
fn a_stop_before_everything_was_delivered_is_a_failure_that_says_so() {
    let mut scene = Scene::new(shared_kafka().unwrap(), "not-caught-up");
    scene.spec["topic"]["provision"] = "Never".into();
    let child = scene.start("consume", &["--until-caught-up"]);
    child.await_unready("topic not-caught-up");
    child.signal(Signal::TERM);
    let log = child.log_path();
    assert_eq!(child.wait().status.code(), Some(1));
    let log = fs::read_to_string(log).unwrap();
    assert!(log.contains("stopped before everything was delivered"), "{log}");
}

/// As when somebody moves from another consumer to ours and keeps the group: the broker lets in nobody who shares no
/// assignor with the members.
#[test]
fn members_with_another_assignor_are_named_and_the_group_is_joined_when_they_have_gone() {
    const FIRST: usize = 1000;
    const THEIRS: usize = 1500;
    const TOTAL: usize = 1800;
    let mut scene = Scene::new(shared_kafka().unwrap(), "other-assignor");
    scene.spec["compression"] = serde_json::json!({"codec": "zlib"});
    let mut records = scene.write_input(FIRST);
    let mut append = |more| {
        let mut file = OpenOptions::new().append(true).open(scene.input()).unwrap();
        records.append(&mut file, more);
        scene.produce_all().well();
    };
    append(0);
    let mut other = python("origin_consumer.py", &["--raw", "--records", &THEIRS.to_string()]);
    other.envs([("KAFKA_TOPIC", &scene.topic), ("KAFKA_GROUP", &scene.topic)]);
    other.args(["--idle", "120"]).env("PYTHONUNBUFFERED", "1");
    let other = Running::start(other);
    until("the other one is a member", || other.has_printed());

    let ours = scene.consume();
    ours.await_unready("group: group other-assignor has members with another assignor");
    append(THEIRS - FIRST);
    let printed = other.wait().success().stdout;
    ours.await_ready();
    append(TOTAL - THEIRS);
    ours.await_delivered((TOTAL - THEIRS) as u64);
    ours.terminate().well();
    let mut tally = scene.tally_output(&records);
    tally.text(&printed);
    tally.check_exact("other-assignor");
}
