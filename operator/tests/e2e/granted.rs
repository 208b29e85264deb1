//! What a pipeline was granted, and what was just written for it, counts although nothing shows it yet.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use batchpipe_operator::client::Verb;
use k8s_openapi::jiff::Timestamp;

use crate::{
    conflicts::sharing,
    support::{Fault, Faults, Namespace, Operator, Request, cluster, wait_for},
};

/// An operator that hears of Deployments and pods only when nothing is held back, and whose requests may fail.
fn operator(
    namespace: Namespace<'_>,
    fails: impl Fn(&Request) -> bool + Send + Sync + 'static,
) -> Operator {
    let faults = Faults::new(move |request| {
        let is_watch = request.verb == Verb::Watch;
        let is_held =
            ["/deployments", "/pods", "/replicasets"].iter().any(|it| request.path.ends_with(it));
        match () {
            () if is_watch && is_held => Fault::Held,
            () if fails(request) => Fault::Status(500),
            () => Fault::None,
        }
    });
    Operator::with(namespace, "operator", faults)
}

/// The older one, which is to have something else until it wants what the younger one has got.
fn make_older(namespace: Namespace<'_>, operator: &Operator) {
    namespace.apply(&sharing("older", "other:9093"));
    namespace.await_children("older");
    namespace.await_reason("older", "Stalled", "AsDesired");
    let made = namespace.get("bp/older")["metadata"]["creationTimestamp"].clone();
    let made: Timestamp = made.as_str().unwrap().parse().unwrap();
    // Ages are of whole seconds.
    wait_for("another second", || {
        (Timestamp::now().duration_since(made).as_secs() >= 1).then_some(())
    });
    operator.faults.hold(true);
    namespace.apply(&sharing("younger", "kafka:9093"));
}

/// The older one wants it now, and waits as long as the younger one is looked at again and again.
fn assert_waits(namespace: Namespace<'_>, operator: &Operator) {
    namespace.apply(&sharing("older", "kafka:9093"));
    let waits = || {
        let message = namespace.await_reason("older", "Ready", "Conflict");
        assert!(message.contains("younger"), "{message}");
        let consumer = namespace.get("deployment/older-consumer");
        assert!(consumer.to_string().contains("other:9093"), "{consumer}");
    };
    waits();
    for look in ["1", "2", "3"] {
        let looks = operator.looks();
        for name in ["younger", "older"] {
            let note = format!("example.com/look={look}");
            namespace.kubectl(&["annotate", "--overwrite", &format!("bp/{name}"), &note]);
        }
        wait_for("a look at both", || (operator.looks() >= looks + 2).then_some(()));
        waits();
    }
}

#[test]
fn what_was_written_and_is_not_seen_yet_is_had() {
    let namespace = Namespace::new(cluster(), "written");
    let operator = operator(namespace, |_| false);
    make_older(namespace, &operator);
    namespace.await_children("younger");
    // It wants that no more, but pods of before may go on with it.
    namespace.apply(&sharing("younger", "another:9093"));
    wait_for("the other address", || {
        let consumer = namespace.get("deployment/younger-consumer");
        consumer["spec"].to_string().contains("another:9093").then_some(())
    });
    assert_waits(namespace, &operator);
    operator.faults.hold(false);
    operator.stop();
}

#[test]
fn what_could_not_be_written_may_be_carried_out_later_and_is_had() {
    let namespace = Namespace::new(cluster(), "unwritten");
    let is_broken = Arc::new(AtomicBool::new(true));
    let broken = Arc::clone(&is_broken);
    let operator = operator(namespace, move |request| {
        let is_it = request.path.ends_with("/deployments/younger-consumer");
        is_it && request.verb == Verb::Patch && !request.is_trial && broken.load(Ordering::Relaxed)
    });
    make_older(namespace, &operator);
    namespace.await_reason("younger", "Ready", "ApiError");
    assert_waits(namespace, &operator);
    is_broken.store(false, Ordering::Relaxed);
    operator.faults.hold(false);
    namespace.await_children("younger");
    operator.stop();
}
