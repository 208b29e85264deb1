//! Children that are changed by hand are restored; what others add to them is left alone.

use std::{thread::sleep, time::Duration};

use serde_json::{Value, json};

use crate::support::{CHILDREN, Namespace, Operator, Request, cluster, wait_for};

/// A running operator with a pipeline whose children are all there.
fn ready(topic: &str) -> (Namespace<'static>, Operator) {
    let namespace = Namespace::new(cluster(), topic);
    let operator = Operator::start(namespace);
    namespace.pipeline("demo", "");
    namespace.await_children("demo");
    (namespace, operator)
}

fn children() -> [String; 7] {
    CHILDREN.map(|child| child.replace("NAME", "demo"))
}

fn uid(object: &Value) -> Value {
    object["metadata"]["uid"].clone()
}

#[test]
fn every_child_that_is_deleted_is_made_again() {
    let (namespace, operator) = ready("deleted");
    let before = children().map(|child| uid(&namespace.get(&child)));
    for child in children() {
        namespace.kubectl(&["delete", &child]);
    }
    for (child, before) in children().iter().zip(before) {
        wait_for(child, || namespace.find(child).filter(|it| uid(it) != before));
    }
    operator.stop();
}

#[test]
fn edits_of_wanted_fields_are_undone_and_nothing_is_made_anew() {
    let (namespace, operator) = ready("edited");
    let before = uid(&namespace.get("deployment/demo-producer"));
    namespace.kubectl(&["scale", "deployment/demo-producer", "--replicas=5"]);
    namespace.kubectl(&["set", "image", "deployment/demo-producer", "*=evil:1"]);
    let opened = r#"{"spec": {"ingress": [{}]}}"#;
    namespace.kubectl(&["patch", "networkpolicy/demo-producer", "--type=merge", "--patch", opened]);
    let token = r#"{"automountServiceAccountToken": true}"#;
    namespace.kubectl(&[
        "patch",
        "serviceaccount/demo-batchpipe",
        "--type=merge",
        "--patch",
        token,
    ]);
    wait_for("the Deployment as it was", || {
        let spec = namespace.get("deployment/demo-producer")["spec"].clone();
        let image = &spec["template"]["spec"]["containers"][0]["image"];
        (spec["replicas"] == 1 && *image == crate::support::IMAGE).then_some(())
    });
    wait_for("the policy as it was", || {
        let policy = namespace.get("networkpolicy/demo-producer");
        policy["spec"]["ingress"][0].get("from").map(|_| ())
    });
    wait_for("no token", || {
        let account = namespace.get("serviceaccount/demo-batchpipe");
        (account["automountServiceAccountToken"] == false).then_some(())
    });
    assert_eq!(uid(&namespace.get("deployment/demo-producer")), before);
    operator.stop();
}

#[test]
fn a_policy_or_budget_that_was_made_to_select_nothing_selects_its_pods_again() {
    let (namespace, operator) = ready("selector");
    for (child, selector, kind) in [
        ("networkpolicy/demo-producer", "podSelector", "matchLabels"),
        ("networkpolicy/demo-consumer", "podSelector", "matchExpressions"),
        ("poddisruptionbudget/demo-producer", "selector", "matchLabels"),
    ] {
        let before = namespace.get(child)["spec"][selector].clone();
        let more = match kind {
            "matchLabels" => json!({"a": "b"}),
            _ => json!([{"key": "a", "operator": "Exists"}]),
        };
        let patch = json!({"spec": {selector: {kind: more}}}).to_string();
        let answer =
            namespace.kubectl(&["patch", child, "--type=merge", "--patch", &patch, "-o", "json"]);
        let patched: Value = serde_json::from_str(&answer).unwrap();
        assert_ne!(patched["spec"][selector], before, "{child}");
        wait_for(&format!("the selector of {child}"), || {
            (namespace.get(child)["spec"][selector] == before).then_some(())
        });
    }
    operator.stop();
}

#[test]
fn what_stops_or_hijacks_a_deployment_is_undone_without_a_rollout() {
    let (namespace, operator) = ready("hijacked");
    let deployment = "deployment/demo-producer";
    let before = namespace.get(deployment)["spec"].clone();
    namespace.kubectl(&["rollout", "pause", deployment]);
    wait_for("the rollout to be resumed", || {
        namespace.get(deployment)["spec"].get("paused").is_none().then_some(())
    });
    let command = r#"[{"op": "add", "path": "/spec/template/spec/containers/0/command", "value": ["sleep"]}]"#;
    namespace.kubectl(&["patch", deployment, "--type=json", "--patch", command]);
    wait_for("the image's own command", || {
        let container =
            namespace.get(deployment)["spec"]["template"]["spec"]["containers"][0].clone();
        container.get("command").is_none().then_some(())
    });
    assert_eq!(namespace.get(deployment)["spec"], before);
    operator.stop();
}

fn await_label(namespace: Namespace<'_>, child: &str, label: &str, wanted: &str) {
    wait_for(&format!("{label} of {child}"), || {
        let labels = namespace.get(child)["metadata"]["labels"].clone();
        (labels[format!("app.kubernetes.io/{label}")] == wanted).then_some(())
    });
}

