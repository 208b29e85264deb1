//! Processes are asked to stop (SIGTERM) in the middle of their work: nothing is lost and nothing doubled.

use std::path::PathBuf;

use batchpipe_testbed::shared_kafka;
use serde_json::json;

use super::support::{Scene, Tally};

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
    let mut scene = Scene::new(kafka, "consumer-stopped");
    let records = scene.write_input(TOTAL);
    assert_eq!(scene.produce_all().well().delivered, TOTAL as u64);
    consume_with_stops(&scene);
    scene.tally_output(&records).check_exact("consumer stopped");

    // Once more without files, which know by their names what is in them and so hide a commit that was lost.
    scene.spec["consumer"]["group"] = json!("consumer-stopped-printing");
    scene.spec["consumer"]["sink"] = json!({"stdout": {}});
    let mut tally = Tally::new(&records);
    for output in consume_with_stops(&scene) {
        tally.output(&output);
    }
    tally.check_exact("printing consumer stopped");
}

/// Consumes the topic with stops under load; the standard outputs.
fn consume_with_stops(scene: &Scene) -> Vec<PathBuf> {
    let (mut delivered, mut outputs) = (0, Vec::new());
    for _ in 0..ROUNDS {
        if delivered > TOTAL as u64 / 2 {
            break; // the next one might find an end before it is stopped
        }
        let consumer = scene.consume();
        outputs.push(consumer.output.clone());
        consumer.await_accepted(1);
        delivered += consumer.terminate().well().delivered;
    }
    assert!(delivered < TOTAL as u64, "it was stopped under load");
    let last = scene.start("consume", &["--until-caught-up"]);
    outputs.push(last.output.clone());
    delivered += last.wait().well().delivered;
    assert_eq!(delivered, TOTAL as u64);
    outputs
}
