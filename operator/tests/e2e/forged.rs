//! The status belongs to the operator: what somebody else writes there is not believed, and written over.

use std::{thread::sleep, time::Duration};

use serde_json::{Value, json};

use crate::support::{Operator, Place, attended, options, wait_for};

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

#[test]
fn a_status_that_somebody_else_writes_is_not_believed_and_written_over() {
    let (cluster, server) = attended();
    let place = Place::new(&server, "forged");
    let rights = place.shipped_rights(cluster);
    let operator = Operator::at(
        &rights,
        options(&place.namespace, "operator"),
        crate::support::Faults::none(),
    );
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
    // Numbers may still be written.
    sleep(Duration::from_secs(1));
    let (before, pods) = (lasting(&place), replicas(&place));
    let generation =
        place.find("batchpipelines", "demo").unwrap()["metadata"]["generation"].clone();
    let path = format!("{}/demo/status", place.folder("batchpipelines"));
    server.merge(&path, &forged(&generation));
    assert_ne!(lasting(&place), before);
    wait_for("its own status", || (lasting(&place) == before).then_some(()));
    assert_eq!(replicas(&place), pods);
    let is_status = |it: &crate::support::Request| it.path.ends_with("/status");
    let writes = || operator.faults.writes().iter().filter(|it| is_status(it)).count();
    let at_first = writes();
    sleep(WINDOW);
    assert!(writes() <= at_first + 1, "{} writes of the status in {WINDOW:?}", writes() - at_first);
    assert_eq!((lasting(&place), replicas(&place)), (before, pods));
    operator.stop();
}
