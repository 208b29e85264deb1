//! The topic of records is not there, or may not be written: the consumer says so, waits, and goes on.

use batchpipe_testbed::shared_kafka;

use super::records::{Held, lines, scene};

const TOTAL: usize = 20_000;

#[test]
fn a_topic_that_is_missing_is_awaited() {
    let (kafka, lines) = (shared_kafka().unwrap(), lines(TOTAL));
    let (scene, target) = scene(kafka, "kafka-missing", &lines);
    let consumer = scene.consume();
    consumer.await_unready(&format!("topic {target} does not exist; create it"));
    let stopped = scene.start("consume", &["--grace-period", "1s"]);
    stopped.await_unready("does not exist; create it");
    stopped.terminate().well();
    kafka.create_topic(&target, 3, &[]).unwrap();
    consumer.await_ready();
    consumer.await_delivered(TOTAL as u64);
    consumer.terminate().well();
    Held::read(&target, &lines, 3, true).check_exact("missing");
}

#[test]
fn a_topic_that_may_not_be_written_is_awaited() {
    let (kafka, lines) = (shared_kafka().unwrap(), lines(TOTAL));
    let (scene, target) = scene(kafka, "kafka-denied", &lines);
    kafka.create_topic(&target, 3, &[]).unwrap();
    kafka.deny_write(&target).unwrap();
    let consumer = scene.consume();
    consumer.await_unready("SinkUnavailable");
    kafka.allow_write(&target).unwrap();
    consumer.await_ready();
    consumer.await_delivered(TOTAL as u64);
    consumer.terminate().well();
    Held::read(&target, &lines, 3, true).check_exact("denied");
}
