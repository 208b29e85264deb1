//! Scenes in which something is in the way of a pipeline: Kafka, another pipeline, a Secret, room.

use super::*;

fn with_strimzi(outcome: Outcome) -> BatchPipelineStatus {
    Scene::changed(|scene| {
        scene.object.spec.kafka =
            serde_json::from_str(r#"{"strimzi": {"cluster": "lab"}}"#).unwrap();
        scene.outcome = outcome;
    })
    .summary()
}

#[test]
fn kafka_is_called_resolved_only_when_somebody_has_looked() {
    let resolved = |outcome| {
        let status = with_strimzi(outcome);
        let condition = condition(&status, types::KAFKA_RESOLVED);
        format!("{}/{}", condition.status, condition.reason)
    };
    let invalid = || Invalid { violations: Vec::new() };
    assert_eq!(resolved(Outcome::Conflict("taken".to_owned())), "Unknown/Unknown");
    assert_eq!(resolved(Outcome::Invalid(invalid())), "Unknown/Unknown");
    assert_eq!(resolved(Outcome::Unfit(invalid())), "True/Resolved");
    assert_eq!(resolved(Outcome::Unanswered("cannot read".to_owned())), "Unknown/ApiError");
}

#[test]
fn an_api_server_that_does_not_say_what_kafka_is_reaches_the_user() {
    let status = with_strimzi(Outcome::Unanswered("cannot read Kafka lab: timed out".to_owned()));
    assert_eq!(in_short(&status), "Running Ready=False/ApiError Reconciling=ApiError Stalled=-");
    let message = &condition(&status, types::READY).message;
    assert!(
        message.starts_with("cannot read Kafka lab: timed out; it is tried again"),
        "{message}"
    );
}

#[test]
fn what_is_paused_is_paused_whatever_else_is_in_the_way() {
    let mut scene = Scene::settled();
    ran_before(&mut scene);
    scene.object.spec.state = DesiredState::Paused;
    scene.outcome = Outcome::Conflict("taken".to_owned());
    for side in [&mut scene.observed.producer, &mut scene.observed.consumer] {
        *side = ObservedSide { deployment: Some(deployment(0)), ..settled(Vec::new()) };
    }
    let status = scene.pass();
    assert_eq!(in_short(&status), "Paused Ready=False/Conflict Reconciling=- Stalled=Conflict");
    assert_eq!(sides(&status), ["True/Paused", "True/Paused"]);
    assert_eq!(condition(&status, types::READY).message, "taken; it is paused all the same");
}

#[test]
fn pods_that_miss_a_secret_after_a_pause_stall_as_they_would_in_a_rollout() {
    let with = |seconds| {
        let mut scene = Scene::settled();
        scene.object.status =
            Some(BatchPipelineStatus { phase: Some(Phase::Paused), ..Default::default() });
        let pods = vec![waiting("c1", "SecretMissing", "me/password", seconds)];
        scene.observed.consumer = settled(pods);
        scene.observed.consumer.deployment =
            Some(ObservedDeployment { ready_replicas: 0, ..deployment(2) });
        in_short(&scene.pass())
    };
    assert_eq!(with(5), "Pending Ready=False/SecretMissing Reconciling=SecretMissing Stalled=-");
    assert_eq!(with(40), "Pending Ready=False/SecretMissing Reconciling=- Stalled=SecretMissing");
}

#[test]
fn more_pods_than_there_is_room_for_are_degraded_and_not_on_their_way_for_ever() {
    let mut scene = Scene::settled();
    scene.object.status =
        Some(BatchPipelineStatus { phase: Some(Phase::Pending), ..Default::default() });
    scene.outcome = decided(1, 4);
    let blocked = Blocked {
        reason: "Unschedulable".to_owned(),
        message: "no room".to_owned(),
        needs_somebody: false,
    };
    let left_over = ObservedPod { blocked: Some(blocked), ..unready(pod("c4")) };
    scene.observed.consumer.pods.push(left_over);
    scene.observed.consumer.deployment =
        Some(ObservedDeployment { ready_replicas: 3, ..deployment(4) });
    assert_eq!(
        in_short(&scene.pass()),
        "Degraded Ready=False/PodsNotReady Reconciling=- Stalled=-"
    );
}

#[test]
fn pods_of_deployments_that_cannot_be_seen_are_not_counted_as_none() {
    let hidden = || ObservedSide { is_hidden: true, ..ObservedSide::default() };
    let mut scene = Scene::settled();
    let before = scene.pass().consumer.unwrap();
    assert_eq!((before.replicas, before.ready_replicas), (2, 2));
    scene.observed = Observed { producer: hidden(), consumer: hidden() };
    assert_eq!(scene.pass().consumer, Some(before));
    scene.object.status = None;
    assert_eq!(scene.pass().consumer, None, "nothing is known of it");
}

#[test]
fn the_fix_of_a_bad_image_is_not_stuck_because_of_the_pods_that_it_replaces() {
    let status = Scene::changed(|scene| {
        let old =
            ObservedPod { blocked: Some(bad_image()), is_updated: false, ..unready(pod("old")) };
        let deployment = ObservedDeployment { ready_replicas: 0, ..rolling() };
        scene.observed.consumer = ObservedSide {
            deployment: Some(deployment),
            ..settled(vec![old, unready(pod("new"))])
        };
    })
    .summary();
    assert_eq!(
        in_short(&status),
        "Pending Ready=False/Progressing Reconciling=Progressing Stalled=-"
    );
}