#[test]
fn labels_and_owners_that_were_taken_away_or_changed_are_given_back() {
    let (namespace, operator) = ready("stripped");
    for child in children() {
        let before = namespace.get(&child);
        namespace.kubectl(&["label", &child, "app.kubernetes.io/managed-by-"]);
        await_label(namespace, &child, "managed-by", "batchpipe-operator");
        // One that is given to another pipeline keeps its place in our caches, and has to be put back all the same.
        namespace.kubectl(&["label", "--overwrite", &child, "app.kubernetes.io/instance=other"]);
        await_label(namespace, &child, "instance", "demo");
        let patch = r#"{"metadata": {"ownerReferences": null}}"#;
        namespace.kubectl(&["patch", &child, "--type=merge", "--patch", patch]);
        let restored = wait_for(&format!("the owner of {child}"), || {
            let object = namespace.get(&child);
            object["metadata"]["ownerReferences"].is_array().then_some(object)
        });
        assert_eq!(uid(&restored), uid(&before), "{child} was made anew");
    }
    operator.stop();
}

#[test]
fn what_others_add_is_left_alone() {
    let (namespace, operator) = ready("injected");
    namespace.await_reason("demo", "Ready", "Progressing");
    let looks = operator.looks();
    let sidecar = r#"{"spec": {"template": {"metadata": {"annotations": {"team": "a"}}, "spec": {"containers": [{"name": "sidecar", "image": "s:1"}]}}}}"#;
    namespace.kubectl(&[
        "patch",
        "deployment/demo-producer",
        "--type=strategic",
        "--patch",
        sidecar,
    ]);
    namespace.kubectl(&["annotate", "serviceaccount/demo-batchpipe", "cloud/role=x"]);
    let written = || {
        let is_of_child =
            |it: &Request| !it.path.contains("batchpipelines") && !it.path.contains("/events");
        operator.faults.writes().into_iter().filter(is_of_child).collect::<Vec<_>>()
    };
    let at_first = written();
    wait_for("a look at what was added", || (operator.looks() > looks + 1).then_some(()));
    sleep(Duration::from_secs(3));
    assert_eq!(written(), at_first, "it is no reason to write");
    let before = operator.faults.writes().len();
    // A change of ours is written over it, and still does not take it away.
    namespace.pipeline("demo", "  batch: {maxRecords: 7}");
    wait_for("the change", || (operator.faults.writes().len() > before).then_some(()));
    wait_for("the new configuration", || {
        namespace
            .get("deployment/demo-producer")
            .to_string()
            .contains("\\\"maxRecords\\\":7")
            .then_some(())
    });
    let template = namespace.get("deployment/demo-producer")["spec"]["template"].clone();
    let containers = template["spec"]["containers"].as_array().unwrap().clone();
    assert!(containers.iter().any(|it| it["name"] == "sidecar"), "{containers:?}");
    assert_eq!(template["metadata"]["annotations"]["team"], "a");
    let account = namespace.get("serviceaccount/demo-batchpipe");
    assert_eq!(account["metadata"]["annotations"]["cloud/role"], "x");
    operator.stop();
}

#[test]
fn a_side_that_is_no_longer_wanted_goes_with_all_of_its_children() {
    let (namespace, operator) = ready("one-side");
    namespace.kubectl(&[
        "patch",
        "batchpipeline/demo",
        "--type=json",
        "--patch",
        r#"[{"op": "remove", "path": "/spec/producer"}]"#,
    ]);
    for child in ["deployment", "networkpolicy", "poddisruptionbudget"] {
        wait_for("the producer to go", || {
            namespace.find(&format!("{child}/demo-producer")).is_none().then_some(())
        });
        namespace.get(&format!("{child}/demo-consumer"));
    }
    operator.stop();
}

#[test]
fn fields_that_are_no_longer_wanted_are_removed() {
    let (namespace, operator) = ready("removed");
    let selector = |namespace: Namespace<'_>| {
        namespace.get("deployment/demo-producer")["spec"]["template"]["spec"]["nodeSelector"]
            .clone()
    };
    let pod = r#"{"spec": {"producer": {"pod": {"nodeSelector": {"disk": "fast"}}}}}"#;
    namespace.kubectl(&["patch", "batchpipeline/demo", "--type=merge", "--patch", pod]);
    wait_for("the selector", || (selector(namespace)["disk"] == "fast").then_some(()));
    let none = r#"{"spec": {"producer": {"pod": null}}}"#;
    namespace.kubectl(&["patch", "batchpipeline/demo", "--type=merge", "--patch", none]);
    wait_for("no selector", || selector(namespace).is_null().then_some(()));
    operator.stop();
}

#[test]
fn a_deleted_pipeline_leaves_nothing() {
    let (namespace, operator) = ready("gone");
    namespace.kubectl(&["delete", "batchpipeline/demo"]);
    for child in children() {
        wait_for(&format!("{child} to go"), || namespace.find(&child).is_none().then_some(()));
    }
    operator.stop();
}
