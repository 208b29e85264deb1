//! Members are asked to stop while the group is being joined: the time in which the broker takes no commits.
//!
//! Counted with the stdout sink, because the file sink knows by its files what it has, and hides a commit that was
//! lost. With Kafka's own intervals, because these decide how long a join takes.

use std::{thread, time::Duration};

use batchpipe_testbed::shared_kafka;
use serde_json::{Value, json};

use super::support::{Child, Records, Scene, Tally};

const TOTAL: usize = 60_000;
const RECORDS_PER_SECOND: u32 = 6000;
/// From before the first answer of the group to after the last one.
const DELAYS_MS: [u64; 6] = [0, 200, 800, 2000, 3300, 4500];

/// Which member is asked first.
#[derive(Clone, Copy, Debug)]
enum First {
    Old,
    New,
}

/// Stops one member so long after the second one was started; the other one later; a third one finishes. False when the
/// machine was too busy to tell whether that doubles anything.
fn stop_one(first: First, delay_ms: u64, options: &Value) -> bool {
    let name = format!("joined-{first:?}-{delay_ms}-{}", options.as_object().unwrap().len());
    let mut scene = Scene::new(shared_kafka().unwrap(), &name.to_lowercase());
    scene.generate(RECORDS_PER_SECOND, TOTAL);
    scene.spec["kafka"]["options"] = options.clone();
    scene.spec["topic"]["partitions"] = json!(6);
    scene.spec["consumer"]["sink"] = json!({"stdout": {}});
    let (producer, old) = (scene.produce(), scene.consume());
    old.await_delivered(1000);
    let new = scene.consume();
    // The admin server answers from the moment on at which the member begins to join.
    new.report();
    thread::sleep(Duration::from_millis(delay_ms));
    let (leaves, stays) = match first {
        First::Old => (old, new),
        First::New => (new, old),
    };
    let mut tally = Tally::new(&Records::of_seed(TOTAL));
    stop(leaves, &mut tally);
    producer.wait().well();
    stop(stays, &mut tally);
    let third = scene.start("consume", &["--until-caught-up"]);
    let output = third.output.clone();
    third.wait().well();
    tally.output(&output);
    let logs = scene.logs();
    tally.check_complete(&name);
    // On a machine that is too busy for heartbeats the group gives a member up, which is no graceful stop.
    if logs.contains(r#""is_lost":true"#) {
        println!("{name}: the group gave a member up; duplicates were not looked at");
        return false;
    }
    assert_eq!(tally.duplicates(), 0, "{name}: duplicated\n{logs}");
    true
}

fn stop(member: Child, tally: &mut Tally) {
    let output = member.output.clone();
    member.terminate().well();
    tally.output(&output);
}

fn stop_at_all_times(first: First, options: &Value) {
    let told = thread::scope(|scope| {
        let stop = |delay_ms| scope.spawn(move || stop_one(first, delay_ms, options));
        DELAYS_MS.map(stop).map(|stopped| stopped.join().unwrap())
    });
    assert!(told.contains(&true), "no stop was graceful, so that nothing is known of duplicates");
}

#[test]
fn an_old_member_that_stops_while_another_joins_doubles_nothing() {
    stop_at_all_times(First::Old, &json!({}));
}

#[test]
fn a_new_member_that_stops_while_it_joins_doubles_nothing() {
    stop_at_all_times(First::New, &json!({}));
}

#[test]
fn an_old_member_that_stops_doubles_nothing_under_the_new_protocol() {
    stop_at_all_times(First::Old, &json!({"group.protocol": "consumer"}));
}

#[test]
fn a_new_member_that_stops_doubles_nothing_under_the_new_protocol() {
    stop_at_all_times(First::New, &json!({"group.protocol": "consumer"}));
}
