//! What is not ours is never touched: foreign objects with our children's names, and older pipelines.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::{Fault, Faults, Namespace, Operator, cluster, manifest, wait_for};

#[test]
fn a_foreign_object_with_a_childs_name_is_not_touched_and_the_others_are_made() {
    let namespace = Namespace::new(cluster(), "foreign");
    namespace.kubectl(&["create", "deployment", "demo-producer", "--image=theirs:1"]);
    let before = namespace.get("deployment/demo-producer")["metadata"]["generation"].clone();
    let operator = Operator::start(namespace);
    namespace.pipeline("demo", "");
    wait_for("the other side", || namespace.find("deployment/demo-consumer"));
    let message = namespace.await_reason("demo", "Ready", "Conflict");
    assert!(message.contains("demo-producer"), "{message}");
    let after = namespace.get("deployment/demo-producer");
    assert_eq!(before, after["metadata"]["generation"]);
    assert_is_theirs(&after);
    operator.stop();
}

#[test]
fn no_pods_are_made_with_somebody_elses_identity() {
    let namespace = Namespace::new(cluster(), "identity");
    namespace.kubectl(&["create", "serviceaccount", "demo-batchpipe"]);
    // Whose it is cannot be found out at first.
    let is_first = AtomicBool::new(true);
    let faults = Faults::new(move |request| {
        let is_it = request.path.ends_with("/serviceaccounts/demo-batchpipe");
        let is_refused = is_it && is_first.swap(false, Ordering::Relaxed);
        if is_refused { Fault::Status(500) } else { Fault::None }
    });
    let operator = Operator::with(namespace, "operator", faults);
    namespace.pipeline("demo", "");
    let message = namespace.await_reason("demo", "Ready", "Conflict");
    assert!(message.contains("demo-batchpipe"), "{message}");
    let asked = operator.faults.seen();
    let is_deployment = |path: &str| path.contains("/deployments/");
    assert!(!asked.iter().any(|it| is_deployment(&it.path)), "{asked:?}");
    wait_for("the others", || namespace.find("poddisruptionbudget/demo-consumer"));
    wait_for("a second look", || (operator.looks() >= 2).then_some(()));
    for side in ["producer", "consumer"] {
        assert!(namespace.find(&format!("deployment/demo-{side}")).is_none(), "{side}");
    }
    assert_is_theirs(&namespace.get("serviceaccount/demo-batchpipe"));
    operator.stop();
}

#[test]
fn what_runs_can_be_paused_also_when_its_identity_was_taken() {
    let namespace = Namespace::new(cluster(), "paused");
    let operator = Operator::start(namespace);
    namespace.pipeline("demo", "");
    namespace.await_children("demo");
    // As if somebody had made it anew: nothing says any more that it is ours.
    operator.stop();
    namespace.kubectl(&["delete", "serviceaccount", "demo-batchpipe"]);
    namespace.kubectl(&["create", "serviceaccount", "demo-batchpipe"]);
    let operator = Operator::start(namespace);
    namespace.await_reason("demo", "Ready", "Conflict");
    namespace.pipeline("demo", "  state: Paused");
    wait_for("no pods", || {
        let replicas =
            |side| namespace.get(&format!("deployment/demo-{side}"))["spec"]["replicas"].as_i64();
        (replicas("producer") == Some(0) && replicas("consumer") == Some(0)).then_some(())
    });
    operator.stop();
}

fn assert_is_theirs(object: &serde_json::Value) {
    let managers = object["metadata"]["managedFields"].to_string();
    assert!(!managers.contains("batchpipe-operator"), "{managers}");
    assert!(object["metadata"]["ownerReferences"].is_null(), "{object}");
}

#[test]
fn what_a_foreign_object_took_is_made_when_it_is_gone() {
    let namespace = Namespace::new(cluster(), "freed");
    namespace.kubectl(&["create", "serviceaccount", "demo-batchpipe"]);
    let operator = Operator::start(namespace);
    namespace.pipeline("demo", "");
    namespace.await_reason("demo", "Ready", "Conflict");
    namespace.kubectl(&["delete", "serviceaccount", "demo-batchpipe"]);
    namespace.await_children("demo");
    operator.stop();
}

