//! Of every kind that children are of: an object of somebody else with a child's name stays as it is, whatever happens to
//! the pipeline.

use serde_json::{Value, json};

use crate::support::{Namespace, Operator, attended, kafka, kafka_status, manifest, wait_for};

const NAME: &str = "demo-producer";
/// What there is before the pipeline is. The `ServiceAccount` has tests of its own: without one nothing else is made.
const KINDS: [&str; 4] = ["deployment", "service", "networkpolicy", "poddisruptionbudget"];

fn theirs() -> [Value; 4] {
    let labels = json!({"app": "theirs"});
    let selector = json!({"matchLabels": labels});
    let template = json!({"metadata": {"labels": labels},
        "spec": {"containers": [{"name": "theirs", "image": "theirs:1"}]}});
    let object = |version: &str, kind: &str, spec: Value| json!({"apiVersion": version, "kind": kind, "metadata": {"name": NAME}, "spec": spec});
    [
        object(
            "apps/v1",
            "Deployment",
            json!({"replicas": 0, "selector": selector, "template": template}),
        ),
        object("v1", "Service", json!({"selector": labels, "ports": [{"port": 80}]})),
        object("networking.k8s.io/v1", "NetworkPolicy", json!({"podSelector": selector})),
        object("policy/v1", "PodDisruptionBudget", json!({"selector": selector})),
    ]
}

/// All that anybody could have changed: what it is, what was asked of it, and who has ever written to it.
fn traces(namespace: Namespace<'_>, kind: &str, name: &str) -> Value {
    let object = namespace.get(&format!("{kind}/{name}"));
    let metadata = &object["metadata"];
    let managers = metadata["managedFields"].as_array().unwrap().iter();
    let managers: Vec<_> = managers.map(|it| &it["manager"]).collect();
    assert!(!managers.iter().any(|it| **it == "batchpipe-operator"), "{kind}: {managers:?}");
    json!({"uid": metadata["uid"], "labels": metadata["labels"], "annotations": metadata["annotations"],
        "owners": metadata["ownerReferences"], "deletion": metadata["deletionTimestamp"], "spec": object["spec"]})
}

fn set(namespace: Namespace<'_>, spec: &Value) {
    let patch = json!({"spec": spec}).to_string();
    namespace.kubectl(&["patch", "bp", "demo", "--type=merge", "--patch", &patch]);
}

/// Waits until the operator has looked again, and says what became of theirs.
fn looked_again(namespace: Namespace<'_>, operator: &Operator) -> [Value; 4] {
    let looks = operator.looks();
    wait_for("another look", || (operator.looks() > looks).then_some(()));
    KINDS.map(|kind| traces(namespace, kind, NAME))
}

#[test]
fn objects_of_others_of_every_kind_outlive_the_pipeline_untouched() {
    let namespace = Namespace::new(attended().0, "foreign-kinds");
    for object in theirs() {
        namespace.apply(&object.to_string());
    }
    // The controllers write into a Deployment once.
    wait_for("the Deployment's controller", || {
        let annotations = &namespace.get("deployment/demo-producer")["metadata"]["annotations"];
        annotations.get("deployment.kubernetes.io/revision").map(|_| ())
    });
    let before = KINDS.map(|kind| traces(namespace, kind, NAME));
    let operator = Operator::start(namespace);
    namespace.apply(&manifest("demo", "").replace("generator: {}", "http: {}"));
    let message = namespace.await_reason("demo", "Ready", "Conflict");
    assert!(
        message.contains("Service demo-producer") && message.ends_with("; and 3 more"),
        "{message}"
    );
    namespace.get("deployment/demo-consumer");

    set(namespace, &json!({"state": "Paused"}));
    wait_for("the consumer to be stopped", || {
        (namespace.get("deployment/demo-consumer")["spec"]["replicas"] == 0).then_some(())
    });
    assert_eq!(looked_again(namespace, &operator), before, "after the pause");
    // A side that is no longer wanted goes with its children, and with nothing else.
    set(namespace, &json!({"producer": null, "state": "Running"}));
    wait_for("no conflict", || {
        let ready = namespace.condition("demo", "Ready")?;
        (ready["reason"] != "Conflict").then_some(())
    });
    assert_eq!(KINDS.map(|kind| traces(namespace, kind, NAME)), before, "without the side");
    namespace.kubectl(&["delete", "bp", "demo"]);
    wait_for("the pipeline's own to go", || {
        let accounts = namespace.find("serviceaccount/demo-batchpipe");
        accounts.or_else(|| namespace.find("deployment/demo-consumer")).is_none().then_some(())
    });
    assert_eq!(KINDS.map(|kind| traces(namespace, kind, NAME)), before, "without the pipeline");
    operator.stop();
}

#[test]
fn a_topic_of_others_outlives_the_pipeline_untouched() {
    let namespace = Namespace::new(attended().0, "foreign-topic");
    let listeners = [("plain", "lab:9092")];
    namespace.strimzi(&kafka("lab", &[("plain", false, None)]), &kafka_status(&listeners));
    namespace.apply(
        &json!({
            "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaTopic",
            "metadata": {"name": "demo", "labels": {"strimzi.io/cluster": "lab"}},
            "spec": {"partitions": 7},
        })
        .to_string(),
    );
    let before = traces(namespace, "kafkatopic", "demo");
    let operator = Operator::start(namespace);
    let strimzi = "strimzi: {cluster: lab, listener: plain}";
    namespace.apply(&manifest("demo", "").replace("bootstrapServers: 'kafka:9093'", strimzi));
    namespace.await_children("demo");
    set(namespace, &json!({"state": "Paused"}));
    namespace.await_reason("demo", "Ready", "Paused");
    namespace.kubectl(&["delete", "bp", "demo"]);
    wait_for("the pipeline's own to go", || {
        namespace.find("deployment/demo-consumer").is_none().then_some(())
    });
    assert_eq!(traces(namespace, "kafkatopic", "demo"), before);
    operator.stop();
}

#[test]
fn a_deployment_of_others_with_our_labels_is_not_stopped_either() {
    let namespace = Namespace::new(attended().0, "foreign-labels");
    let labels = json!({"app.kubernetes.io/managed-by": "batchpipe-operator", "app.kubernetes.io/name": "batchpipe",
        "app.kubernetes.io/instance": "demo", "app.kubernetes.io/component": "producer"});
    let [mut deployment, ..] = theirs();
    deployment["metadata"]["labels"] = labels;
    deployment["spec"]["replicas"] = 1.into();
    namespace.apply(&deployment.to_string());
    wait_for("the Deployment's controller", || {
        let annotations = &namespace.get("deployment/demo-producer")["metadata"]["annotations"];
        annotations.get("deployment.kubernetes.io/revision").map(|_| ())
    });
    let before = traces(namespace, "deployment", NAME);
    let operator = Operator::start(namespace);
    // Nothing is applied while nobody knows where Kafka is, and stopping needs no more than the Deployment.
    let strimzi = "strimzi: {cluster: none, listener: plain}";
    let paused = manifest("demo", "  state: Paused\n");
    namespace.apply(&paused.replace("bootstrapServers: 'kafka:9093'", strimzi));
    wait_for("the pause", || {
        let status = &namespace.get("batchpipeline/demo")["status"];
        (status["observedGeneration"] == 1).then_some(())
    });
    set(namespace, &json!({"state": "Drained"}));
    wait_for("the end of the pause", || {
        let status = &namespace.get("batchpipeline/demo")["status"];
        (status["observedGeneration"] == 2).then_some(())
    });
    assert_eq!(traces(namespace, "deployment", NAME), before);
    operator.stop();
}
