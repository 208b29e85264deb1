//! Strimzi's kinds as it publishes them, without anything behind them, and objects as its operators leave them.

use batchpipe_testbed::{ControlPlane, strimzi_crds};
use serde_json::{Value, json};

use super::wait_for;

/// Installs the kinds of `Kafka`, `KafkaTopic` and `KafkaUser`.
pub(crate) fn install_strimzi(cluster: &ControlPlane) {
    let folder = strimzi_crds().unwrap().display().to_string();
    cluster.kubectl(&["apply", "--server-side", "--filename", &folder]).unwrap();
    let kinds =
        ["kafkas", "kafkatopics", "kafkausers"].map(|it| format!("crd/{it}.kafka.strimzi.io"));
    for kind in kinds {
        // kubectl gives up when it asks before the first condition is there.
        wait_for(&kind, || cluster.kubectl(&["wait", "--for=condition=Established", &kind]).ok());
    }
}

/// A Kafka as people write it: name, whether it is encrypted and authentication of each listener.
pub(crate) fn kafka(name: &str, listeners: &[(&str, bool, Option<&str>)]) -> Value {
    let listener = |(port, (name, tls, login)): (i32, &(&str, bool, Option<&str>))| {
        let mut listener = json!({"name": name, "port": port, "type": "internal", "tls": tls});
        if let Some(login) = login {
            listener["authentication"] = json!({"type": login});
        }
        listener
    };
    let listeners: Vec<Value> = (9092..).zip(listeners).map(listener).collect();
    json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka", "metadata": {"name": name},
        "spec": {"kafka": {"listeners": listeners}},
    })
}

/// What the Cluster Operator writes of a Kafka that is there: name and address of each listener.
pub(crate) fn kafka_status(listeners: &[(&str, &str)]) -> Value {
    let listener = |(name, servers): &(&str, &str)| {
        let (host, port) = servers.rsplit_once(':').unwrap();
        let port: i32 = port.parse().unwrap();
        json!({"name": name, "addresses": [{"host": host, "port": port}], "bootstrapServers": servers})
    };
    let listeners: Vec<Value> = listeners.iter().map(listener).collect();
    json!({"conditions": [ready()], "observedGeneration": 1, "clusterId": "OvMbZyk0TQGHUoSTaPj2mA",
        "listeners": listeners})
}

/// A `KafkaUser` of the cluster `lab`, as people write it.
pub(crate) fn user(name: &str, authentication: &str) -> Value {
    json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaUser",
        "metadata": {"name": name, "labels": {"strimzi.io/cluster": "lab"}},
        "spec": {"authentication": {"type": authentication}},
    })
}

/// What the User Operator writes of a user that is there.
pub(crate) fn user_status(username: &str, secret: &str) -> Value {
    json!({"conditions": [ready()], "observedGeneration": 1, "username": username, "secret": secret})
}

/// What any of them writes when it cannot do what it should.
pub(crate) fn complaint(message: &str) -> Value {
    json!({"type": "NotReady", "status": "True", "reason": "InvalidResourceException",
        "message": message, "lastTransitionTime": "2026-08-22T10:00:00.000000000Z"})
}

fn ready() -> Value {
    json!({"type": "Ready", "status": "True", "lastTransitionTime": "2026-08-22T10:00:00.000000000Z"})
}
