//! Two operators are never two writers, and one takes over from the other in time.

use std::time::{Duration, Instant};

use batchpipe_operator::lease::Timing;

use crate::support::{Fault, Faults, Namespace, Operator, cluster, options, wait_for, within};

fn timing(namespace: Namespace<'_>) -> Timing {
    options(namespace.name, "any").lease.timing
}

fn holder(namespace: Namespace<'_>) -> String {
    let lease = namespace.find("lease/batchpipe-operator");
    lease.and_then(|it| Some(it["spec"]["holderIdentity"].as_str()?.to_owned())).unwrap_or_default()
}

/// A leader and one that waits.
fn pair(namespace: Namespace<'_>) -> (Operator, Operator) {
    let first = Operator::with(namespace, "first", Faults::none());
    wait_for("the first to lead", || first.leads().then_some(()));
    let second = Operator::with(namespace, "second", Faults::none());
    (first, second)
}

#[test]
fn only_the_leader_writes_and_the_other_takes_over_at_once_when_it_stops() {
    let namespace = Namespace::new(cluster(), "handover");
    let (first, second) = pair(namespace);
    namespace.pipeline("demo", "");
    namespace.await_children("demo");
    assert_eq!(second.faults.writes(), []);
    first.stop();
    let soon = timing(namespace).retry * 4;
    within(soon, "the second to lead", || second.leads().then_some(()));
    assert_eq!(holder(namespace), "second");
    namespace.kubectl(&["delete", "deployment/demo-producer"]);
    namespace.await_children("demo");
    second.stop();
    assert_eq!(holder(namespace), "", "the lease is given back");
}

#[test]
fn a_leader_that_crashed_is_replaced_within_the_lease_and_five_seconds() {
    let namespace = Namespace::new(cluster(), "crashed");
    let (first, second) = pair(namespace);
    first.crash();
    let limit = timing(namespace).duration + Duration::from_secs(5);
    within(limit, "the second to lead", || second.leads().then_some(()));
    second.stop();
}

#[test]
fn a_leader_that_stops_while_a_write_is_unanswered_lets_the_lease_run_out() {
    let namespace = Namespace::new(cluster(), "unanswered");
    let faults = Faults::new(|request| match request.is_write() {
        true => Fault::AnswerLost,
        false => Fault::None,
    });
    let operator = Operator::with(namespace, "first", faults);
    namespace.pipeline("demo", "");
    wait_for("a write", || (!operator.faults.writes().is_empty()).then_some(()));
    operator.stop();
    assert_eq!(holder(namespace), "first", "its write may still be carried out");
}

#[test]
fn two_operators_never_lead_at_the_same_time() {
    let namespace = Namespace::new(cluster(), "exclusive");
    let (first, second) = pair(namespace);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(5) {
        assert!(!(first.leads() && second.leads()));
        std::thread::sleep(Duration::from_millis(5));
    }
    first.stop();
    wait_for("the second to lead", || second.leads().then_some(()));
    second.stop();
}
