//! The status belongs to the operator: what somebody else writes there is not believed, and written over.

use std::{
    net::Ipv4Addr,
    thread::sleep,
    time::{Duration, Instant},
};

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::{
    Faults, Namespace, Operator, Place, Request, answer_at, attended, cluster, give_address,
    options, wait_for,
};

/// How long somebody goes on writing, and how often he is answered at most meanwhile.
const FIGHT: Duration = Duration::from_secs(30);
const MOST_ANSWERS: usize = 24;
/// How long nothing may be written once it is as it was.
const WINDOW: Duration = Duration::from_secs(6);

/// What somebody says who wants the consumer stopped and everybody content.
fn forged(generation: &Value) -> Value {
    let condition = |kind: &str, status: &str, reason: &str| {
        json!({"type": kind, "status": status, "reason": reason, "message": "forged",
            "observedGeneration": generation, "lastTransitionTime": "2026-01-01T00:00:00Z"})
    };
    json!({"status": {
        "phase": "Drained",
        "observedGeneration": 1000,
        "waitsFor": "somebody",
        "draining": {"since": "2026-01-01T00:00:00Z", "ends": {"0": 0}},
        "conditions": [
            condition("Ready", "False", "Conflict"),
            condition("Stalled", "True", "Conflict"),
            condition("ConsumerReady", "False", "SecretMissing"),
        ],
    }})
}

/// The status without what moves by itself.
fn lasting(place: &Place) -> Value {
    let mut status = place.find("batchpipelines", "demo").unwrap()["status"].clone();
    status["data"].take();
    for condition in status["conditions"].as_array_mut().unwrap() {
        condition["lastTransitionTime"].take();
    }
    status
}

fn replicas(place: &Place) -> [Value; 2] {
    ["producer", "consumer"].map(|side| {
        place.find("deployments", &format!("demo-{side}")).unwrap()["spec"]["replicas"].clone()
    })
}

/// How often the status was written.
fn status_writes(operator: &Operator) -> usize {
    let is_status = |it: &&Request| it.path.ends_with("/status");
    operator.faults.writes().iter().filter(is_status).count()
}

/// A pipeline that is ready.
fn ready(topic: &str) -> (Place, Operator) {
    let (cluster, server) = attended();
    let place = Place::new(&server, topic);
    let rights = place.shipped_rights(cluster);
    let operator = Operator::at(&rights, options(&place.namespace, "operator"), Faults::none());
    place.create("batchpipelines", &json!({
        "apiVersion": "batchpipe.dev/v1alpha1", "kind": "BatchPipeline", "metadata": {"name": "demo"},
        "spec": {
            "kafka": {"bootstrapServers": "kafka:9093"}, "topic": {"partitions": 1},
            "producer": {"source": {"generator": {}}}, "consumer": {"sink": {"blackhole": {}}},
        },
    }));
    let is_ready = || {
        let object = place.find("batchpipelines", "demo")?;
        let ready =
            object["status"]["conditions"].as_array()?.iter().find(|it| it["type"] == "Ready")?;
        (ready["reason"] == "AsDesired").then_some(())
    };
    wait_for("the pipeline", is_ready);
    (place, operator)
}

#[test]
fn a_status_that_somebody_else_writes_is_not_believed_and_written_over() {
    let (place, operator) = ready("forged");
    // Numbers may still be written.
    sleep(Duration::from_secs(1));
    let (before, pods) = (lasting(&place), replicas(&place));
    let generation =
        place.find("batchpipelines", "demo").unwrap()["metadata"]["generation"].clone();
    let path = format!("{}/demo/status", place.folder("batchpipelines"));
    place.server.merge(&path, &forged(&generation));
    assert_ne!(lasting(&place), before);
    wait_for("its own status", || (lasting(&place) == before).then_some(()));
    assert_eq!(replicas(&place), pods);
    let at_first = status_writes(&operator);
    sleep(WINDOW);
    let more = status_writes(&operator) - at_first;
    assert!(more <= 1, "{more} writes of the status in {WINDOW:?}");
    assert_eq!((lasting(&place), replicas(&place)), (before, pods));
    operator.stop();
}

