//! Producers join the group and leave it under load.

use std::{thread, time::Duration};

use batchpipe_testbed::shared_kafka;
use serde_json::json;

use super::stage::Stage;
use crate::faults::support::until;

#[test]
fn producers_that_join_and_leave_lose_nothing() {
    const TOTAL: usize = 60_000;
    let kafka = shared_kafka().unwrap();
    let stage = Stage::new(kafka, "rebatched-members");
    let (records, pairs) = stage.records(TOTAL);
    thread::scope(|scope| {
        let sender = scope.spawn(|| {
            for some in pairs.chunks(500) {
                stage.send(some);
                thread::sleep(Duration::from_millis(100));
            }
        });
        let first = stage.produce_until(1000);
        for _ in 0..2 {
            let second = stage.produce_until(1000);
            second.terminate().well();
            let before = first.report().accounting.delivered;
            first.await_delivered(before + 100);
        }
        sender.join().unwrap();
        stage.await_committed();
        first.terminate().well();
    });
    stage.tally(kafka, &records).check_exact("rebatched-members");
}

/// Whoever gets a partition goes on where the group is, so what is on its way then would be sent twice.
#[test]
fn what_is_on_its_way_is_awaited_before_a_partition_is_given_back() {
    const TOTAL: usize = 12_000;
    let kafka = shared_kafka().unwrap();
    let mut stage = Stage::new(kafka, "rebatched-awaited");
    // Of whatever is read for so long, something is always on its way.
    stage.scene.spec["batch"] = json!({"maxRecords": 100_000, "linger": "2s"});
    let (records, pairs) = stage.records(TOTAL);
    thread::scope(|scope| {
        let sender = scope.spawn(|| {
            for some in pairs.chunks(20) {
                stage.send(some);
                thread::sleep(Duration::from_millis(10));
            }
        });
        let first = stage.produce_until(1);
        let second = stage.produce_until(1);
        assert!(!sender.is_finished(), "nothing was on its way");
        sender.join().unwrap();
        stage.await_committed();
        first.terminate().well();
        second.terminate().well();
    });
    stage.tally(kafka, &records).check_exact("rebatched-awaited");
}

#[test]
fn a_group_that_lets_nobody_in_is_named() {
    let kafka = shared_kafka().unwrap();
    let mut stage = Stage::new(kafka, "rebatched-two-protocols");
    let (_, pairs) = stage.records(100);
    stage.send(&pairs);
    let first = stage.produce_until(100);
    // Another assignor than ours.
    let other: rdkafka::consumer::BaseConsumer = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", kafka.bootstrap_servers())
        .set("group.id", "rebatched-other")
        .set("partition.assignment.strategy", "range")
        .create()
        .unwrap();
    rdkafka::consumer::Consumer::subscribe(&other, &[&stage.raw]).unwrap();
    until("the other one is a member", || {
        let _ = other.poll(Duration::from_millis(100)); // whatever comes
        rdkafka::consumer::Consumer::assignment(&other).is_ok_and(|all| all.count() > 0)
    });
    first.terminate().well();
    stage.scene.spec["producer"]["source"]["kafka"]["group"] = "rebatched-other".into();
    let second = stage.scene.produce();
    until("it is told", || {
        let _ = other.poll(Duration::from_millis(20)); // it stays a member
        let (status, body) = second.get("/readyz");
        status == 503 && body.contains("has members with another assignor")
    });
    drop(other);
    second.await_ready();
    second.await_delivered(100);
    second.terminate().well();
}
