//! As much of Strimzi as the operator looks at: kinds that take any content, and objects as Strimzi leaves them.

use std::sync::Once;

use serde_json::json;

use crate::support::{Namespace, cluster, install_strimzi, manifest};

/// Installs the kinds, once.
pub(super) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| install_strimzi(cluster()));
}

/// A Kafka, its user, and a pipeline with both.
pub(super) fn provoke(namespace: Namespace<'_>) {
    let server = "lab-kafka-bootstrap:9093";
    let kafka = json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka", "metadata": {"name": "lab"},
        "spec": {"kafka": {"listeners": [{"name": "tls", "port": 9093, "type": "internal",
            "tls": true, "authentication": {"type": "tls"}}]}},
        "status": {"listeners": [{"name": "tls", "bootstrapServers": server}]},
    });
    let user = json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaUser",
        "metadata": {"name": "me", "labels": {"strimzi.io/cluster": "lab"}},
        "spec": {"authentication": {"type": "tls"}},
        "status": {"username": "CN=me", "secret": "me"},
    });
    namespace.apply(&kafka.to_string());
    namespace.apply(&user.to_string());
    let pipeline = manifest("demo", "");
    let strimzi = "strimzi: {cluster: lab, listener: tls, user: me}";
    namespace.apply(&pipeline.replace("bootstrapServers: 'kafka:9093'", strimzi));
}

/// Whether the topic was made.
pub(super) fn has_topic(namespace: Namespace<'_>) -> bool {
    namespace.find("kafkatopic/demo").is_some()
}
