//! The API server refuses or fails: tries are bounded, everything else goes on, and it ends well by itself.

mod each;
mod objects;
mod operator;
mod reclaim;

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use crate::support::{Fault, Faults, Namespace, Operator, cluster, manifest, wait_for, within};

/// Everything that is written fails in this way for the first time.
fn first_time(code: u16) -> Faults {
    let seen = Mutex::new(BTreeSet::new());
    Faults::new(move |request| {
        let is_first = request.is_write() && seen.lock().unwrap().insert(request.path.clone());
        if is_first { Fault::Status(code) } else { Fault::None }
    })
}

#[test]
fn every_error_that_may_pass_is_tried_again_until_it_has() {
    thread::scope(|scope| {
        for code in [403, 409, 410, 422, 429, 500, 503] {
            scope.spawn(move || {
                let namespace = Namespace::new(cluster(), &format!("error-{code}"));
                let operator = Operator::with(namespace, "operator", first_time(code));
                namespace.pipeline("demo", "");
                namespace.await_children("demo");
                // No node makes the pods ready: nothing better than that they start can be said.
                namespace.await_reason("demo", "Ready", "Progressing");
                operator.stop();
            });
        }
    });
}

#[test]
fn a_kind_that_may_not_be_written_is_named_and_does_not_stop_the_others() {
    let namespace = Namespace::new(cluster(), "refused");
    let is_refused = Arc::new(AtomicBool::new(true));
    let rule = Arc::clone(&is_refused);
    let faults = Faults::new(move |request| {
        let is_policy = request.is_write() && request.path.contains("/networkpolicies/");
        if is_policy && rule.load(Ordering::Relaxed) { Fault::Status(403) } else { Fault::None }
    });
    let operator = Operator::with(namespace, "operator", faults);
    namespace.pipeline("demo", "");
    wait_for("the Deployments", || namespace.find("deployment/demo-consumer"));
    let message = namespace.await_reason("demo", "Ready", "Forbidden");
    assert!(
        message.contains("patch") && message.contains("networkpolicies.networking.k8s.io"),
        "{message}"
    );
    let tries = || {
        operator
            .faults
            .writes()
            .iter()
            .filter(|it| it.path.ends_with("/networkpolicies/demo-producer"))
            .count()
    };
    let before = tries();
    thread::sleep(Duration::from_secs(20));
    let more = tries() - before;
    assert!(more <= 5, "{more} tries in 20 s");
    is_refused.store(false, Ordering::Relaxed);
    // Nobody tells it: the longest wait between two tries is a minute.
    within(Duration::from_secs(75), "the policies", || {
        namespace.find("networkpolicy/demo-producer")?;
        namespace.find("networkpolicy/demo-consumer")
    });
    namespace.await_children("demo");
    namespace.await_reason("demo", "Ready", "Progressing");
    operator.stop();
}

#[test]
fn a_pause_that_is_refused_is_not_called_one_also_while_the_spec_is_invalid() {
    let namespace = Namespace::new(cluster(), "unpaused");
    let is_refused = Arc::new(AtomicBool::new(false));
    let rule = Arc::clone(&is_refused);
    let faults = Faults::new(move |request| {
        let is_pods = request.is_write() && request.path.contains("/deployments/");
        if is_pods && rule.load(Ordering::Relaxed) { Fault::Status(403) } else { Fault::None }
    });
    let operator = Operator::with(namespace, "operator", faults);
    namespace.pipeline("demo", "");
    namespace.await_children("demo");
    is_refused.store(true, Ordering::Relaxed);
    let phase = || namespace.get("batchpipeline/demo")["status"]["phase"].clone();
    for (source, reason) in [("generator", "Forbidden"), ("stdin", "InvalidSpec")] {
        namespace.apply(&manifest("demo", "  state: Paused").replace("generator", source));
        let message = namespace.await_reason("demo", "Ready", reason);
        assert!(message.contains("Deployment demo-"), "{message}");
        assert_ne!(phase(), "Paused");
    }
    is_refused.store(false, Ordering::Relaxed);
    namespace.kubectl(&["annotate", "batchpipeline/demo", "look=again"]);
    wait_for("the pause", || (phase() == "Paused").then_some(()));
    operator.stop();
}

#[test]
fn a_kind_that_may_not_be_watched_is_named_and_does_not_stop_the_others() {
    let namespace = Namespace::new(cluster(), "unwatched");
    let faults = Faults::new(|request| {
        if request.path.ends_with("/poddisruptionbudgets") {
            Fault::Status(403)
        } else {
            Fault::None
        }
    });
    let operator = Operator::with(namespace, "operator", faults);
    namespace.pipeline("demo", "");
    wait_for("the Deployments", || namespace.find("deployment/demo-consumer"));
    let message = namespace.await_reason("demo", "Ready", "Forbidden");
    assert!(message.contains("PodDisruptionBudget"), "{message}");
    assert!(namespace.find("poddisruptionbudget/demo-consumer").is_none());
    operator.stop();
}
