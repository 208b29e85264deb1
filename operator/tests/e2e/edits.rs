//! Edits by hand that server-side apply alone can never undo, because together with what is wanted they are refused:
//! each is undone, and leaves nothing behind. Nor does it matter who takes away the notes of who has applied what.

use serde_json::Value;

use crate::support::{Faults, Namespace, Operator, Server, cluster, manifest, wait_for};

/// A child, how it is edited, and with what.
const EDITS: [(&str, &str, &str); 9] = [
    (
        "poddisruptionbudget/demo-consumer",
        "merge",
        r#"{"spec": {"maxUnavailable": null, "minAvailable": 1}}"#,
    ),
    (
        "deployment/demo-producer",
        "json",
        r#"[{"op": "replace", "path": "/spec/template/spec/containers/0/env/1",
            "value": {"name": "BATCHPIPE_ADMIN", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}}]"#,
    ),
    (
        "deployment/demo-producer",
        "json",
        r#"[{"op": "replace", "path": "/spec/template/spec/containers/0/ports/0/containerPort", "value": 9999}]"#,
    ),
    (
        "deployment/demo-producer",
        "strategic",
        r#"{"spec": {"template": {"spec": {"containers": [{"name": "batchpipe",
            "livenessProbe": {"httpGet": null, "exec": {"command": ["true"]}}}]}}}}"#,
    ),
    (
        "deployment/demo-producer",
        "strategic",
        r#"{"spec": {"template": {"spec": {"volumes": [{"name": "VOLUME", "secret": null, "emptyDir": {}}]}}}}"#,
    ),
    (
        "deployment/demo-producer",
        "strategic",
        r#"{"spec": {"strategy": {"type": "Recreate", "rollingUpdate": null}}}"#,
    ),
    (
        "deployment/demo-consumer",
        "strategic",
        r#"{"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 2}}}}"#,
    ),
    (
        "service/demo-producer",
        "json",
        r#"[{"op": "replace", "path": "/spec/ports/0/port", "value": 9999}]"#,
    ),
    (
        "networkpolicy/demo-producer",
        "json",
        r#"[{"op": "replace", "path": "/spec/ingress/0/from",
            "value": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]"#,
    ),
];

const PIPELINE: &str = "
apiVersion: batchpipe.dev/v1alpha1
kind: BatchPipeline
metadata: {name: demo}
spec:
  kafka: {bootstrapServers: 'kafka:9093', tls: {ca: {secret: ca}}}
  producer: {source: {http: {}}}
  consumer: {sink: {file: {path: /data/out, volumeClaim: out}}}
";

fn spec(namespace: Namespace<'_>, child: &str) -> Value {
    namespace.get(child)["spec"].clone()
}

#[test]
fn an_edit_that_cannot_be_applied_over_is_undone_and_leaves_nothing() {
    let namespace = Namespace::new(cluster(), "edits");
    let operator = Operator::start(namespace);
    namespace.apply(PIPELINE);
    namespace.await_children("demo");
    wait_for("the Service", || namespace.find("service/demo-producer"));
    let volume =
        spec(namespace, "deployment/demo-producer")["template"]["spec"]["volumes"][0]["name"]
            .clone();
    for (child, kind, edit) in EDITS {
        let before = namespace.get(child);
        let edit = edit.replace("VOLUME", volume.as_str().unwrap());
        let kind = format!("--type={kind}");
        let answer = namespace.kubectl(&["patch", child, &kind, "--patch", &edit, "-o", "json"]);
        let edited: Value = serde_json::from_str(&answer).unwrap();
        assert_ne!(edited["spec"], before["spec"], "{child}: {edit}");
        wait_for(&format!("{child} as before {edit}"), || {
            (spec(namespace, child) == before["spec"]).then_some(())
        });
        assert_eq!(namespace.get(child)["metadata"]["uid"], before["metadata"]["uid"], "{child}");
    }
    // All at once, and what is wanted changes meanwhile.
    for (child, kind, edit) in EDITS {
        let edit = edit.replace("VOLUME", volume.as_str().unwrap());
        let _ = namespace.try_kubectl(&["patch", child, &format!("--type={kind}"), "-p", &edit]);
    }
    namespace.apply(&format!("{PIPELINE}  state: Paused\n"));
    for side in ["producer", "consumer"] {
        wait_for("the pause", || {
            (spec(namespace, &format!("deployment/demo-{side}"))["replicas"] == 0).then_some(())
        });
    }
    operator.stop();
}

#[test]
fn characters_that_yaml_refuses_reach_the_pods_and_come_to_rest() {
    let namespace = Namespace::new(cluster(), "characters");
    let operator = Operator::start(namespace);
    let note = "a\u{7f}b\u{85}c\u{9f}d\u{2028}e";
    let mut object: Value = serde_saphyr::from_str(&manifest("demo", "")).unwrap();
    object["spec"]["producer"]["pod"]["annotations"]["note"] = note.into();
    object["spec"]["producer"]["key"] = "/\u{7f}".into();
    Server::of(cluster()).create(
        &format!("/apis/batchpipe.dev/v1alpha1/namespaces/{}/batchpipelines", namespace.name),
        &object,
    );
    namespace.await_children("demo");
    let template = spec(namespace, "deployment/demo-producer")["template"].clone();
    assert_eq!(template["metadata"]["annotations"]["note"], note);
    let generation = || namespace.get("deployment/demo-producer")["metadata"]["generation"].clone();
    let before = generation();
    namespace.kubectl(&["annotate", "batchpipeline/demo", "look=again"]);
    let looks = operator.looks();
    wait_for("another look", || (operator.looks() > looks).then_some(()));
    assert_eq!(generation(), before);
    operator.stop();
}

#[test]
fn a_child_whose_managed_fields_were_cleared_stays_ours() {
    let namespace = Namespace::new(cluster(), "cleared");
    let operator = Operator::start(namespace);
    namespace.pipeline("demo", "");
    namespace.await_children("demo");
    let clear = r#"{"metadata": {"managedFields": [{}]}}"#;
    for child in ["deployment/demo-consumer", "serviceaccount/demo-batchpipe"] {
        namespace.kubectl(&["patch", child, "--type=merge", "--patch", clear]);
        wait_for("our entry", || {
            let entries = namespace.get(child)["metadata"]["managedFields"].clone();
            let is_ours =
                |it: &Value| it["manager"] == "batchpipe-operator" && it["operation"] == "Apply";
            entries.as_array()?.iter().any(is_ours).then_some(())
        });
    }
    namespace.kubectl(&["scale", "bp", "demo", "--replicas=3"]);
    let replicas = || spec(namespace, "deployment/demo-consumer")["replicas"].clone();
    wait_for("three consumers", || (replicas() == 3).then_some(()));
    // Cleared while nobody looks, and found so by who comes next.
    operator.stop();
    namespace.kubectl(&["patch", "deployment/demo-consumer", "--type=merge", "--patch", clear]);
    namespace.pipeline("demo", "  state: Paused\n");
    let operator = Operator::with(namespace, "next", Faults::none());
    wait_for("the pause", || (replicas() == 0).then_some(()));
    operator.stop();
}