#[test]
fn who_writes_the_status_again_and_again_is_answered_seldom_and_named() {
    let (place, operator) = ready("fought");
    let path = format!("{}/demo/status", place.folder("batchpipelines"));
    let status = || place.find("batchpipelines", "demo").unwrap()["status"].clone();
    let (begun, before, mut theirs) = (Instant::now(), status_writes(&operator), 0);
    while begun.elapsed() < FIGHT {
        if status()["phase"] != "Degraded" {
            place.server.merge(&path, &json!({"status": {"phase": "Degraded"}}));
            theirs += 1;
        }
        sleep(Duration::from_millis(20));
    }
    let ours = status_writes(&operator) - before;
    println!("{theirs} writes of theirs and {ours} of ours in {FIGHT:?}");
    assert!((5..=MOST_ANSWERS).contains(&ours), "{ours} writes in {FIGHT:?}");
    wait_for("who it is", || {
        let conditions = status()["conditions"].as_array()?.clone();
        let stalled = conditions.into_iter().find(|it| it["type"] == "Stalled")?;
        let message = stalled["message"].as_str()?;
        let is_said =
            message.contains("the status of BatchPipeline demo is changed again and again");
        (stalled["reason"] == "Conflict" && is_said && !message.contains("another operator"))
            .then_some(())
    });
    operator.stop();
}

/// Where the consumer that is behind answers.
const BEHIND: Ipv4Addr = Ipv4Addr::new(127, 78, 0, 2);

/// A consumer that has 50 messages left of 100.
fn behind() -> Value {
    let now = Timestamp::now().as_millisecond();
    let partition = json!({"partition": 0, "askedAtMs": now, "position": 50, "committed": 50,
        "end": 100, "messages": 50, "records": 50, "seconds": 3.0});
    json!({
        "role": "consumer", "version": "0.1.0", "uptimeSeconds": 5.0, "begunAtMs": now,
        "state": "Running", "ready": true, "topic": "demo", "rates": {"recordsPerSecond": 10.0,
        "batchesPerSecond": 0.0, "rawBytesPerSecond": 0.0, "wireBytesPerSecond": 0.0},
        "accepted": 0, "delivered": 0, "deadLettered": 0, "released": 0, "inFlight": 0,
        "batches": 0, "rawBytes": 0, "wireBytes": 0, "lag": [partition], "stalled": [],
        "partitions": 1,
    })
}

#[test]
fn an_end_of_draining_that_somebody_else_writes_stops_no_consumer() {
    let namespace = Namespace::new(cluster(), "undrained");
    answer_at(BEHIND, behind);
    let operator = Operator::with(namespace, "first", Faults::none());
    namespace.pipeline("demo", "");
    namespace.await_children("demo");
    give_address(namespace, BEHIND);
    namespace.pipeline("demo", "  state: Drained");
    let await_draining = || {
        wait_for("what is left", || {
            let status = &namespace.get("bp/demo")["status"];
            let is_said = status["phase"] == "Draining" && status["draining"]["ends"]["0"] == 100;
            is_said.then_some(())
        });
    };
    await_draining();
    let forge = || {
        let draining = json!({"since": "2026-01-01T00:00:00Z", "ends": {"0": 1}});
        let status = json!({"status": {"phase": "Drained", "draining": draining}}).to_string();
        let patch = ["--subresource=status", "--type=merge", "--patch", &status];
        namespace.kubectl(&[&["patch", "bp/demo"], patch.as_slice()].concat());
    };
    let assert_goes_on = |operator: &Operator| {
        let looks = operator.looks();
        wait_for("several looks", || (operator.looks() > looks + 3).then_some(()));
        await_draining();
        let consumer = namespace.get("deployment/demo-consumer");
        assert_eq!(consumer["spec"]["replicas"], 1, "{}", namespace.get("bp/demo")["status"]);
    };
    forge();
    assert_goes_on(&operator);
    // While nobody looks after it.
    operator.stop();
    forge();
    let second = Operator::with(namespace, "second", Faults::none());
    wait_for("the second to lead", || second.leads().then_some(()));
    assert_goes_on(&second);
    second.stop();
}
