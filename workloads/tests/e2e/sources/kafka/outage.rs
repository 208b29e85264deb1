//! The brokers of the batches, or those of the source, are away for a while.

use std::{thread, time::Duration};

use batchpipe_testbed::{kafka, shared_kafka};
use serde_json::json;

use super::stage::Stage;

const TAKEN_AWAY: &str = "partitions of the source are taken away";

#[test]
fn a_producer_stays_in_the_group_while_the_brokers_of_the_batches_are_away() {
    const TOTAL: usize = 60_000;
    let mut target = kafka().unwrap();
    let source = shared_kafka().unwrap();
    let mut stage = Stage::new(source, "rebatched-away");
    stage.scene.spec["kafka"]["bootstrapServers"] = target.bootstrap_servers().into();
    stage.scene.spec["producer"]["source"]["kafka"]["bootstrapServers"] =
        source.bootstrap_servers().into();
    // Whoever does not poll for 6 s has to go.
    stage.scene.spec["kafka"]["options"] = json!({
        "session.timeout.ms": "4000",
        "heartbeat.interval.ms": "500",
        "max.poll.interval.ms": "6000",
    });
    let (records, pairs) = stage.records(TOTAL);
    let (before, after) = pairs.split_at(TOTAL / 3);
    stage.send(before);
    let producer = stage.produce_until(TOTAL / 3);
    target.stop().unwrap();
    stage.send(after);
    producer.await_unready("no broker answers");
    thread::sleep(Duration::from_secs(15));
    assert!(!producer.log().contains(TAKEN_AWAY), "{}", producer.log());
    target.start_again().unwrap();
    producer.await_ready();
    producer.await_delivered(TOTAL as u64);
    assert!(!producer.log().contains(TAKEN_AWAY), "{}", producer.log());
    producer.terminate().well();
    stage.await_committed();
    stage.tally(&target, &records).check_exact("rebatched-away");
}

#[test]
fn brokers_of_the_source_that_are_away_are_named_and_come_back() {
    let mut source = kafka().unwrap();
    let target = shared_kafka().unwrap();
    let (producer, records, scene) = {
        let mut stage = Stage::new(&source, "rebatched-source-away");
        stage.scene.spec["kafka"]["bootstrapServers"] = target.bootstrap_servers().into();
        stage.scene.spec["producer"]["source"]["kafka"]["bootstrapServers"] =
            source.bootstrap_servers().into();
        let (records, pairs) = stage.records(5000);
        stage.send(&pairs);
        (stage.produce_until(5000), records, stage.scene)
    };
    source.stop().unwrap();
    producer.await_unready("check spec.producer.source.kafka.bootstrapServers and");
    source.start_again().unwrap();
    producer.await_ready();
    producer.terminate().well();
    scene.tally_topic(target, &records).check_exact("rebatched-source-away");
}
