//! Requests that concern the operator as a whole, failing in every way: lists, watches, the Lease, Events, and the
//! creation of topics. It neither ends nor hurries, and goes on by itself when the fault has passed.

use std::{
    thread::{scope, sleep},
    time::{Duration, Instant},
};

use batchpipe_operator::client::Verb;
use batchpipe_testbed::ControlPlane;
use serde_json::json;

use super::each::{FAULTS, Switch};
use crate::support::{Fault, Operator, Place, Request, Server, attended, options, within};

/// How long something fails, at least.
const WINDOW: Duration = Duration::from_secs(15);
/// The most tries of one thing in this time: waits between tries grow to some seconds.
const MOST: usize = 12;
/// A list may take 30 s, and the waits between two tries are up to 5 s. A watch that says nothing counts as broken
/// after its 60 s and a margin.
const RECOVERY: Duration = Duration::from_secs(110);

/// A kind of request.
type Hit = fn(&Request) -> bool;

fn begin(
    (cluster, server): (&ControlPlane, &Server),
    topic: &str,
    (hit, fault): (Hit, Fault),
) -> (Place, Switch, Operator) {
    let place = Place::new(server, topic);
    let switch = Switch::default();
    let faults = switch.faults(move |request| if hit(request) { fault } else { Fault::None });
    switch.set(true);
    let options = options(&place.namespace, "operator");
    let operator = Operator::at(&place.shipped_rights(cluster), options, faults);
    (place, switch, operator)
}

fn make(place: &Place, kafka: &serde_json::Value) {
    let sides = json!({"source": {"generator": {}}});
    place.create("batchpipelines", &json!({
        "apiVersion": "batchpipe.dev/v1alpha1", "kind": "BatchPipeline", "metadata": {"name": "demo"},
        "spec": {"kafka": kafka, "producer": sides, "topic": {"provision": "Auto"}},
    }));
}

fn plain() -> serde_json::Value {
    json!({"bootstrapServers": "kafka:9093"})
}

fn await_producer(place: &Place, what: &str) {
    within(RECOVERY, what, || place.find("deployments", "demo-producer"));
}

fn assert_few(operator: &Operator, hit: Hit, what: &str) {
    assert_at_most(MOST, operator, hit, what);
}

fn assert_at_most(most: usize, operator: &Operator, hit: Hit, what: &str) {
    let tries = operator.faults.seen().iter().filter(|request| hit(request)).count();
    println!("{tries:>3} tries: {what}");
    assert!((1..=most).contains(&tries), "{what}: {tries} tries in {WINDOW:?}");
}

/// Does this for every fault, all at the same time.
fn with_each(kind: &str, hit: Hit, test: impl Fn(&Place, &Switch, &Operator, &str) + Sync) {
    let (cluster, server) = attended();
    let (server, test) = (&server, &test);
    scope(|scope| {
        for (name, fault) in FAULTS {
            scope.spawn(move || {
                let what = format!("{kind}-{name}");
                let (place, switch, operator) = begin((cluster, server), &what, (hit, fault));
                test(&place, &switch, &operator, &what);
                operator.stop();
            });
        }
    });
}

/// A list that fails keeps it from everything.
fn waits_for_a_list(kind: &str, hit: Hit) {
    with_each(kind, hit, |place, switch, operator, what| {
        make(place, &plain());
        sleep(WINDOW);
        assert_few(operator, hit, what);
        assert_eq!(operator.faults.writes(), [], "{what}");
        switch.set(false);
        await_producer(place, what);
    });
}

/// A list that fails makes it wait, and not act on half of what there is.
fn list_of_children() {
    waits_for_a_list("list", |it| it.verb == Verb::List && it.path.ends_with("/networkpolicies"));
}

/// So does the list of pipelines.
fn list_of_pipelines() {
    waits_for_a_list("pipelines", |it| {
        it.verb == Verb::List && it.path.ends_with("/batchpipelines")
    });
}

/// A watch that fails is begun again, and a pipeline that was missed is noticed.
fn watch_of_pipelines() {
    const HIT: Hit = |it| it.verb == Verb::Watch && it.path.ends_with("/batchpipelines");
    with_each("look-out", HIT, |place, switch, operator, what| {
        // Its list is read by then, so that only a watch would tell of more.
        within(RECOVERY, what, || (operator.is_at_work()).then_some(()));
        within(RECOVERY, what, || operator.faults.seen().iter().any(HIT).then_some(()));
        make(place, &plain());
        sleep(WINDOW);
        assert_few(operator, HIT, what);
        switch.set(false);
        await_producer(place, what);
    });
}

/// Unless it says that the pods are invalid, a trial that fails keeps no pipeline from being made.
fn trial() {
    const HIT: Hit = |it| it.is_trial;
    with_each("trial", HIT, |place, switch, operator, what| {
        make(place, &plain());
        if what.ends_with("422") {
            within(RECOVERY, what, || (reason(place)? == "InvalidSpec").then_some(()));
            assert!(place.find("deployments", "demo-producer").is_none(), "{what}");
            switch.set(false);
        }
        await_producer(place, what);
        within(RECOVERY, what, || (reason(place)? == "AsDesired").then_some(()));
        assert_few(operator, HIT, what);
    });
}

/// The reason of `Ready`.
fn reason(place: &Place) -> Option<serde_json::Value> {
    let object = place.find("batchpipelines", "demo")?;
    let conditions = object["status"]["conditions"].as_array()?.clone();
    Some(conditions.into_iter().find(|it| it["type"] == "Ready")?["reason"].clone())
}

