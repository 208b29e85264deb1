//! Rights are withdrawn and given back: each side says what it may not do, waits, and goes on in order.

use batchpipe_testbed::shared_kafka;

use super::support::{Records, Scene, read_topic};

const TOTAL: usize = 80_000;
const REFUSED: &str = "AuthorizationFailed";

#[test]
fn a_producer_that_may_not_write_waits_until_it_may() {
    let kafka = shared_kafka().unwrap();
    let mut scene = Scene::new(kafka, "write-denied");
    scene.generate(8000, TOTAL);
    let producer = scene.produce();
    producer.await_delivered(10_000);
    kafka.deny_write("write-denied").unwrap();
    producer.await_unready(REFUSED);
    kafka.allow_write("write-denied").unwrap();
    producer.await_ready();
    producer.wait().well();
    let records = Records::of_seed(TOTAL);
    let mut tally = super::support::Tally::new(&records);
    let mut partition = (-1, 0);
    for message in read_topic(kafka, "write-denied") {
        if message.partition != partition.0 {
            partition = (message.partition, tally.order.len());
        }
        tally.text(&message.open().1);
        assert!(tally.order[partition.1..].is_sorted(), "order of partition {}", partition.0);
        partition.1 = tally.order.len() - 1;
    }
    tally.check_exact("write denied");
}

#[test]
fn a_consumer_that_may_not_read_waits_until_it_may() {
    let kafka = shared_kafka().unwrap();
    let mut scene = Scene::new(kafka, "read-denied");
    scene.generate(8000, TOTAL);
    let (producer, consumer) = (scene.produce(), scene.consume());
    consumer.await_delivered(10_000);
    kafka.deny_read("read-denied").unwrap();
    consumer.await_unready(REFUSED);
    producer.wait().well();
    consumer.await_unready(REFUSED);
    kafka.allow_read("read-denied").unwrap();
    consumer.await_ready();
    consumer.await_delivered(TOTAL as u64);
    consumer.terminate().well();
    let records = Records::of_seed(TOTAL);
    let tally = scene.tally_output(&records);
    tally.check_exact("read denied");
    // Files are counted partition by partition: the order breaks only where the next one begins.
    let breaks = tally.order.windows(2).filter(|pair| pair[0] > pair[1]).count();
    assert!(breaks <= 2, "{breaks} breaks in the order of 3 partitions");
    scene.check_committed();
}

#[test]
fn a_consumer_is_ready_again_without_new_messages() {
    let kafka = shared_kafka().unwrap();
    let scene = Scene::new(kafka, "read-idle");
    scene.write_input(1000);
    scene.produce_all().well();
    let consumer = scene.consume();
    consumer.await_delivered(1000);
    kafka.deny_read("read-idle").unwrap();
    consumer.await_unready(REFUSED);
    kafka.allow_read("read-idle").unwrap();
    consumer.await_ready();
    consumer.terminate().well();
}
