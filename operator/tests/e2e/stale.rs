//! Watches that lag behind, and changes that are undone before anybody hears of them: nothing is deleted, made anew or
//! scaled down because of it.

use std::{thread::sleep, time::Duration};

use batchpipe_operator::client::Verb;
use serde_json::{Value, json};

use crate::support::{Fault, Faults, Namespace, Operator, cluster, wait_for};

/// An operator whose watches of these kinds can be held back.
fn holding(namespace: Namespace<'_>, kinds: &'static [&'static str]) -> Operator {
    holding_as(namespace, "operator", kinds)
}

fn holding_as(
    namespace: Namespace<'_>,
    identity: &str,
    kinds: &'static [&'static str],
) -> Operator {
    let faults = Faults::new(move |request| {
        let is_held = kinds.iter().any(|kind| request.path.ends_with(&format!("/{kind}")));
        if request.verb == Verb::Watch && is_held { Fault::Held } else { Fault::None }
    });
    Operator::with(namespace, identity, faults)
}

/// Makes the operator look, and waits until it has.
fn look(namespace: Namespace<'_>, operator: &Operator, object: &str, value: &str) {
    let looks = operator.looks();
    namespace.kubectl(&["annotate", "--overwrite", object, &format!("example.com/look={value}")]);
    wait_for("a look", || (operator.looks() > looks).then_some(()));
}

fn settle(operator: &Operator) -> usize {
    let mut before = usize::MAX;
    wait_for("rest", || {
        let now = operator.faults.writes().len();
        let rests = std::mem::replace(&mut before, now) == now;
        sleep(Duration::from_secs(2));
        (rests && operator.faults.writes().len() == now).then_some(now)
    })
}

fn patch(namespace: Namespace<'_>, spec: &Value) {
    let patch = json!({"spec": spec}).to_string();
    namespace.kubectl(&["patch", "batchpipeline/demo", "--type=merge", "--patch", &patch]);
}

#[test]
fn children_that_the_watches_do_not_show_yet_are_not_written_again() {
    const KINDS: &[&str] =
        &["deployments", "serviceaccounts", "networkpolicies", "poddisruptionbudgets"];
    let namespace = Namespace::new(cluster(), "unseen");
    let operator = holding(namespace, KINDS);
    wait_for("the operator to lead", || operator.leads().then_some(()));
    sleep(Duration::from_secs(1));
    operator.faults.hold(true);
    namespace.pipeline("demo", "");
    namespace.await_children("demo");
    for value in ["1", "2", "3"] {
        look(namespace, &operator, "batchpipeline/demo", value);
    }
    operator.faults.hold(false);
    settle(&operator);
    let is_child = |path: &str| KINDS.iter().any(|kind| path.contains(&format!("/{kind}/")));
    let writes = operator.faults.writes();
    let children: Vec<_> = writes.iter().filter(|it| is_child(&it.path)).collect();
    assert_eq!(children.len(), crate::support::CHILDREN.len(), "each once: {children:?}");
    operator.stop();
}

#[test]
fn what_took_the_place_of_an_unwanted_child_unseen_is_not_deleted() {
    let namespace = Namespace::new(cluster(), "replaced");
    let operator = holding(namespace, &["deployments"]);
    namespace.pipeline("demo", "");
    namespace.await_children("demo");
    settle(&operator);
    operator.faults.hold(true);
    namespace.kubectl(&["delete", "deployment/demo-producer"]);
    namespace.kubectl(&["create", "deployment", "demo-producer", "--image=theirs:1"]);
    let theirs = namespace.get("deployment/demo-producer")["metadata"]["uid"].clone();
    patch(namespace, &json!({"producer": null}));
    wait_for("a try to delete it", || {
        let seen = operator.faults.answered();
        let is_it = |path: &str| path.ends_with("/deployments/demo-producer");
        let mut tries = seen.iter().filter(|(it, _)| it.verb == Verb::Delete && is_it(&it.path));
        tries.find(|(_, code)| *code == 409).map(|_| ())
    });
    operator.faults.hold(false);
    namespace.await_reason("demo", "ProducerReady", "NotRequested");
    settle(&operator);
    let now = namespace.get("deployment/demo-producer");
    assert_eq!(
        (&now["metadata"]["uid"], now["metadata"]["deletionTimestamp"].is_null()),
        (&theirs, true)
    );
    operator.stop();
}

