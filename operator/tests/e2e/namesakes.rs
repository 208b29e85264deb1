//! Between looking and writing an object may be replaced by another of its name. Whatever is written is about the object
//! that was looked at; its namesake is not touched.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use batchpipe_operator::client::Verb;
use serde_json::{Value, json};

use crate::support::{
    Fault, Faults, Namespace, Operator, Request, cluster, kubeconfig, lasting, manifest, options,
    wait_for,
};

const CONSUMER: &str = "deployment/demo-consumer";

/// Somebody else's object takes the consumer's place right before the next request of this verb about it is sent, once
/// `is_armed`. Watches of Deployments are held back when that is asked for.
fn replacing(namespace: Namespace<'static>, verb: Verb, is_armed: &Arc<AtomicBool>) -> Faults {
    let is_armed = Arc::clone(is_armed);
    Faults::new(move |request| {
        let is_it = request.verb == verb && request.path.ends_with("/deployments/demo-consumer");
        if is_it && is_armed.swap(false, Ordering::SeqCst) {
            replace(namespace);
        }
        let is_watch = request.verb == Verb::Watch && request.path.ends_with("/deployments");
        if is_watch { Fault::Held } else { Fault::None }
    })
}

/// The other one could be applied over: it has the same selector, which cannot be changed.
fn replace(namespace: Namespace<'_>) {
    let mut object = namespace.get(CONSUMER);
    object["metadata"] = json!({"name": "demo-consumer", "namespace": namespace.name});
    object["spec"]["template"]["spec"]["containers"][0]["image"] = "theirs:1".into();
    namespace.kubectl(&["delete", CONSUMER]);
    let create = ["create", "-f", "-"];
    namespace.cluster.kubectl_with_input(&create, &object.to_string()).unwrap();
}

/// An operator that leads for as long as a replacement takes: without the Lease it would write nothing in any case.
fn start(namespace: Namespace<'_>, faults: Faults) -> Operator {
    let mut options = options(namespace.name, "operator");
    options.lease.timing = lasting();
    Operator::at(&kubeconfig(namespace), options, faults)
}

/// A pipeline whose consumer is replaced at the next request of this verb.
fn ready(topic: &str, verb: Verb) -> (Namespace<'static>, Operator, Arc<AtomicBool>) {
    let namespace = Namespace::new(cluster(), topic);
    let is_armed = Arc::new(AtomicBool::new(false));
    let operator = start(namespace, replacing(namespace, verb, &is_armed));
    namespace.pipeline("demo", "");
    namespace.await_children("demo");
    namespace.await_reason("demo", "Stalled", "AsDesired");
    is_armed.store(true, Ordering::SeqCst);
    (namespace, operator, is_armed)
}

/// Waits until the namesake is there, and the API server has refused to do this to it.
fn await_refused(is_armed: &AtomicBool, operator: &Operator, verb: Verb) {
    wait_for("the namesake", || (!is_armed.load(Ordering::SeqCst)).then_some(()));
    wait_for("the refusal", || {
        let answered = operator.faults.answered();
        let mut refused = answered.iter().filter(|(_, code)| matches!(code, 409 | 422));
        let is_it = |(it, _): &&(Request, u16)| {
            it.verb == verb && it.path.ends_with("/deployments/demo-consumer")
        };
        refused.find(is_it).map(|_| ())
    });
    let looks = operator.looks();
    wait_for("the look to end", || (operator.looks() > looks).then_some(()));
}

fn assert_is_theirs(namespace: Namespace<'_>) {
    let object: Value = namespace.get(CONSUMER);
    let containers = &object["spec"]["template"]["spec"]["containers"];
    assert_eq!(containers[0]["image"], "theirs:1", "{object}");
    assert_eq!(object["spec"]["replicas"], 1, "{object}");
    assert!(!object["metadata"].to_string().contains("batchpipe-operator"), "{object}");
}

#[test]
fn a_child_that_was_replaced_before_it_is_changed_is_not_written_over() {
    let (namespace, operator, is_armed) = ready("changed-namesake", Verb::Patch);
    namespace.pipeline("demo", "  image: example.com/batchpipe:next");
    await_refused(&is_armed, &operator, Verb::Patch);
    assert_is_theirs(namespace);
    operator.stop();
}

#[test]
fn a_child_that_was_replaced_before_it_is_stopped_goes_on() {
    let (namespace, operator, is_armed) = ready("stopped-namesake", Verb::Patch);
    // What cannot run in a cluster is only stopped.
    namespace.apply(&manifest("demo", "  state: Paused").replace("generator", "stdin"));
    await_refused(&is_armed, &operator, Verb::Patch);
    assert_is_theirs(namespace);
    operator.stop();
}

#[test]
fn a_child_that_was_replaced_before_the_cache_has_shown_it_is_not_deleted() {
    let namespace = Namespace::new(cluster(), "unseen-namesake");
    let is_armed = Arc::new(AtomicBool::new(false));
    let faults = replacing(namespace, Verb::Delete, &is_armed);
    let operator = start(namespace, faults);
    wait_for("the operator to lead", || operator.leads().then_some(()));
    std::thread::sleep(std::time::Duration::from_secs(1));
    operator.faults.hold(true);
    namespace.pipeline("demo", "");
    namespace.await_children("demo");
    is_armed.store(true, Ordering::SeqCst);
    let patch = r#"{"spec": {"consumer": null}}"#;
    namespace.kubectl(&["patch", "batchpipeline/demo", "--type=merge", "--patch", patch]);
    await_refused(&is_armed, &operator, Verb::Delete);
    assert_is_theirs(namespace);
    operator.faults.hold(false);
    operator.stop();
}
