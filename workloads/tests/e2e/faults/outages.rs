//! The broker goes away under load and comes back: both sides say so, and go on by themselves.

use std::{
    thread,
    time::{Duration, Instant},
};

use batchpipe_testbed::{Kafka, kafka};

use super::support::{Child, Records, Scene};

/// Both sides at work.
struct Running<'a> {
    kafka: &'a mut Kafka,
    producer: Child,
    consumer: Child,
}

const NO_BROKER: &str = "no broker answers";

/// Records in a message, at most.
const PER_MESSAGE: u64 = 200;

/// Runs both sides through an outage. Everything arrives, and nothing twice but what was counted as sent again: an answer
/// that never came says nothing of whether the broker has the message, once its client had to be made anew.
fn ride_out(name: &str, total: usize, outage: impl FnOnce(&mut Running<'_>)) {
    let mut kafka = kafka().unwrap();
    let mut scene = Scene::new(&kafka, name);
    scene.generate(5000, total);
    let (producer, consumer) = (scene.produce(), scene.consume());
    let mut running = Running { kafka: &mut kafka, producer, consumer };
    running.producer.await_delivered(10_000);
    running.consumer.await_delivered(5_000);
    outage(&mut running);
    running.producer.await_ready();
    running.consumer.await_ready();
    let Running { kafka, mut producer, consumer } = running;
    let (resent, records) = (producer.last_report().accounting.resent, Records::of_seed(total));
    producer.wait().well();
    let topic = scene.tally_topic(kafka, &records);
    topic.check_complete(&format!("{name}, topic, {resent} messages sent again"));
    consumer.await_delivered(total as u64 + topic.duplicates());
    consumer.terminate().well();
    let sink = scene.tally_output(&records);
    sink.check_complete(&format!("{name}, sink"));
    assert!(
        topic.duplicates() <= resent * PER_MESSAGE,
        "only what was sent again can be there twice"
    );
    assert_eq!(sink.duplicates(), topic.duplicates(), "each message is delivered once");
    scene.check_committed();
}

#[test]
fn a_broker_that_is_down_for_half_a_minute_costs_nothing() {
    ride_out("broker-stopped", 250_000, |running| {
        running.kafka.stop().unwrap();
        let down = Instant::now();
        running.producer.await_unready(NO_BROKER);
        running.consumer.await_unready(NO_BROKER);
        thread::sleep(Duration::from_secs(30).saturating_sub(down.elapsed()));
        running.producer.await_unready(NO_BROKER);
        running.kafka.start_again().unwrap();
    });
}

#[test]
fn a_broker_that_is_killed_costs_nothing() {
    ride_out("broker-killed", 150_000, |running| {
        for _ in 0..2 {
            running.kafka.kill().unwrap();
            running.producer.await_unready(NO_BROKER);
            running.consumer.await_unready(NO_BROKER);
            running.kafka.start_again().unwrap();
            running.producer.await_ready();
            running.consumer.await_ready();
        }
    });
}

#[test]
fn a_broker_that_hangs_costs_nothing() {
    ride_out("broker-paused", 200_000, |running| {
        running.kafka.pause().unwrap();
        let down = Instant::now();
        running.consumer.await_unready(NO_BROKER);
        thread::sleep(Duration::from_secs(20).saturating_sub(down.elapsed()));
        running.kafka.resume().unwrap();
    });
}

#[test]
fn an_idle_producer_is_ready_again_when_the_broker_is() {
    let mut kafka = kafka().unwrap();
    let mut scene = Scene::new(&kafka, "idle");
    scene.spec["producer"]["source"]["file"]["follow"] = true.into();
    scene.write_input(1000);
    let producer = scene.produce();
    producer.await_delivered(1000);
    kafka.stop().unwrap();
    producer.await_unready(NO_BROKER);
    kafka.start_again().unwrap();
    producer.await_ready();
    producer.terminate().well();
}
