//! One fact each about what counts as ours, through the objects as the API server sends them.

use serde_json::{Value, json};

use super::*;
use crate::observe::{
    Answer,
    testing::{moment, report},
};

fn deployment(status: &Value) -> Deployment {
    serde_json::from_value(json!({
        "metadata": {"name": "telemetry-consumer", "uid": "d1", "generation": 3},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"b": "2", "a": "1"}},
            "template": {"spec": {"containers": []}}},
        "status": status,
    }))
    .unwrap()
}

fn set(uid: &str, owner: &str, revision: &str) -> PartialObjectMeta<ReplicaSet> {
    serde_json::from_value(json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {
        "name": uid, "uid": uid, "annotations": {REVISION: revision},
        "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "x", "uid": owner, "controller": true}],
    }}))
    .unwrap()
}

fn pod(name: &str, set: &str) -> Pod {
    let mut pod = bare(name);
    pod.metadata.owner_references = serde_json::from_value(json!([
        {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": set, "uid": set, "controller": true}
    ]))
    .unwrap();
    pod
}

fn bare(name: &str) -> Pod {
    serde_json::from_value(json!({"metadata": {"name": name, "uid": format!("uid-{name}")},
        "status": {"podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]}}))
    .unwrap()
}

const EXPECTED: Expected<'_> = Expected { role: Role::Consumer, topic: "telemetry" };

fn observe(pods: &[Pod], answers: &Answers) -> ObservedSide {
    let sets = [set("r9", "d1", "9"), set("r10", "d1", "10"), set("foreign", "d2", "11")];
    side(EXPECTED, Some(&deployment(&json!({}))), &sets, pods, answers)
}

#[test]
fn pods_count_only_through_a_replica_set_of_our_deployment() {
    let mut imposter = pod("imposter", "r10");
    imposter.metadata.owner_references.as_mut().unwrap()[0].controller = None;
    let pods =
        [pod("new", "r10"), pod("forged", "foreign"), bare("bare"), pod("old", "r9"), imposter];
    let side = observe(&pods, &Answers::new());
    let found: Vec<_> = side.pods.iter().map(|pod| (pod.name.as_str(), pod.is_updated)).collect();
    assert_eq!(found, [("new", true), ("old", false)]);
    assert_eq!(side.strays, ["bare", "forged", "imposter"]);
}

#[test]
fn a_pod_is_not_of_the_newest_set_while_that_set_is_not_known() {
    let mut newer = deployment(&json!({}));
    newer.metadata.annotations = Some([(REVISION.to_owned(), "10".to_owned())].into());
    let is_updated = |sets: &[PartialObjectMeta<ReplicaSet>]| {
        let side = side(EXPECTED, Some(&newer), sets, &[pod("old", "r9")], &Answers::new());
        side.pods[0].is_updated
    };
    assert!(!is_updated(&[set("r9", "d1", "9")]));
    assert!(is_updated(&[set("r9", "d1", "10")]), "rolled back");
}

#[test]
fn without_a_deployment_no_pod_is_ours() {
    let side = side(EXPECTED, None, &[set("r1", "d1", "1")], &[pod("a", "r1")], &Answers::new());
    assert_eq!((side.deployment, side.pods.len(), side.strays.len()), (None, 0, 1));
}

#[test]
fn only_pods_that_our_deployment_made_are_asked() {
    let sets = [set("r9", "d1", "9"), set("foreign", "d2", "11")];
    let pods = [pod("ours", "r9"), pod("forged", "foreign"), bare("bare")];
    let ours = made_by(Some(&deployment(&json!({}))), &sets, &pods);
    assert_eq!(ours, [pods[0].clone()]);
    assert_eq!(made_by(None, &sets, &pods), []);
}

#[test]
fn a_pod_that_has_ended_is_gone() {
    let mut ended = pod("a", "r10");
    ended.status.as_mut().unwrap().phase = Some("Failed".to_owned());
    assert_eq!(observe(&[ended], &Answers::new()).pods, []);
}

#[test]
fn a_pod_is_terminating_from_the_moment_it_was_asked_to_stop() {
    let mut pod = pod("a", "r10");
    assert!(!observe(&[pod.clone()], &Answers::new()).pods[0].is_terminating);
    pod.metadata.deletion_timestamp = Some(moment(0).into());
    let side = observe(&[pod], &Answers::new());
    assert!(side.pods[0].is_terminating && side.pods[0].is_ready);
}

#[test]
fn a_report_counts_only_from_the_same_side_and_topic() {
    let said = |role, topic: &str| {
        let report = Report { topic: topic.to_owned(), ..report(role) };
        let answers =
            [("uid-a".to_owned(), Answer { report: Arc::new(report), asked_at: moment(1) })];
        observe(&[pod("a", "r10")], &answers.into()).pods[0].report.is_some()
    };
    assert!(said(Role::Consumer, "telemetry"));
    assert!(said(Role::Consumer, ""), "it does not know its configuration yet");
    assert!(!said(Role::Producer, "telemetry"));
    assert!(!said(Role::Consumer, "other"));
}

#[test]
fn a_report_of_more_partitions_than_there_can_be_does_not_count() {
    let report = Report { partitions: Some(i32::MAX), ..report(Role::Consumer) };
    let answers = [("uid-a".to_owned(), Answer { report: Arc::new(report), asked_at: moment(1) })];
    assert_eq!(observe(&[pod("a", "r10")], &answers.into()).pods[0].report, None);
}

#[test]
fn a_deployment_says_how_far_its_rollout_is() {
    let found = observe_deployment(&deployment(&json!({
        "observedGeneration": 3, "replicas": 3, "updatedReplicas": 1, "readyReplicas": 2,
        "conditions": [
            {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"},
            {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"},
        ],
    })));
    assert_eq!((found.desired_replicas, found.replicas, found.updated_replicas), (2, 3, 1));
    assert!(found.is_current && !found.is_rolled_out);
    assert_eq!(found.stuck.as_deref(), Some("timed out"));
    assert_eq!(found.replica_failure.as_deref(), Some("exceeded quota"));
    assert_eq!(found.selector, "a=1,b=2");
}

#[test]
fn what_is_said_of_an_earlier_spec_is_not_taken_for_this_one() {
    let found = observe_deployment(&deployment(&json!({"observedGeneration": 2, "conditions": [
        {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"},
    ]})));
    assert!(!found.is_current);
    assert_eq!(found.stuck, None);
}

#[test]
fn a_rollout_that_came_to_its_end_is_known() {
    let found = observe_deployment(&deployment(&json!({"observedGeneration": 3, "conditions": [
        {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
    ]})));
    assert!(found.is_rolled_out);
}
