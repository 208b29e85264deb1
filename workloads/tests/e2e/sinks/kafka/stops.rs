//! The consumer is killed, which loses nothing, and asked to stop under load, which doubles nothing either.

use batchpipe_testbed::shared_kafka;

use super::records::{Held, lines, scene};
use crate::{faults::support::until, kit::topic::messages};

const TOTAL: usize = 100_000;

#[test]
fn a_consumer_that_is_killed_again_and_again_loses_nothing() {
    let (kafka, lines) = (shared_kafka().unwrap(), lines(TOTAL));
    let (scene, target) = scene(kafka, "kafka-killed", &lines);
    kafka.create_topic(&target, 3, &[]).unwrap();
    for _ in 0..4 {
        let before = messages(&target);
        let consumer = scene.consume();
        until("it delivers", || messages(&target) > before + 1000);
        consumer.kill();
    }
    scene.consume_all().well();
    let held = Held::read(&target, &lines, 3, true);
    println!("{target}: {} records came twice", held.duplicates());
    assert_eq!(held.lost(), [0_usize; 0]);
}

#[test]
fn a_consumer_that_is_stopped_under_load_doubles_nothing() {
    let (kafka, lines) = (shared_kafka().unwrap(), lines(TOTAL));
    let (scene, target) = scene(kafka, "kafka-stopped", &lines);
    kafka.create_topic(&target, 3, &[]).unwrap();
    for _ in 0..4 {
        let before = messages(&target);
        let consumer = scene.consume();
        until("it delivers", || messages(&target) > before + 1000);
        consumer.terminate().well();
    }
    scene.consume_all().well();
    Held::read(&target, &lines, 3, true).check_exact("stopped");
}
