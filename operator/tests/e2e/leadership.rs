//! Two operators are never two writers, and one takes over from the other in time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, sleep},
    time::{Duration, Instant},
};

use batchpipe_operator::{
    client::Verb,
    lease::{Leadership, Timing},
};
use serde_json::json;

use crate::support::{
    Fault, Faults, Namespace, Operator, Request, Server, cluster, kubeconfig, options, wait_for,
    within,
};

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
fn a_leader_that_stops_while_only_a_read_is_unanswered_gives_the_lease_back() {
    let namespace = Namespace::new(cluster(), "unread");
    let is_read = |request: &Request| {
        request.verb == Verb::Get && request.path.ends_with("/serviceaccounts/demo-batchpipe")
    };
    let faults =
        Faults::new(move |request| if is_read(request) { Fault::NeverSent } else { Fault::None });
    let operator = Operator::with(namespace, "first", faults);
    namespace.pipeline("demo", "");
    wait_for("the read", || operator.faults.seen().iter().any(is_read).then_some(()));
    operator.stop();
    assert_eq!(holder(namespace), "", "nothing may still be carried out");
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

fn leaderships(first: &Operator, second: &Operator) -> [Leadership; 2] {
    [first, second].map(|it| it.instruments.leadership.clone())
}

/// Whether both lead at some moment of what happens meanwhile.
fn lead_both(leads: &[Leadership; 2], happens: impl FnOnce()) -> bool {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let watched = scope.spawn(|| {
            // Longer than anything is waited for: a failure elsewhere must not make this endless.
            let end = Instant::now() + Duration::from_secs(150);
            while !is_over.load(Ordering::Relaxed) && Instant::now() < end {
                let now = Instant::now();
                if leads.iter().all(|it| it.is_leader(now)) {
                    return true;
                }
                sleep(Duration::from_millis(1));
            }
            false
        });
        happens();
        is_over.store(true, Ordering::Relaxed);
        watched.join().unwrap()
    })
}

/// Asks for other pods again and again while something happens, so that whoever may write does.
fn while_it_changes(namespace: Namespace<'_>, happens: impl FnOnce()) {
    let (server, is_over) = (Server::of(namespace.cluster), AtomicBool::new(false));
    let path =
        format!("/apis/batchpipe.dev/v1alpha1/namespaces/{}/batchpipelines/demo", namespace.name);
    thread::scope(|scope| {
        scope.spawn(|| {
            let end = Instant::now() + Duration::from_secs(150);
            for number in 0.. {
                if is_over.load(Ordering::Relaxed) || Instant::now() > end {
                    return;
                }
                server
                    .merge(&path, &json!({"spec": {"image": format!("example.com/it:{number}")}}));
                sleep(Duration::from_millis(20));
            }
        });
        happens();
        is_over.store(true, Ordering::Relaxed);
    });
}

/// Waits until one has written more than so many times.
fn await_writes(faults: &Faults, more_than: usize) {
    wait_for("writes", || (faults.write_times().len() > more_than).then_some(()));
}

/// The first of them has written for the last time before the other did for the first time.
#[track_caller]
fn assert_apart(first: &Faults, second: &Faults) {
    let (first, second) = (first.write_times(), second.write_times());
    let (last, next) = (first.last().unwrap(), second.first().unwrap());
    assert!(last < next, "it writes {:?} after the other one began to", last.duration_since(*next));
    println!(
        "{} writes, {:?} without any, {} writes",
        first.len(),
        next.duration_since(*last),
        second.len()
    );
}

/// Looks at both all the time, and at what they write, from before something happens to the first until the second leads.
fn never_both(topic: &str, happens: fn(Operator)) {
    let namespace = Namespace::new(cluster(), topic);
    let (first, second) = pair(namespace);
    namespace.pipeline("demo", "");
    namespace.await_children("demo");
    let faults = [&first, &second].map(|it| it.faults.clone());
    let both = lead_both(&leaderships(&first, &second), || {
        while_it_changes(namespace, || {
            await_writes(&faults[0], faults[0].write_times().len() + 3);
            happens(first);
            wait_for("the second to lead", || second.leads().then_some(()));
            await_writes(&faults[1], 3);
        });
    });
    assert!(!both, "two led at the same time");
    assert_apart(&faults[0], &faults[1]);
    second.stop();
}

#[test]
fn two_operators_never_write_at_the_same_time_when_one_stops() {
    never_both("exclusive", Operator::stop);
}

#[test]
fn two_operators_never_write_at_the_same_time_when_one_crashes() {
    // What it held is not given back: by its own clock it leads until the time is over.
    never_both("exclusive-crash", Operator::crash);
}

