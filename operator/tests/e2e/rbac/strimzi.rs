//! As much of Strimzi as the operator looks at: kinds that take any content, and objects as Strimzi leaves them.

use std::sync::Once;

use serde_json::{Value, json};

use crate::support::{Namespace, cluster, manifest};

/// Installs the kinds, once.
pub(super) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let all = [("Kafka", "kafkas"), ("KafkaUser", "kafkausers"), ("KafkaTopic", "kafkatopics")];
        let kinds: Vec<Value> = all.iter().map(|(kind, plural)| definition(kind, plural)).collect();
        let list = json!({"apiVersion": "v1", "kind": "List", "items": kinds}).to_string();
        cluster().kubectl_with_input(&["apply", "--server-side", "-f", "-"], &list).unwrap();
        for (_, plural) in all {
            let definition = format!("crd/{plural}.kafka.strimzi.io");
            cluster().kubectl(&["wait", "--for=condition=Established", &definition]).unwrap();
        }
    });
}

fn definition(kind: &str, plural: &str) -> Value {
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.kafka.strimzi.io")},
        "spec": {
            "group": "kafka.strimzi.io", "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase()},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": schema}}],
        },
    })
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
