//! What happens to pipelines and their children while no operator runs.

use std::{thread::sleep, time::Duration};

use serde_json::{Value, json};

use crate::support::Place;

fn pipeline(name: &str, kafka: &Value, sink: &Value) -> Value {
    json!({
        "apiVersion": "batchpipe.dev/v1alpha1", "kind": "BatchPipeline", "metadata": {"name": name},
        "spec": {
            "kafka": kafka, "topic": {"partitions": 1},
            "producer": {"source": {"generator": {}}}, "consumer": {"sink": sink},
        },
    })
}

pub(super) fn make(place: &Place) {
    let kafka = json!({"bootstrapServers": "kafka:9093"});
    place.create("batchpipelines", &pipeline("demo", &kafka, &json!({"blackhole": {}})));
}

fn with_folder(place: &Place, name: &str, claim: &str) {
    let sink = json!({"file": {"volumeClaim": claim, "path": "/data/out"}});
    let kafka = json!({"bootstrapServers": "kafka:9093"});
    place.create("batchpipelines", &pipeline(name, &kafka, &sink));
}

/// Ages have whole seconds.
pub(super) fn older_and_younger(place: &Place, claim: &str) {
    with_folder(place, "demo", "shared");
    sleep(Duration::from_millis(1100));
    with_folder(place, "other", claim);
}

pub(super) fn set(place: &Place, spec: &Value) {
    place.merge("batchpipelines", "demo", &json!({"spec": spec}));
}

pub(super) fn claim(place: &Place, claim: &str) {
    let spec = json!({"consumer": {"sink": {"file": {"volumeClaim": claim}}}});
    place.merge("batchpipelines", "other", &json!({"spec": spec}));
}

pub(super) fn foreign(place: &Place) {
    place.create("serviceaccounts", &json!({"metadata": {"name": "demo-batchpipe"}}));
    let labels = json!({"app": "theirs"});
    let containers = json!([{"name": "theirs", "image": "theirs:1"}]);
    place.create(
        "deployments",
        &json!({
            "metadata": {"name": "demo-producer"},
            "spec": {"replicas": 0, "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}}},
        }),
    );
}

pub(super) fn clear(place: &Place) {
    place.delete("deployments", "demo-producer");
    place.delete("serviceaccounts", "demo-batchpipe");
}

pub(super) fn strimzi(place: &Place) {
    place.create_kafka("lab");
}

pub(super) fn with_strimzi(place: &Place) {
    let kafka = json!({"strimzi": {"cluster": "lab", "listener": "plain"}});
    let mut object = pipeline("demo", &kafka, &json!({"blackhole": {}}));
    object["spec"]["consumer"]["deadLetter"] = json!({"provision": "Auto"});
    object["spec"]["topic"]["provision"] = "Auto".into();
    place.create("batchpipelines", &object);
}

pub(super) fn edit_pods(place: &Place) {
    let evil = json!([{"name": "batchpipe", "image": "evil:1"}]);
    let spec = json!({"replicas": 3, "template": {"spec": {"containers": evil}}});
    place.merge("deployments", "demo-producer", &json!({"spec": spec}));
    place.merge("networkpolicies", "demo-producer", &json!({"spec": {"ingress": [{}]}}));
}

pub(super) fn strip(place: &Place) {
    let stripped = json!({"metadata": {"labels": null, "ownerReferences": null}});
    place.merge("serviceaccounts", "demo-batchpipe", &stripped);
    place.merge("deployments", "demo-consumer", &stripped);
    place.merge("poddisruptionbudgets", "demo-consumer", &json!({"spec": {"maxUnavailable": 7}}));
}
