//! Pods that our rules accept and the API server refuses: nothing of such a spec is carried out, the field is named, and
//! what runs can still be stopped.

use serde_json::{Value, json};

use crate::support::{Namespace, Operator, cluster, wait_for};

/// A word that no rule of ours knows.
fn impossible() -> Value {
    let term = json!({"matchExpressions": [{"key": "disk", "operator": "Nonsense"}]});
    let required = json!({"nodeSelectorTerms": [term]});
    json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}})
}

fn set(namespace: Namespace<'_>, spec: &Value) {
    let patch = json!({"spec": spec}).to_string();
    namespace.kubectl(&["patch", "batchpipeline/demo", "--type=merge", "--patch", &patch]);
}

fn specs(namespace: Namespace<'_>) -> [Value; 3] {
    ["deployment/demo-producer", "deployment/demo-consumer", "networkpolicy/demo-producer"]
        .map(|child| namespace.get(child)["spec"].clone())
}

fn await_replicas(namespace: Namespace<'_>, side: &str, wanted: i64) {
    let deployment = format!("deployment/demo-{side}");
    wait_for(&format!("{side}s: {wanted}"), || {
        (namespace.get(&deployment)["spec"]["replicas"] == wanted).then_some(())
    });
}

#[test]
fn of_a_spec_whose_pods_are_refused_nothing_is_carried_out_and_it_can_be_paused_and_drained() {
    let namespace = Namespace::new(cluster(), "refused-pods");
    let operator = Operator::start(namespace);
    namespace.pipeline("demo", "");
    namespace.await_children("demo");
    let before = specs(namespace);
    // The consumer alone would be accepted, and so would the policy.
    set(
        namespace,
        &json!({
            "batch": {"maxRecords": 7},
            "producer": {"source": {"generator": null, "http": {}}, "pod": {"affinity": impossible()}},
        }),
    );
    let message = namespace.await_reason("demo", "Stalled", "InvalidSpec");
    assert!(message.starts_with("spec.producer: "), "{message}");
    assert!(message.contains("spec.template.spec.affinity.nodeAffinity"), "{message}");
    assert_eq!(specs(namespace), before);
    assert!(namespace.find("service/demo-producer").is_none());

    set(namespace, &json!({"state": "Drained"}));
    await_replicas(namespace, "producer", 0);
    wait_for("the truth about the producer", || {
        let stalled = namespace.condition("demo", "Stalled")?["message"].to_string();
        stalled.contains("its producer is stopped all the same").then_some(())
    });
    assert_eq!(namespace.get("deployment/demo-consumer")["spec"], before[1]);
    set(namespace, &json!({"state": "Paused"}));
    await_replicas(namespace, "consumer", 0);
    let message = namespace.await_reason("demo", "Stalled", "InvalidSpec");
    assert!(message.contains("paused all the same"), "{message}");

    set(namespace, &json!({"state": "Running", "producer": {"pod": null}}));
    await_replicas(namespace, "producer", 1);
    await_replicas(namespace, "consumer", 1);
    wait_for("the Service", || namespace.find("service/demo-producer"));
    operator.stop();
}

#[test]
fn a_pipeline_whose_kafka_is_not_found_can_be_drained_and_paused() {
    let namespace = Namespace::new(cluster(), "refused-kafka");
    let operator = Operator::start(namespace);
    namespace.pipeline("demo", "");
    namespace.await_children("demo");
    let consumer = namespace.get("deployment/demo-consumer")["spec"].clone();
    let kafka = namespace.get("batchpipeline/demo")["spec"]["kafka"].clone();
    let missing = json!({"bootstrapServers": null, "strimzi": {"cluster": "missing"}});
    set(namespace, &json!({"kafka": missing, "state": "Drained"}));
    await_replicas(namespace, "producer", 0);
    wait_for("the truth about the producer", || {
        let ready = namespace.condition("demo", "Ready")?["message"].to_string();
        ready.contains("its producer is stopped all the same").then_some(())
    });
    assert_eq!(namespace.get("deployment/demo-consumer")["spec"], consumer);
    set(namespace, &json!({"state": "Paused"}));
    await_replicas(namespace, "consumer", 0);
    let mut found = kafka;
    found["strimzi"] = Value::Null;
    set(namespace, &json!({"kafka": found, "state": "Running"}));
    await_replicas(namespace, "producer", 1);
    await_replicas(namespace, "consumer", 1);
    operator.stop();
}

#[test]
fn a_new_pipeline_whose_pods_are_refused_makes_nothing_and_is_tried_seldom() {
    let namespace = Namespace::new(cluster(), "refused-new");
    let operator = Operator::start(namespace);
    let pod = json!({"affinity": impossible()}).to_string();
    let manifest = crate::support::manifest("demo", "")
        .replace("{blackhole: {}}", &format!("{{blackhole: {{}}}}, pod: {pod}"));
    namespace.apply(&manifest);
    let message = namespace.await_reason("demo", "Stalled", "InvalidSpec");
    assert!(message.starts_with("spec.consumer: "), "{message}");
    let is_child = |path: &str| !path.contains("batchpipelines") && !path.contains("events");
    for look in 0..5 {
        namespace.kubectl(&["annotate", "--overwrite", "bp/demo", &format!("look={look}")]);
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
    let writes = operator.faults.writes();
    assert!(!writes.iter().any(|it| is_child(&it.path)), "{writes:?}");
    let trials = operator.faults.seen().into_iter().filter(|it| it.is_trial).count();
    assert!(trials <= 3, "one of each side: {trials}");
    operator.stop();
}
