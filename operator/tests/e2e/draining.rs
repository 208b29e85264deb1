//! A pipeline is drained only when the last producer's pod is gone, whatever hides that pod.

use batchpipe_operator::client::Verb;

use crate::{
    claims::{bind, end, pod_of},
    support::{Fault, Faults, Namespace, Operator, cluster, manifest, wait_for},
};

/// A pipeline with so many producers and nothing else, in this state.
fn producers(replicas: u8, state: &str) -> String {
    let producer = format!("  producer: {{replicas: {replicas}, source: {{generator: {{}}}}}}\n");
    let text = manifest("demo", "");
    let sides = text.find("  producer:").unwrap();
    format!("{}{producer}  state: {state}\n", &text[..sides])
}

/// Waits until draining waits for this pod; it must not be over before.
fn await_draining(namespace: Namespace<'_>, pod: &str) {
    let pod = pod.trim_start_matches("pod/");
    wait_for("draining to wait for the pod", || {
        let status = &namespace.get("batchpipeline/demo")["status"];
        assert_ne!(status["phase"], "Drained", "{status}");
        let ready = namespace.condition("demo", "Ready")?;
        ready["message"].as_str()?.contains(&format!("producer pod {pod} to end")).then_some(())
    });
}

fn await_drained(namespace: Namespace<'_>) {
    wait_for("the end", || {
        (namespace.get("batchpipeline/demo")["status"]["phase"] == "Drained").then_some(())
    });
}

#[test]
fn a_new_leader_whose_watches_of_pods_were_cut_waits_for_those_that_it_has_not_heard_of() {
    const KINDS: [&str; 3] = ["/deployments", "/pods", "/replicasets"];
    let namespace = Namespace::new(cluster(), "drain-cut");
    let first = Operator::with(namespace, "first", Faults::none());
    namespace.apply(&producers(0, "Running"));
    wait_for("the Deployment", || namespace.find("deployment/demo-producer"));
    let second = Operator::with(
        namespace,
        "second",
        Faults::new(|request| {
            let is_held = KINDS.iter().any(|kind| request.path.ends_with(kind));
            if request.verb == Verb::Watch && is_held { Fault::Held } else { Fault::None }
        }),
    );
    wait_for("the second to follow", || {
        let seen = second.faults.seen();
        let follows =
            |kind: &&str| seen.iter().any(|it| it.verb == Verb::Watch && it.path.ends_with(*kind));
        KINDS.iter().all(follows).then_some(())
    });
    second.faults.hold(true);
    namespace.apply(&producers(1, "Running"));
    let pod = pod_of(namespace, "demo", "producer");
    bind(namespace, &pod);
    first.crash();
    namespace.apply(&producers(1, "Drained"));
    await_draining(namespace, &pod);
    second.faults.hold(false);
    end(namespace, &pod);
    await_drained(namespace);
    second.stop();
}

/// A producer's pod that somebody took this label from is waited for.
fn waits_for_a_pod_without(topic: &str, label: &str) {
    let namespace = Namespace::new(cluster(), topic);
    let operator = Operator::start(namespace);
    namespace.apply(&producers(1, "Running"));
    let pod = pod_of(namespace, "demo", "producer");
    bind(namespace, &pod);
    namespace.kubectl(&["label", &pod, &format!("{label}-")]);
    namespace.apply(&producers(1, "Drained"));
    await_draining(namespace, &pod);
    end(namespace, &pod);
    await_drained(namespace);
    operator.stop();
}

#[test]
fn a_pod_that_somebody_took_out_of_its_side_is_waited_for() {
    waits_for_a_pod_without("drain-apart", "app.kubernetes.io/component");
}

#[test]
fn a_pod_that_somebody_took_out_of_its_pipeline_is_waited_for() {
    waits_for_a_pod_without("drain-nameless", "app.kubernetes.io/instance");
}

#[test]
fn a_pod_that_is_hidden_from_the_operator_is_waited_for() {
    let namespace = Namespace::new(cluster(), "drain-hidden");
    let operator = Operator::start(namespace);
    namespace.apply(&producers(1, "Running"));
    let pod = pod_of(namespace, "demo", "producer");
    bind(namespace, &pod);
    namespace.kubectl(&["label", &pod, "app.kubernetes.io/managed-by-"]);
    namespace.apply(&producers(1, "Drained"));
    let terminating = || {
        let status = &namespace.get("deployment/demo-producer")["status"];
        (status["terminatingReplicas"] == 1).then_some(())
    };
    wait_for("the Deployment to count it", terminating);
    // Long enough for a look that sees it so.
    let looks = operator.looks();
    wait_for("two more looks", || (operator.looks() >= looks + 2).then_some(()));
    let status = &namespace.get("batchpipeline/demo")["status"];
    assert_eq!(status["phase"], "Draining", "{status}");
    end(namespace, &pod);
    await_drained(namespace);
    operator.stop();
}
