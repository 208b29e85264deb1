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
    let tries = operator.faults.seen().iter().filter(|request| hit(request)).count();
    println!("{tries:>3} tries: {what}");
    assert!((1..=MOST).contains(&tries), "{what}: {tries} tries in {WINDOW:?}");
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

#[test]
fn a_list_that_fails_makes_it_wait_and_not_act_on_half_of_what_there_is() {
    const HIT: Hit = |it| it.verb == Verb::List && it.path.ends_with("/networkpolicies");
    with_each("list", HIT, |place, switch, operator, what| {
        make(place, &plain());
        sleep(WINDOW);
        assert_few(operator, HIT, what);
        assert_eq!(operator.faults.writes(), [], "{what}");
        switch.set(false);
        await_producer(place, what);
    });
}

#[test]
fn a_watch_that_fails_is_begun_again_and_what_was_missed_is_noticed() {
    const HIT: Hit = |it| it.verb == Verb::Watch && it.path.ends_with("/deployments");
    with_each("watch", HIT, |place, switch, operator, what| {
        make(place, &plain());
        sleep(WINDOW);
        assert_few(operator, HIT, what);
        await_producer(place, what);
        switch.set(false);
        let before = place.find("deployments", "demo-producer").unwrap();
        place.delete("deployments", "demo-producer");
        within(RECOVERY, what, || {
            let now = place.find("deployments", "demo-producer")?;
            (now["metadata"]["uid"] != before["metadata"]["uid"]).then_some(())
        });
    });
}

#[test]
fn a_lease_that_cannot_be_written_makes_it_stand_by_until_it_can() {
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

#[test]
fn an_event_that_cannot_be_written_is_no_reason_to_do_anything_again() {
    const HIT: Hit = |it| it.verb == Verb::Create && it.path.ends_with("/events");
    with_each("event", HIT, |place, _, operator, what| {
        make(place, &plain());
        within(RECOVERY, what, || {
            let object = place.find("batchpipelines", "demo")?;
            let conditions = object["status"]["conditions"].as_array()?.clone();
            let ready = conditions.into_iter().find(|it| it["type"] == "Ready")?;
            (ready["reason"] == "AsDesired").then_some(())
        });
        let writes = operator.faults.writes().len();
        sleep(WINDOW);
        let writes = operator.faults.writes().split_off(writes);
        assert!(writes.iter().all(HIT), "{what}: {writes:?}");
        assert_few(operator, HIT, what);
    });
}

#[test]
fn a_topic_that_cannot_be_created_is_said_and_created_later() {
    const HIT: Hit = |it| it.verb == Verb::Create && it.path.ends_with("/kafkatopics");
    with_each("create", HIT, |place, switch, operator, what| {
        place.create_kafka("lab");
        make(place, &json!({"strimzi": {"cluster": "lab", "listener": "plain"}}));
        sleep(WINDOW);
        assert_few(operator, HIT, what);
        await_producer(place, what);
        within(RECOVERY, what, || {
            let object = place.find("batchpipelines", "demo")?;
            let conditions = object["status"]["conditions"].as_array()?.clone();
            let ready = conditions.into_iter().find(|it| it["type"] == "Ready")?;
            // What the server did although nobody heard of it is found when it is looked for again.
            let is_there = place.find("kafkatopics", "demo").is_some();
            (ready["reason"] == "ApiError" || is_there).then_some(())
        });
        switch.set(false);
        within(RECOVERY, what, || place.find("kafkatopics", "demo"));
    });
}
