//! Who is on the way out, or cannot be carried out: what its pods work with is nobody else's until they are gone, and
//! what it only wants keeps nobody waiting.

use serde_json::json;

use crate::{
    conflicts::sharing,
    support::{Namespace, Operator, cluster, wait_for},
};

/// Something that keeps an object although it was deleted, as a node keeps a pod that is being stopped.
const HELD: &str = r#"{"metadata": {"finalizers": ["example.com/held"]}}"#;
const FREED: &str = r#"{"metadata": {"finalizers": null}}"#;

fn patch(namespace: Namespace<'_>, object: &str, patch: &str) {
    namespace.kubectl(&["patch", object, "--type=merge", "--patch", patch]);
}

/// Two pipelines that want the same group: `first` has a consumer's pod, which is given, and `second` waits.
fn rivals(topic: &str) -> (Namespace<'static>, Operator, String) {
    let namespace = Namespace::new(cluster(), topic);
    let operator = Operator::start(namespace);
    namespace.apply(&sharing("first", "kafka:9093"));
    namespace.await_children("first");
    let select = "app.kubernetes.io/component=consumer,app.kubernetes.io/instance=first";
    let pod = wait_for("the first's pod", || {
        let names = namespace.kubectl(&["get", "pods", "--selector", select, "--output", "name"]);
        names.lines().next().map(str::to_owned)
    });
    namespace.apply(&sharing("second", "kafka:9093"));
    namespace.await_reason("second", "Ready", "Conflict");
    (namespace, operator, pod)
}

/// Waits until the second says this of why it waits; it has made nothing.
fn await_words(namespace: Namespace<'_>, words: &str) {
    wait_for(words, || {
        let ready = namespace.condition("second", "Ready")?;
        ready["message"].as_str()?.contains(words).then_some(())
    });
    assert!(namespace.find("deployment/second-consumer").is_none());
}

#[test]
fn what_a_deleted_pipeline_had_is_free_when_its_last_pod_is_gone() {
    let (namespace, operator, pod) = rivals("gone");
    patch(namespace, &pod, HELD);
    namespace.kubectl(&["delete", "batchpipeline/first"]);
    await_words(namespace, "pods of pipeline first, which is gone");
    wait_for("the pod alone", || {
        namespace.find("deployment/first-consumer").is_none().then_some(())
    });
    await_words(namespace, "pods of pipeline first, which is gone");
    // Nobody remembers it who begins now.
    operator.stop();
    let operator = Operator::start(namespace);
    wait_for("a look", || (operator.looks() >= 1).then_some(()));
    await_words(namespace, "pods of pipeline first, which is gone");
    patch(namespace, &pod, FREED);
    namespace.await_children("second");
    operator.stop();
}

#[test]
fn a_pipeline_that_goes_after_its_pods_has_what_they_work_with_until_then() {
    let (namespace, operator, pod) = rivals("foreground");
    patch(namespace, &pod, HELD);
    namespace.kubectl(&["delete", "batchpipeline/first", "--cascade=foreground", "--wait=false"]);
    await_words(namespace, "pipeline first, which is being deleted");
    patch(namespace, &pod, FREED);
    namespace.await_children("second");
    operator.stop();
}

#[test]
fn a_pipeline_that_is_being_deleted_can_be_paused_and_then_keeps_nobody_waiting() {
    let (namespace, operator, _) = rivals("leaving");
    patch(namespace, "batchpipeline/first", HELD);
    namespace.kubectl(&["delete", "batchpipeline/first", "--wait=false"]);
    await_words(namespace, "pipeline first, which is being deleted");
    patch(namespace, "batchpipeline/first", r#"{"spec": {"state": "Paused"}}"#);
    namespace.await_children("second");
    for side in ["producer", "consumer"] {
        let deployment = namespace.get(&format!("deployment/first-{side}"));
        assert_eq!(deployment["spec"]["replicas"], 0, "{side}");
    }
    patch(namespace, "batchpipeline/first", FREED);
    operator.stop();
}

#[test]
fn an_older_pipeline_that_cannot_be_carried_out_and_has_nothing_keeps_nobody_waiting() {
    let namespace = Namespace::new(cluster(), "hopeless");
    let operator = Operator::start(namespace);
    let by_us = sharing("one", "kafka:9093").replace("generator", "stdin");
    let term = json!({"matchExpressions": [{"key": "disk", "operator": "Nonsense"}]});
    let affinity = json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
        {"nodeSelectorTerms": [term]}}});
    let by_others = sharing("two", "kafka:9093").replace(
        "{blackhole: {}}",
        &format!("{{blackhole: {{}}}}, pod: {}", json!({"affinity": affinity})),
    );
    for (name, manifest) in [("one", by_us), ("two", by_others)] {
        namespace.apply(&manifest);
        namespace.await_reason(name, "Stalled", "InvalidSpec");
    }
    namespace.apply(&sharing("younger", "kafka:9093"));
    namespace.await_children("younger");
    operator.stop();
}
