//! What happens to pipelines, in steps there and back.

use std::{thread::sleep, time::Duration};

use serde_json::{Value, json};

use super::scenario::{
    Goal::{Gone, Ready},
    Scenario, Step,
};
use crate::support::Place;

const IS_READY: super::scenario::Goal = Ready("demo", "AsDesired");

fn pipeline(name: &str, kafka: Value, sink: Value) -> Value {
    json!({
        "apiVersion": "batchpipe.dev/v1alpha1", "kind": "BatchPipeline", "metadata": {"name": name},
        "spec": {
            "kafka": kafka, "topic": {"partitions": 1},
            "producer": {"source": {"generator": {}}}, "consumer": {"sink": sink},
        },
    })
}

fn make(place: &Place) {
    let kafka = json!({"bootstrapServers": "kafka:9093"});
    place.create("batchpipelines", &pipeline("demo", kafka, json!({"blackhole": {}})));
}

fn with_folder(place: &Place, name: &str, claim: &str) {
    let sink = json!({"file": {"volumeClaim": claim, "path": "/data/out"}});
    let kafka = json!({"bootstrapServers": "kafka:9093"});
    place.create("batchpipelines", &pipeline(name, kafka, sink));
}

/// Ages have whole seconds.
fn older_and_younger(place: &Place, claim: &str) {
    with_folder(place, "demo", "shared");
    sleep(Duration::from_millis(1100));
    with_folder(place, "other", claim);
}

fn set(place: &Place, spec: &Value) {
    place.merge("batchpipelines", "demo", &json!({"spec": spec}));
}

fn claim(place: &Place, claim: &str) {
    let spec = json!({"consumer": {"sink": {"file": {"volumeClaim": claim}}}});
    place.merge("batchpipelines", "other", &json!({"spec": spec}));
}

fn foreign(place: &Place) {
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

fn clear(place: &Place) {
    place.delete("deployments", "demo-producer");
    place.delete("serviceaccounts", "demo-batchpipe");
}

fn strimzi(place: &Place) {
    let listener = json!({"name": "plain", "bootstrapServers": "lab-kafka-bootstrap:9092"});
    place.create("kafkas", &json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka", "metadata": {"name": "lab"},
        "spec": {"kafka": {"listeners": [{"name": "plain", "port": 9092, "type": "internal", "tls": false}]}},
        "status": {"listeners": [listener]},
    }));
}

fn with_strimzi(place: &Place) {
    let mut object = pipeline(
        "demo",
        json!({"strimzi": {"cluster": "lab", "listener": "plain"}}),
        json!({"blackhole": {}}),
    );
    object["spec"]["consumer"]["deadLetter"] = json!({"provision": "Auto"});
    object["spec"]["topic"]["provision"] = "Auto".into();
    place.create("batchpipelines", &object);
}

fn edit_pods(place: &Place) {
    let evil = json!([{"name": "batchpipe", "image": "evil:1"}]);
    let spec = json!({"replicas": 3, "template": {"spec": {"containers": evil}}});
    place.merge("deployments", "demo-producer", &json!({"spec": spec}));
    place.merge("networkpolicies", "demo-producer", &json!({"spec": {"ingress": [{}]}}));
}

fn strip(place: &Place) {
    let stripped = json!({"metadata": {"labels": null, "ownerReferences": null}});
    place.merge("serviceaccounts", "demo-batchpipe", &stripped);
    place.merge("deployments", "demo-consumer", &stripped);
    place.merge("poddisruptionbudgets", "demo-consumer", &json!({"spec": {"maxUnavailable": 7}}));
}

const fn step(name: &'static str, act: fn(&Place), goal: super::scenario::Goal) -> Step {
    Step { name, act, goal }
}

const fn scenario(name: &'static str, set_up: fn(&Place), there: Step, back: Step) -> Scenario {
    Scenario { name, lanes: 1, set_up, there, back }
}