#[test]
fn a_scale_that_is_undone_before_anybody_hears_of_it_changes_nothing() {
    let namespace = Namespace::new(cluster(), "undone");
    let operator = holding(namespace, &["batchpipelines", "deployments"]);
    namespace.pipeline("demo", "");
    namespace.await_children("demo");
    settle(&operator);
    let before = namespace.get("deployment/demo-consumer")["metadata"].clone();
    operator.faults.hold(true);
    for replicas in [3, 1] {
        patch(namespace, &json!({"consumer": {"replicas": replicas}}));
    }
    for replicas in ["--replicas=3", "--replicas=1"] {
        namespace.kubectl(&["scale", "deployment/demo-consumer", replicas]);
    }
    let changed = namespace.get("deployment/demo-consumer")["metadata"]["generation"].clone();
    operator.faults.hold(false);
    wait_for("the newest generation to be observed", || {
        let object = namespace.get("batchpipeline/demo");
        (object["status"]["observedGeneration"] == object["metadata"]["generation"]).then_some(())
    });
    settle(&operator);
    let after = namespace.get("deployment/demo-consumer")["metadata"].clone();
    assert_eq!((&after["uid"], &after["generation"]), (&before["uid"], &changed));
    operator.stop();
}

#[test]
fn a_scale_up_that_is_heard_of_late_is_not_undone_by_an_earlier_one() {
    let namespace = Namespace::new(cluster(), "late");
    let operator = holding(namespace, &["batchpipelines"]);
    namespace.pipeline("demo", "");
    namespace.await_children("demo");
    settle(&operator);
    operator.faults.hold(true);
    patch(namespace, &json!({"consumer": {"replicas": 3}}));
    // The child is looked at while the pipeline is known in its old form only.
    look(namespace, &operator, "deployment/demo-consumer", "1");
    let replicas = || namespace.get("deployment/demo-consumer")["spec"]["replicas"].clone();
    assert_eq!(replicas(), 1);
    operator.faults.hold(false);
    wait_for("three pods", || (replicas() == 3).then_some(()));
    let writes = operator.faults.writes();
    let scaled = writes.iter().filter(|it| it.path.ends_with("/deployments/demo-consumer"));
    assert_eq!(scaled.count(), 2, "created, and scaled up: {writes:?}");
    operator.stop();
}

#[test]
fn a_new_leader_whose_watch_was_cut_does_not_undo_what_it_has_not_heard_of() {
    let namespace = Namespace::new(cluster(), "cut");
    let first = Operator::with(namespace, "first", Faults::none());
    namespace.pipeline("demo", "");
    namespace.await_children("demo");
    let second = holding_as(namespace, "second", &["batchpipelines"]);
    wait_for("the second to follow", || {
        let seen = second.faults.seen();
        let mut watches = seen.iter().filter(|it| it.verb == Verb::Watch);
        watches.find(|it| it.path.ends_with("/batchpipelines")).map(|_| ())
    });
    sleep(Duration::from_secs(1));
    second.faults.hold(true);
    patch(namespace, &json!({"consumer": {"replicas": 3}}));
    let replicas = || namespace.get("deployment/demo-consumer")["spec"]["replicas"].clone();
    wait_for("three pods", || (replicas() == 3).then_some(()));
    first.stop();
    wait_for("a look of the second", || (second.looks() > 0).then_some(()));
    let writes = second.faults.writes();
    let children: Vec<_> = writes.iter().filter(|it| it.path.contains("/deployments/")).collect();
    assert!(children.is_empty(), "{children:?}");
    assert_eq!(replicas(), 3);
    second.faults.hold(false);
    second.stop();
}

#[test]
fn a_pipeline_that_came_and_went_unseen_leaves_nothing() {
    let namespace = Namespace::new(cluster(), "brief");
    let operator = holding(namespace, &["batchpipelines"]);
    namespace.pipeline("demo", "");
    namespace.await_children("demo");
    settle(&operator);
    operator.faults.hold(true);
    namespace.pipeline("brief", "");
    namespace.kubectl(&["delete", "batchpipeline/brief"]);
    operator.faults.hold(false);
    settle(&operator);
    let left = namespace.kubectl(&["get", "deployments,serviceaccounts", "--output=name"]);
    assert!(!left.contains("brief"), "{left}");
    operator.stop();
}

#[test]
fn a_pipeline_that_was_made_anew_unseen_gets_children_of_its_own() {
    let namespace = Namespace::new(cluster(), "anew");
    let operator = holding(namespace, &["batchpipelines"]);
    namespace.pipeline("demo", "");
    namespace.await_children("demo");
    settle(&operator);
    operator.faults.hold(true);
    namespace.kubectl(&["delete", "batchpipeline/demo"]);
    namespace.pipeline("demo", "");
    sleep(Duration::from_secs(3));
    operator.faults.hold(false);
    let uid = namespace.get("batchpipeline/demo")["metadata"]["uid"].clone();
    for child in crate::support::CHILDREN.map(|child| child.replace("NAME", "demo")) {
        wait_for(&format!("{child} of the new one"), || {
            let object = namespace.find(&child)?;
            let metadata = &object["metadata"];
            let is_ours = metadata["ownerReferences"][0]["uid"] == uid;
            (is_ours && metadata["deletionTimestamp"].is_null()).then_some(())
        });
    }
    operator.stop();
}
