//! Changes that are rolled out under load, and changes that cannot work: those that run go on.

use std::{thread, time::Duration};

use serde_json::{Value, json};

use crate::support::{Manifest, Pipeline, Side, bed, stays, wait_for};

/// Changes something that cannot work, sees that the old pods go on, also when one is killed, and mends it.
fn survives(name: &str, bad: &Value, good: &Value, says: &str) {
    let manifest = Manifest::new(name).with("/consumer/replicas", 2);
    let Some(pipeline) = Pipeline::flowing(&manifest) else { return };
    let before = pipeline.uids(Side::Consumer);
    pipeline.patch(bad);
    let said = pipeline.await_condition("Stalled", "True", says);
    println!("{name}: {said}");
    let old = || pipeline.uids(Side::Consumer).iter().filter(|uid| before.contains(uid)).count();
    assert_eq!((old(), pipeline.ready_pods(Side::Consumer)), (2, 2), "the old pods go on");
    pipeline.await_more();

    let pods = pipeline.pods(Side::Consumer);
    let pod = pods.iter().find(|pod| before.contains(&pod.uid().to_owned())).unwrap();
    pod.kill_processes();
    wait_for("the old container to be started again", || {
        let pods = pipeline.pods(Side::Consumer);
        let same = pods.iter().find(|it| it.uid() == pod.uid())?;
        (same.restarts() == 1 && same.is_ready()).then_some(())
    });
    pod.delete_by_force();
    wait_for("an old pod that is new", || {
        (pipeline.ready_pods(Side::Consumer) == 2 && old() == 1).then_some(())
    });
    pipeline.await_more();
    pipeline.await_condition("Stalled", "True", says);

    pipeline.patch(good);
    pipeline.await_ready();
    pipeline.await_more();
    pipeline.finish();
}

#[test]
fn an_image_that_is_not_there_stops_nothing_that_runs() {
    let bad = json!({"image": "batchpipe.local/workload:missing"});
    survives("bad-image", &bad, &json!({"image": ""}), "batchpipe.local/workload:missing");
}

#[test]
fn an_option_that_the_client_refuses_stops_nothing_that_runs() {
    let options = |value: Value| json!({"kafka": {"options": {"socket.keepalive.enable": value}}});
    survives(
        "bad-option",
        &options(json!("perhaps")),
        &options(Value::Null),
        "socket.keepalive.enable",
    );
}

/// For 3 minutes it may be a broker that is about to answer.
fn an_address_that_nobody_answers_at() {
    let servers = |address: &str| json!({"kafka": {"bootstrapServers": address}});
    survives("bad-address", &servers("kafka:9999"), &servers("kafka:9093"), "kafka:9999");
}

/// For 3 minutes it may be a node that is about to join.
fn pods_for_which_no_node_has_room() {
    let memory = |request: &str, limit: &str| {
        let resources = json!({"requests": {"memory": request}, "limits": {"memory": limit}});
        json!({"consumer": {"pod": {"resources": resources}}})
    };
    survives("no-room", &memory("1Ti", "1Ti"), &memory("64Mi", "256Mi"), "Insufficient memory");
}

#[test]
fn what_may_pass_by_itself_and_does_not_stops_nothing_that_runs() {
    // They wait most of the time.
    thread::scope(|scope| {
        scope.spawn(an_address_that_nobody_answers_at);
        scope.spawn(pods_for_which_no_node_has_room);
    });
}

#[test]
fn a_codec_that_is_changed_under_load_costs_no_pod_and_both_are_read() {
    let Some(bed) = bed() else { return };
    let manifest = Manifest::new("codec")
        .with("/compression", json!({"codec": "zlib"}))
        .with("/producer/replicas", 2)
        .with("/consumer/replicas", 2);
    let Some(pipeline) = Pipeline::flowing(&manifest) else { return };
    let (producers, consumers) = (pipeline.uids(Side::Producer), pipeline.uids(Side::Consumer));
    pipeline.patch(&json!({"compression": {"codec": "zstd"}}));
    let fewest = wait_for_new(&pipeline, &producers);
    assert!(fewest >= 2, "{fewest} producers were ready for a time");
    assert_eq!(pipeline.uids(Side::Consumer), consumers, "consumers read every codec");
    pipeline.await_ready();
    pipeline.await_more();
    pipeline.drain();
    let mut tap = std::process::Command::new(&bed.batchpipe);
    tap.args(["tap", "--topic", "codec", "--batches", "--until-caught-up"]);
    let output = tap.args(["--brokers", &bed.stage.kafka().bootstrap_servers()]).output().unwrap();
    let batches = String::from_utf8(output.stdout).unwrap();
    for codec in ["zlib", "zstd"] {
        let count = batches.lines().filter(|line| line.contains(codec)).count();
        println!("{count} batches of {codec}");
        assert!(count > 0, "no {codec} in {batches}");
    }
    pipeline.finish();
}

/// Waits until no producer is of before, and gives the smallest number of producers that were ready meanwhile.
fn wait_for_new(pipeline: &Pipeline, before: &[String]) -> i64 {
    let mut fewest = i64::MAX;
    wait_for("producers of the new codec", || {
        fewest = fewest.min(pipeline.ready_pods(Side::Producer));
        let pods = pipeline.uids(Side::Producer);
        (pods.len() == 2 && pods.iter().all(|uid| !before.contains(uid))).then_some(())
    });
    stays(Duration::from_secs(2), "two producers ready", || {
        pipeline.ready_pods(Side::Producer) == 2
    });
    fewest
}