/// Changes of the spec.
fn changes() -> Vec<Scenario> {
    vec![
        scenario(
            "scale",
            make,
            step(
                "scaled up",
                |at| set(at, &json!({"producer": {"replicas": 2}, "consumer": {"replicas": 3}})),
                IS_READY,
            ),
            step(
                "scaled down",
                |at| set(at, &json!({"producer": {"replicas": 1}, "consumer": {"replicas": 1}})),
                IS_READY,
            ),
        ),
        scenario(
            "image",
            make,
            step(
                "image changed",
                |at| set(at, &json!({"image": "example.com/batchpipe:next"})),
                IS_READY,
            ),
            step("image changed back", |at| set(at, &json!({"image": null})), IS_READY),
        ),
        scenario(
            "codec",
            make,
            step(
                "codec changed",
                |at| set(at, &json!({"compression": {"codec": "zlib"}})),
                IS_READY,
            ),
            step(
                "codec changed back",
                |at| set(at, &json!({"compression": {"codec": "zstd"}})),
                IS_READY,
            ),
        ),
        scenario(
            "side",
            make,
            step("side removed", |at| set(at, &json!({"producer": null})), IS_READY),
            step(
                "side added",
                |at| set(at, &json!({"producer": {"source": {"generator": {}}}})),
                IS_READY,
            ),
        ),
        scenario(
            "invalid",
            make,
            step(
                "made invalid",
                |at| set(at, &json!({"producer": {"source": {"generator": null, "stdin": {}}}})),
                Ready("demo", "InvalidSpec"),
            ),
            step(
                "mended",
                |at| set(at, &json!({"producer": {"source": {"generator": {}, "stdin": null}}})),
                IS_READY,
            ),
        ),
        scenario(
            "pause",
            make,
            step("paused", |at| set(at, &json!({"state": "Paused"})), Ready("demo", "Paused")),
            step("resumed", |at| set(at, &json!({"state": "Running"})), IS_READY),
        ),
        Scenario {
            lanes: 4,
            ..scenario(
                "drain",
                make,
                step(
                    "drained",
                    |at| set(at, &json!({"state": "Drained"})),
                    Ready("demo", "Drained"),
                ),
                step(
                    "resumed after draining",
                    |at| set(at, &json!({"state": "Running"})),
                    IS_READY,
                ),
            )
        },
    ]
}

/// Pipelines and children that come and go.
fn lives() -> Vec<Scenario> {
    vec![
        scenario(
            "create",
            |_| {},
            step("created", make, IS_READY),
            step("deleted", |at| at.delete_last("batchpipelines", "demo"), Gone("demo")),
        ),
        scenario(
            "edit",
            make,
            step("children edited", edit_pods, IS_READY),
            step("children stripped", strip, IS_READY),
        ),
        scenario(
            "lose",
            make,
            step("children deleted", clear, IS_READY),
            step(
                "more children deleted",
                |at| {
                    at.delete("deployments", "demo-consumer");
                    at.delete("networkpolicies", "demo-consumer");
                    at.delete("poddisruptionbudgets", "demo-producer");
                },
                IS_READY,
            ),
        ),
        scenario(
            "conflict",
            |at| older_and_younger(at, "own"),
            step("conflict began", |at| claim(at, "shared"), Ready("other", "Conflict")),
            step("conflict ended", |at| claim(at, "own"), Ready("other", "AsDesired")),
        ),
        scenario(
            "heir",
            |at| older_and_younger(at, "shared"),
            step(
                "the older one deleted",
                |at| at.delete_last("batchpipelines", "demo"),
                Ready("other", "AsDesired"),
            ),
            step(
                "an older one wins",
                |at| {
                    at.delete_last("batchpipelines", "other");
                    super::scenario::await_gone(at, "other");
                    older_and_younger(at, "shared");
                },
                Ready("other", "Conflict"),
            ),
        ),
        scenario(
            "foreign",
            |at| {
                foreign(at);
                make(at);
            },
            step("foreign objects gone", clear, IS_READY),
            step(
                "foreign objects came",
                |at| {
                    clear(at);
                    foreign(at);
                },
                Ready("demo", "Conflict"),
            ),
        ),
        scenario(
            "strimzi",
            strimzi,
            step("created with Strimzi", with_strimzi, IS_READY),
            step(
                "deleted with Strimzi",
                |at| {
                    at.delete_last("batchpipelines", "demo");
                    for topic in at.list("kafkatopics") {
                        at.delete("kafkatopics", topic["metadata"]["name"].as_str().unwrap());
                    }
                },
                Gone("demo"),
            ),
        ),
    ]
}

pub(super) fn all() -> Vec<Scenario> {
    lives().into_iter().chain(changes()).collect()
}