#[test]
fn two_operators_never_write_at_the_same_time_when_one_cannot_renew() {
    let namespace = Namespace::new(cluster(), "exclusive-cut");
    let is_cut = Arc::new(AtomicBool::new(false));
    let cut = Arc::clone(&is_cut);
    // Everything else of it would reach the API server.
    let faults = Faults::new(move |request| {
        let is_lost = cut.load(Ordering::Relaxed) && request.path.contains("/leases/");
        if is_lost { Fault::NeverSent } else { Fault::None }
    });
    let first = Operator::with(namespace, "first", faults);
    wait_for("the first to lead", || first.leads().then_some(()));
    namespace.pipeline("demo", "");
    namespace.await_children("demo");
    wait_for("the gauge", || (phases(&first) == 1).then_some(()));
    let second = Operator::with(namespace, "second", Faults::none());
    let both = lead_both(&leaderships(&first, &second), || {
        while_it_changes(namespace, || {
            await_writes(&first.faults, first.faults.write_times().len() + 3);
            is_cut.store(true, Ordering::Relaxed);
            wait_for("the second to lead", || second.leads().then_some(()));
            await_writes(&second.faults, 3);
        });
    });
    assert!(!both, "two led at the same time");
    assert_apart(&first.faults, &second.faults);
    wait_for("the first to speak of no pipeline", || (phases(&first) == 0).then_some(()));
    wait_for("the second to speak of it", || (phases(&second) == 1).then_some(()));
    first.crash();
    second.stop();
}

/// An operator with these times.
fn with_timing(namespace: Namespace<'_>, identity: &str, timing: Timing) -> Operator {
    let mut options = options(namespace.name, identity);
    options.lease.timing = timing;
    Operator::at(&kubeconfig(namespace), options, Faults::none())
}

/// Whether this was asked of the Lease and answered with this code.
fn is_answered(operator: &Operator, verb: Verb, code: u16) -> Option<()> {
    let is_it = |(request, answer): &(Request, u16)| {
        request.path.contains("/leases/") && request.verb == verb && *answer == code
    };
    operator.faults.answered().iter().any(is_it).then_some(())
}

/// Somebody takes the Lease away from the leader, who is not told, while another one waits for it.
fn taken_away(topic: &str, take_away: fn(Namespace<'_>)) {
    let namespace = Namespace::new(cluster(), topic);
    // Much longer than a try takes on a busy machine: nobody loses it for any other reason.
    let timing = Timing {
        duration: Duration::from_secs(8),
        renew_deadline: Duration::from_secs(7),
        retry: Duration::from_millis(500),
    };
    let first = with_timing(namespace, "first", timing);
    wait_for("the first to lead", || first.leads().then_some(()));
    let second = with_timing(namespace, "second", timing);
    wait_for("the second to know who leads", || is_answered(&second, Verb::Get, 200));
    let begun = Instant::now();
    let both = lead_both(&leaderships(&first, &second), || {
        take_away(namespace);
        wait_for("the first to stop", || (!first.leads()).then_some(()));
        wait_for("one to lead", || (first.leads() || second.leads()).then_some(()));
    });
    assert!(!both, "two led at the same time");
    assert!(begun.elapsed() >= timing.duration, "{:?}: too soon", begun.elapsed());
    first.stop();
    second.stop();
}

#[test]
fn a_lease_that_somebody_deletes_ends_the_lead_and_is_made_when_its_time_has_passed() {
    taken_away("deleted-lease", |namespace| {
        namespace.kubectl(&["delete", "lease/batchpipe-operator"]);
    });
}

#[test]
fn a_lease_that_somebody_empties_ends_the_lead_and_is_taken_when_its_time_has_passed() {
    taken_away("emptied-lease", |namespace| {
        let patch = ["--type=merge", "--patch", r#"{"spec": {"holderIdentity": null}}"#];
        namespace.kubectl(&[&["patch", "lease/batchpipe-operator"], patch.as_slice()].concat());
    });
}

#[test]
fn a_lease_that_somebody_hands_to_another_ends_the_lead_and_is_taken_when_its_time_has_passed() {
    taken_away("handed-lease", |namespace| {
        let patch = r#"{"spec": {"holderIdentity": "second"}}"#;
        namespace.kubectl(&["patch", "lease/batchpipe-operator", "--type=merge", "--patch", patch]);
    });
}

#[test]
fn a_lease_that_somebody_shortens_ends_the_lead_and_is_taken_when_its_time_has_passed() {
    taken_away("shortened-lease", |namespace| {
        let patch = r#"{"spec": {"leaseDurationSeconds": 1}}"#;
        namespace.kubectl(&["patch", "lease/batchpipe-operator", "--type=merge", "--patch", patch]);
    });
}

#[test]
fn a_label_on_the_lease_costs_the_leader_no_wait() {
    let namespace = Namespace::new(cluster(), "labelled-lease");
    let timing = Timing {
        duration: Duration::from_mins(1),
        renew_deadline: Duration::from_secs(50),
        retry: Duration::from_secs(20),
    };
    let operator = with_timing(namespace, "only", timing);
    wait_for("it to lead", || operator.leads().then_some(()));
    namespace.kubectl(&["label", "lease/batchpipe-operator", "example.com/note=x"]);
    wait_for("a renewal that is refused", || is_answered(&operator, Verb::Update, 409));
    within(timing.retry / 2, "it to lead again", || operator.leads().then_some(()));
    assert_eq!(namespace.get("lease/batchpipe-operator")["spec"]["leaseTransitions"], 0);
    operator.stop();
}

/// How many pipelines an operator speaks of.
fn phases(operator: &Operator) -> usize {
    let scrape = operator.instruments.metrics.scrape().unwrap();
    let lines = scrape.lines().filter(|it| it.starts_with("batchpipe_operator_pipelines{"));
    lines.filter_map(|it| it.rsplit(' ').next()?.parse::<usize>().ok()).sum()
}
