//! Strimzi's kinds, without its schemas and without anything behind them.

use batchpipe_testbed::ControlPlane;
use serde_json::json;

/// Kinds of Strimzi, without their schemas.
pub(crate) fn install_strimzi(cluster: &ControlPlane) {
    for (kind, plural) in
        [("Kafka", "kafkas"), ("KafkaUser", "kafkausers"), ("KafkaTopic", "kafkatopics")]
    {
        let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        let version = json!({"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}});
        let names = json!({"kind": kind, "plural": plural, "singular": kind.to_lowercase()});
        let crd = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.kafka.strimzi.io")},
            "spec": {"group": "kafka.strimzi.io", "scope": "Namespaced", "names": names, "versions": [version]},
        });
        cluster.kubectl_with_input(&["apply", "-f", "-"], &crd.to_string()).unwrap();
        cluster
            .kubectl(&[
                "wait",
                "--for=condition=Established",
                &format!("crd/{plural}.kafka.strimzi.io"),
            ])
            .unwrap();
    }
}
