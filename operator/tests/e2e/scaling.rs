//! People and autoscalers scale the pipeline itself: by its scale subresource, as they scale anything.

use serde_json::{Value, json};

use crate::support::{Namespace, Operator, cluster, wait_for};

/// A running operator with a pipeline whose children are all there.
fn ready(topic: &str) -> (Namespace<'static>, Operator) {
    let namespace = Namespace::new(cluster(), topic);
    let operator = Operator::start(namespace);
    namespace.pipeline("demo", "");
    namespace.await_children("demo");
    (namespace, operator)
}

fn scale(namespace: Namespace<'_>) -> Value {
    let args = ["get", "bp", "demo", "--subresource=scale", "--output", "json"];
    serde_json::from_str(&namespace.kubectl(&args)).unwrap()
}

#[track_caller]
fn await_consumers(namespace: Namespace<'_>, count: i32) {
    wait_for(&format!("{count} consumers"), || {
        let spec = namespace.get("deployment/demo-consumer")["spec"].clone();
        (spec["replicas"] == count).then_some(())
    });
    assert_eq!(namespace.get("deployment/demo-producer")["spec"]["replicas"], 1);
}

#[test]
fn kubectl_scale_reaches_the_consumers_and_the_scale_says_how_many_there_are_and_which() {
    let (namespace, operator) = ready("scaled");
    namespace.kubectl(&["scale", "bp", "demo", "--replicas=3"]);
    await_consumers(namespace, 3);
    let status = wait_for("three in the scale's status", || {
        let scale = scale(namespace);
        assert_eq!(scale["spec"]["replicas"], 3);
        (scale["status"]["replicas"] == 3).then(|| scale["status"].clone())
    });
    let selector = status["selector"].as_str().unwrap();
    let pods = namespace.kubectl(&["get", "pods", "--selector", selector, "--output", "name"]);
    assert_eq!(pods.lines().count(), 3, "{selector} selects {pods}");
    assert!(pods.lines().all(|pod| pod.starts_with("pod/demo-consumer-")), "{pods}");
    namespace.kubectl(&["scale", "bp", "demo", "--replicas=0"]);
    await_consumers(namespace, 0);
    operator.stop();
}

/// Needs no metrics: what is outside of the bounds is brought inside of them.
fn autoscaler(least: i32, most: i32) -> String {
    let target =
        json!({"apiVersion": "batchpipe.dev/v1alpha1", "kind": "BatchPipeline", "name": "demo"});
    let half = json!({"type": "Utilization", "averageUtilization": 50});
    json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "demo"},
        "spec": {
            "scaleTargetRef": target, "minReplicas": least, "maxReplicas": most,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": half}}],
        },
    })
    .to_string()
}

#[test]
fn a_horizontal_pod_autoscaler_scales_the_pipeline_up_and_down() {
    let (namespace, operator) = ready("autoscaled");
    for (least, most, expected) in [(3, 6, 3), (1, 2, 2)] {
        namespace.apply(&autoscaler(least, most));
        await_consumers(namespace, expected);
        assert_eq!(namespace.get("batchpipeline/demo")["spec"]["consumer"]["replicas"], expected);
    }
    let conditions = namespace.get("hpa/demo")["status"]["conditions"].clone();
    let able = conditions.as_array().unwrap().iter().find(|it| it["type"] == "AbleToScale");
    assert_eq!(able.unwrap()["status"], "True", "{conditions}");
    operator.stop();
}

#[test]
fn kubectl_autoscale_takes_a_pipeline() {
    let (namespace, operator) = ready("autoscale");
    namespace.kubectl(&["autoscale", "bp", "demo", "--min=2", "--max=4"]);
    await_consumers(namespace, 2);
    operator.stop();
}

#[test]
fn the_pipelines_own_scaling_rules_over_its_replicas() {
    let (namespace, operator) = ready("own-scaling");
    let scaling = r#"{"spec": {"consumer": {"scaling": {"minReplicas": 2, "maxReplicas": 4}}}}"#;
    namespace.kubectl(&["patch", "bp", "demo", "--type=merge", "--patch", scaling]);
    await_consumers(namespace, 2);
    namespace.kubectl(&["scale", "bp", "demo", "--replicas=6"]);
    wait_for("the change to be seen", || {
        let object = namespace.get("batchpipeline/demo");
        (object["status"]["observedGeneration"] == object["metadata"]["generation"]).then_some(())
    });
    await_consumers(namespace, 2);
    operator.stop();
}
