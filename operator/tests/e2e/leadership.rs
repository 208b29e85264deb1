//! Two operators are never two writers, and one takes over from the other in time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

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
    let faults =
        Faults::new(|request| if request.is_write() { Fault::AnswerLost } else { Fault::None });
    let operator = Operator::with(namespace, "first", faults);
    namespace.pipeline("demo", "");
    wait_for("a write", || (!operator.faults.writes().is_empty()).then_some(()));
    operator.stop();
    assert_eq!(holder(namespace), "first", "its write may still be carried out");
}

#[test]
fn a_write_that_was_given_up_long_before_the_stop_is_remembered() {
    let namespace = Namespace::new(cluster(), "given-up");
    let is_first = AtomicBool::new(true);
    let faults = Faults::new(move |request| {
        let is_lost = request.is_write() && is_first.swap(false, Ordering::Relaxed);
        if is_lost { Fault::AnswerLost } else { Fault::None }
    });
    let operator = Operator::with(namespace, "first", faults);
    namespace.pipeline("demo", "");
    namespace.await_children("demo");
    operator.stop();
    assert_eq!(holder(namespace), "first", "that write may still be carried out");
}

/// Looks at both all the time, from before something happens to the first until the second leads.
fn never_both(topic: &str, happens: fn(Operator)) {
    let namespace = Namespace::new(cluster(), topic);
    let (first, second) = pair(namespace);
    let leads = [&first, &second].map(|it| it.instruments.leadership.clone());
    let is_over = AtomicBool::new(false);
    let both = std::thread::scope(|scope| {
        let watched = scope.spawn(|| {
            // Longer than anything is waited for: a failure elsewhere must not make this endless.
            let end = Instant::now() + Duration::from_secs(100);
            while !is_over.load(Ordering::Relaxed) && Instant::now() < end {
                let now = Instant::now();
                if leads.iter().all(|it| it.is_leader(now)) {
                    return true;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            false
        });
        happens(first);
        wait_for("the second to lead", || second.leads().then_some(()));
        is_over.store(true, Ordering::Relaxed);
        watched.join().unwrap()
    });
    assert!(!both, "two led at the same time");
    second.stop();
}

#[test]
fn two_operators_never_lead_at_the_same_time_when_one_stops() {
    never_both("exclusive", Operator::stop);
}

#[test]
fn two_operators_never_lead_at_the_same_time_when_one_crashes() {
    // What it held is not given back: by its own clock it leads until the time is over.
    never_both("exclusive-crash", Operator::crash);
}

#[test]
fn two_operators_never_lead_at_the_same_time_when_one_cannot_renew() {
    let namespace = Namespace::new(cluster(), "exclusive-cut");
    let is_cut = Arc::new(AtomicBool::new(false));
    let cut = Arc::clone(&is_cut);
    let faults =
        Faults::new(
            move |_| {
                if cut.load(Ordering::Relaxed) { Fault::NeverSent } else { Fault::None }
            },
        );
    let first = Operator::with(namespace, "first", faults);
    wait_for("the first to lead", || first.leads().then_some(()));
    namespace.pipeline("demo", "");
    namespace.await_children("demo");
    wait_for("the gauge", || (phases(&first) == 1).then_some(()));
    let second = Operator::with(namespace, "second", Faults::none());
    is_cut.store(true, Ordering::Relaxed);
    wait_for("the second to lead", || {
        let (one, other) = (first.leads(), second.leads());
        assert!(!(one && other), "two lead");
        other.then_some(())
    });
    wait_for("the first to speak of no pipeline", || (phases(&first) == 0).then_some(()));
    wait_for("the second to speak of it", || (phases(&second) == 1).then_some(()));
    first.crash();
    second.stop();
}

/// How many pipelines an operator speaks of.
fn phases(operator: &Operator) -> usize {
    let scrape = operator.instruments.metrics.scrape().unwrap();
    let lines = scrape.lines().filter(|it| it.starts_with("batchpipe_operator_pipelines{"));
    lines.filter_map(|it| it.rsplit(' ').next()?.parse::<usize>().ok()).sum()
}
