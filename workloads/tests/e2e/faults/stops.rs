//! Processes are asked to stop (SIGTERM) in the middle of their work: nothing is lost and nothing doubled.

use batchpipe_testbed::shared_kafka;

use super::support::Scene;

const TOTAL: usize = 1_000_000;
const ROUNDS: u64 = 3;

#[test]
fn a_producer_stopped_under_load_goes_on_where_it_stopped() {
    let kafka = shared_kafka().unwrap();
    let mut scene = Scene::new(kafka, "producer-stopped");
    let records = scene.write_input(TOTAL);
    scene.slow_down();
    let mut delivered = 0;
    for _ in 0..ROUNDS {
        let producer = scene.produce();
        producer.await_delivered(1);
        delivered += producer.terminate().well().delivered;
    }
    assert!(delivered < TOTAL as u64, "it was stopped under load");
    scene.speed_up();
    delivered += scene.produce_all().well().delivered;
    scene.tally_topic(kafka, &records).check_exact("producer stopped");
    assert_eq!(delivered, TOTAL as u64);
}

#[test]
fn a_consumer_stopped_under_load_leaves_nothing_out_and_nothing_twice() {
    let kafka = shared_kafka().unwrap();
    let scene = Scene::new(kafka, "consumer-stopped");
    let records = scene.write_input(TOTAL);
    assert_eq!(scene.produce_all().well().delivered, TOTAL as u64);
    let mut delivered = 0;
    for _ in 0..ROUNDS {
        let consumer = scene.consume();
        consumer.await_accepted(1);
        delivered += consumer.terminate().well().delivered;
    }
    assert!(delivered < TOTAL as u64, "it was stopped under load");
    delivered += scene.consume_all().well().delivered;
    scene.tally_output(&records).check_exact("consumer stopped");
    assert_eq!(delivered, TOTAL as u64);
}
