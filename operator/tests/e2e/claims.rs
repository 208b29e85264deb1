//! Who is on the way out, or cannot be carried out: what its pods work with is nobody else's until they are gone, and
//! what it only wants keeps nobody waiting.

use serde_json::json;

use crate::{
    conflicts::sharing,
    support::{Namespace, Operator, cluster, wait_for},
};

/// Something that keeps an object although it was deleted.
const HELD: &str = r#"{"metadata": {"finalizers": ["example.com/held"]}}"#;
const FREED: &str = r#"{"metadata": {"finalizers": null}}"#;

fn patch(namespace: Namespace<'_>, object: &str, patch: &str) {
    namespace.kubectl(&["patch", object, "--type=merge", "--patch", patch]);
}

/// Gives a pod to a node that is not there: when it is deleted, it is being stopped until somebody says that it has.
pub(crate) fn bind(namespace: Namespace<'_>, pod: &str) {
    let node = format!("node-of-{}", namespace.name);
    let object = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}});
    namespace.apply(&object.to_string());
    let pod = pod.trim_start_matches("pod/");
    let binding = json!({
        "apiVersion": "v1", "kind": "Binding", "metadata": {"name": pod},
        "target": {"apiVersion": "v1", "kind": "Node", "name": node},
    });
    let path = format!("/api/v1/namespaces/{}/pods/{pod}/binding", namespace.name);
    let args = ["create", "--raw", &path, "-f", "-"];
    namespace.cluster.kubectl_with_input(&args, &binding.to_string()).unwrap();
}

/// Says in the place of its node that a pod has ended.
pub(crate) fn end(namespace: Namespace<'_>, pod: &str) {
    namespace.kubectl(&["delete", pod, "--force", "--grace-period=0"]);
}

/// A pod of this side of a pipeline.
pub(crate) fn pod_of(namespace: Namespace<'_>, pipeline: &str, side: &str) -> String {
    let select =
        format!("app.kubernetes.io/component={side},app.kubernetes.io/instance={pipeline}");
    wait_for("a pod", || {
        let names = namespace.kubectl(&["get", "pods", "--selector", &select, "--output", "name"]);
        names.lines().next().map(str::to_owned)
    })
}

/// Two pipelines that want the same group: `first` has a consumer's pod, which is given, and `second` waits.
fn rivals(topic: &str) -> (Namespace<'static>, Operator, String) {
    let namespace = Namespace::new(cluster(), topic);
    let operator = Operator::start(namespace);
    namespace.apply(&sharing("first", "kafka:9093"));
    namespace.await_children("first");
    let pod = pod_of(namespace, "first", "consumer");
    bind(namespace, &pod);
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

/// The first is deleted in this way, and its pod takes its time.
fn waits_for_the_last_pod(topic: &str, cascade: &str) {
    const GONE: &str = "pods of pipeline first, which is gone";
    let (namespace, operator, pod) = rivals(topic);
    namespace.kubectl(&["delete", "batchpipeline/first", cascade, "--wait=false"]);
    await_words(namespace, GONE);
    wait_for("the pod to be stopping", || is_stopping(namespace, &pod));
    // Nobody remembers it who begins now.
    operator.stop();
    let operator = Operator::start(namespace);
    wait_for("a look", || (operator.looks() >= 1).then_some(()));
    await_words(namespace, GONE);
    end(namespace, &pod);
    namespace.await_children("second");
    operator.stop();
}

fn is_stopping(namespace: Namespace<'_>, pod: &str) -> Option<()> {
    (!namespace.get(pod)["metadata"]["deletionTimestamp"].is_null()).then_some(())
}

#[test]
fn what_a_deleted_pipeline_had_is_free_when_its_last_pod_is_gone() {
    waits_for_the_last_pod("gone", "--cascade=background");
}

#[test]
fn so_it_is_when_what_it_owns_is_deleted_before_it() {
    waits_for_the_last_pod("foreground", "--cascade=foreground");
}

#[test]
fn what_a_deleted_pipeline_had_is_not_free_when_another_of_its_name_is_made() {
    let (namespace, operator, pod) = rivals("anew");
    namespace.kubectl(&["delete", "batchpipeline/first", "--cascade=background", "--wait=false"]);
    wait_for("the pod to be stopping", || is_stopping(namespace, &pod));
    let another = sharing("first", "kafka:9093").replace("group: shared", "group: another");
    namespace.apply(&another);
    namespace.await_children("first");
    patch(
        namespace,
        "batchpipeline/second",
        r#"{"metadata": {"annotations": {"example.com/look": "1"}}}"#,
    );
    await_words(namespace, "pods of pipeline first, which is gone");
    end(namespace, &pod);
    namespace.await_children("second");
    operator.stop();
}

#[test]
fn a_pipeline_that_is_made_anew_waits_for_the_pods_of_the_earlier_one() {
    let (namespace, operator, pod) = rivals("again");
    namespace.kubectl(&["delete", "batchpipeline/second"]);
    namespace.kubectl(&["delete", "batchpipeline/first", "--cascade=background", "--wait=false"]);
    wait_for("the pod to be stopping", || is_stopping(namespace, &pod));
    namespace.apply(&sharing("first", "kafka:9093"));
    wait_for("it to wait", || {
        let reconciling = namespace.condition("first", "Reconciling")?;
        let message = reconciling["message"].as_str()?.to_owned();
        (reconciling["status"] == "True" && message.contains("an earlier pipeline of this name"))
            .then_some(())
    });
    assert!(namespace.find("deployment/first-consumer").is_none());
    end(namespace, &pod);
    namespace.await_children("first");
    operator.stop();
}

#[test]
fn a_pipeline_that_is_being_deleted_can_be_paused_and_then_keeps_nobody_waiting() {
    let (namespace, operator, pod) = rivals("leaving");
    patch(namespace, "batchpipeline/first", HELD);
    namespace.kubectl(&["delete", "batchpipeline/first", "--wait=false"]);
    await_words(namespace, "pipeline first, which is being deleted");
    patch(namespace, "batchpipeline/first", r#"{"spec": {"state": "Paused"}}"#);
    wait_for("the pods to be stopped", || {
        let replicas =
            |side| namespace.get(&format!("deployment/first-{side}"))["spec"]["replicas"].as_i64();
        (replicas("producer") == Some(0) && replicas("consumer") == Some(0)).then_some(())
    });
    wait_for("the pod to be stopping", || is_stopping(namespace, &pod));
    assert!(namespace.find("deployment/second-consumer").is_none());
    end(namespace, &pod);
    namespace.await_children("second");
    wait_for("the first to say so", || {
        (namespace.get("batchpipeline/first")["status"]["phase"] == "Paused").then_some(())
    });
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