/// A watch that fails is begun again, and what was missed is noticed.
fn watch_of_children() {
    const HIT: Hit = |it| it.verb == Verb::Watch && it.path.ends_with("/deployments");
    with_each("watch", HIT, |place, switch, operator, what| {
        make(place, &plain());
        sleep(WINDOW);
        assert_few(operator, HIT, what);
        await_producer(place, what);
        let scrape = operator.instruments.metrics.scrape().unwrap();
        let counted = "batchpipe_operator_watch_restarts_total{kind=\"Deployment\"} ";
        let restarts =
            scrape.lines().find_map(|line| line.strip_prefix(counted)?.parse::<u64>().ok());
        // One that is not answered is given up after half a minute, one that says nothing after a whole.
        let is_silent = ["timeout", "half-open"].iter().any(|fault| what.ends_with(fault));
        assert!(restarts >= Some(1) || is_silent, "{what}: {restarts:?}");
        switch.set(false);
        let before = place.find("deployments", "demo-producer").unwrap();
        place.delete("deployments", "demo-producer");
        within(RECOVERY, what, || {
            let now = place.find("deployments", "demo-producer")?;
            (now["metadata"]["uid"] != before["metadata"]["uid"]).then_some(())
        });
    });
}

/// A Lease that cannot be written makes it stand by until it can.
fn lease() {
    const HIT: Hit = |it| it.path.contains("/leases");
    with_each("lease", HIT, |place, switch, operator, what| {
        switch.set(false);
        make(place, &plain());
        await_producer(place, what);
        switch.set(true);
        let (before, begun) = (operator.faults.count(), Instant::now());
        let tries = || operator.faults.seen().split_off(before).iter().filter(|it| HIT(it)).count();
        // One try ends before the next begins: after this, none is under way that could still succeed.
        within(RECOVERY, what, || (tries() >= 2).then_some(()));
        // Its looks have ended too: what they sent before is counted.
        within(RECOVERY, what, || (!operator.leads() && !operator.is_at_work()).then_some(()));
        let writes = operator.faults.writes().len();
        let failed = tries();
        place.delete("deployments", "demo-producer");
        within(RECOVERY, what, || (tries() >= failed + 8).then_some(()));
        assert_eq!(operator.faults.writes().len(), writes, "{what}: it writes without the lease");
        // One for each period, one more when it lost the Lease, and one that may just have begun.
        let retry = options(&place.namespace, "operator").lease.timing.retry;
        let most = begun.elapsed().as_millis() / retry.as_millis() + 3;
        assert!(tries() as u128 <= most, "{what}: {} tries, at most {most}", tries());
        switch.set(false);
        within(RECOVERY, what, || operator.leads().then_some(()));
        await_producer(place, what);
    });
}

/// An Event that cannot be written is no reason to do anything again.
fn event() {
    const HIT: Hit = |it| it.verb == Verb::Create && it.path.ends_with("/events");
    with_each("event", HIT, |place, _, operator, what| {
        make(place, &plain());
        within(RECOVERY, what, || (reason(place)? == "AsDesired").then_some(()));
        assert_nothing_is_done_again(operator, HIT, what);
        assert_few(operator, HIT, what);
    });
}

/// Only what fails is tried at all.
fn assert_nothing_is_done_again(operator: &Operator, hit: Hit, what: &str) {
    let writes = operator.faults.writes().len();
    sleep(WINDOW);
    let writes = operator.faults.writes().split_off(writes);
    assert!(writes.iter().all(hit), "{what}: {writes:?}");
}

/// Neither is one that cannot be counted.
fn series() {
    const HIT: Hit = |it| it.verb == Verb::Patch && it.path.contains("/events/");
    with_each("series", HIT, |place, _, operator, what| {
        make(place, &plain());
        within(RECOVERY, what, || (reason(place)? == "AsDesired").then_some(()));
        for (state, wanted) in [("Paused", "Paused"), ("Running", "AsDesired")].repeat(2) {
            place.merge("batchpipelines", "demo", &json!({"spec": {"state": state}}));
            within(RECOVERY, what, || (reason(place)? == wanted).then_some(()));
        }
        within(RECOVERY, what, || operator.faults.seen().iter().any(HIT).then_some(()));
        assert_nothing_is_done_again(operator, HIT, what);
        // One try for each of what is told: the phase and four conditions, for each of the changes.
        assert_at_most(20, operator, HIT, what);
    });
}

/// A topic that cannot be created is said, and created later.
fn topic() {
    const HIT: Hit = |it| it.verb == Verb::Create && it.path.ends_with("/kafkatopics");
    with_each("create", HIT, |place, switch, operator, what| {
        place.create_kafka("lab");
        make(place, &json!({"strimzi": {"cluster": "lab", "listener": "plain"}}));
        sleep(WINDOW);
        assert_few(operator, HIT, what);
        await_producer(place, what);
        within(RECOVERY, what, || {
            // What the server did although nobody heard of it is found when it is looked for again.
            let is_there = place.find("kafkatopics", "demo").is_some();
            (reason(place)? == "ApiError" || is_there).then_some(())
        });
        switch.set(false);
        within(RECOVERY, what, || place.find("kafkatopics", "demo"));
    });
}

/// They wait most of the time: together they take as long as the longest.
fn all(tests: &[fn()]) {
    scope(|scope| {
        for test in tests {
            scope.spawn(test);
        }
    });
}

#[test]
fn lists_and_watches_that_fail_are_begun_again_and_nothing_is_missed() {
    all(&[list_of_children, list_of_pipelines, watch_of_children, watch_of_pipelines]);
}

#[test]
fn writes_that_fail_are_no_reason_to_hurry_or_to_do_other_things_again() {
    all(&[event, series, topic, trial]);
}

#[test]
fn a_lease_that_cannot_be_written_makes_it_stand_by_until_it_can() {
    lease();
}