#[test]
fn the_younger_of_two_pipelines_with_one_topic_waits_for_the_older_to_go() {
    let namespace = Namespace::new(cluster(), "younger");
    let operator = Operator::start(namespace);
    namespace.pipeline("first", "  topic: {name: shared}");
    namespace.await_children("first");
    // Creation times have whole seconds: without this, neither is older.
    let created = |name: &str| namespace.get(name)["metadata"]["creationTimestamp"].clone();
    wait_for("a later second", || {
        let probe = namespace.kubectl(&["create", "configmap", "probe"]);
        let later = created("configmap/probe") != created("batchpipeline/first");
        namespace.kubectl(&["delete", "configmap", "probe"]);
        (later && !probe.is_empty()).then_some(())
    });
    namespace.apply(
        &manifest("second", "  topic: {name: shared}")
            .replace("consumer: {", "consumer: {group: first, "),
    );
    let message = namespace.await_reason("second", "Ready", "Conflict");
    assert!(message.contains("first"), "{message}");
    assert!(namespace.find("deployment/second-consumer").is_none());
    namespace.kubectl(&["delete", "batchpipeline/first"]);
    namespace.await_children("second");
    operator.stop();
}

#[test]
fn an_object_that_appears_between_looking_and_creating_is_not_taken_over() {
    let namespace = Namespace::new(cluster(), "race");
    let is_made = AtomicBool::new(false);
    let faults = Faults::new(move |request| {
        let is_creation =
            request.is_write() && request.path.ends_with("/serviceaccounts/demo-batchpipe");
        if is_creation && !is_made.swap(true, Ordering::Relaxed) {
            namespace.kubectl(&["create", "serviceaccount", "demo-batchpipe"]);
        }
        Fault::None
    });
    let operator = Operator::with(namespace, "operator", faults);
    namespace.pipeline("demo", "");
    namespace.await_reason("demo", "Ready", "Conflict");
    let account = namespace.get("serviceaccount/demo-batchpipe");
    assert!(!account.to_string().contains("batchpipe-operator"), "{account}");
    operator.stop();
}

/// The number of pods that a Deployment asks for.
fn replicas(namespace: Namespace<'_>, deployment: &str) -> serde_json::Value {
    namespace.get(deployment)["spec"]["replicas"].clone()
}

#[test]
fn an_older_pipeline_that_wants_what_a_younger_one_has_waits_and_can_still_be_paused() {
    let namespace = Namespace::new(cluster(), "wanting");
    let operator = Operator::start(namespace);
    let grouped = |name: &str, address: &str| {
        manifest(name, "  topic: {name: shared}")
            .replace("consumer: {", "consumer: {group: shared, ")
            .replace("kafka:9093", address)
    };
    namespace.apply(&grouped("older", "other:9093"));
    namespace.await_children("older");
    namespace.apply(&grouped("younger", "kafka:9093"));
    namespace.await_children("younger");
    namespace.await_reason("younger", "Stalled", "AsDesired");
    namespace.apply(&grouped("older", "kafka:9093"));
    let message = namespace.await_reason("older", "Ready", "Conflict");
    assert!(message.contains("younger"), "{message}");
    let consumer = namespace.get("deployment/older-consumer");
    assert!(consumer.to_string().contains("other:9093"), "{consumer}");
    assert_ne!(namespace.condition("younger", "Ready").unwrap()["reason"], "Conflict");
    let paused = r#"{"spec": {"state": "Paused"}}"#;
    namespace.kubectl(&["patch", "bp", "older", "--type=merge", "--patch", paused]);
    for side in ["producer", "consumer"] {
        let deployment = format!("deployment/older-{side}");
        wait_for("no pods", || (replicas(namespace, &deployment) == 0).then_some(()));
    }
    let again = r#"{"spec": {"state": "Running", "kafka": {"bootstrapServers": "other:9093"}}}"#;
    namespace.kubectl(&["patch", "bp", "older", "--type=merge", "--patch", again]);
    wait_for("its pods again", || {
        (replicas(namespace, "deployment/older-consumer") == 1).then_some(())
    });
    operator.stop();
}
