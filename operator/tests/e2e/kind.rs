//! What `make kind` applies beside the chart is accepted by a real API server: nothing here runs a kind cluster.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::support::cluster;

#[test]
fn the_kafka_for_kind_is_accepted_and_so_is_its_pod_in_its_namespace() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kind-kafka.yaml");
    let text = fs::read_to_string(file).unwrap();
    let objects: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    let of = |kind: &str| objects.iter().find(|it| it["kind"] == kind).unwrap();
    // Objects of a namespace that is not there are refused, also when nothing is kept.
    cluster().kubectl_with_input(&["apply", "-f", "-"], &of("Namespace").to_string()).unwrap();
    let dry_run = ["create", "--dry-run=server", "--validate=strict", "-f", "-"];
    let rest = objects.iter().filter(|it| it["kind"] != "Namespace").map(Value::to_string);
    cluster().kubectl_with_input(&dry_run, &rest.collect::<Vec<_>>().join("\n---\n")).unwrap();
    // Only a pod itself is held against the namespace's Pod Security.
    let template = &of("StatefulSet")["spec"]["template"];
    let metadata = json!({"name": "kafka-0", "namespace": "batchpipe", "labels": template["metadata"]["labels"]});
    let pod =
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]});
    // Made by a controller, a moment later.
    crate::support::wait_for("the namespace's account", || {
        cluster().kubectl(&["get", "serviceaccount", "default", "--namespace=batchpipe"]).ok()
    });
    cluster().kubectl_with_input(&dry_run, &pod.to_string()).unwrap();
    let mut forbidden = pod;
    forbidden["spec"]["containers"][0]["securityContext"] = json!({"privileged": true});
    let error = cluster().kubectl_with_input(&dry_run, &forbidden.to_string()).unwrap_err();
    assert!(format!("{error:?}").contains("violates PodSecurity"), "{error:?}");
}
