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
    assert_eq!(resolved(taken("taken")), "Unknown/Unknown");
    assert_eq!(resolved(Outcome::Invalid(invalid())), "Unknown/Unknown");
    assert_eq!(resolved(Outcome::Unfit(invalid())), "True/Resolved");
    assert_eq!(resolved(Outcome::Unanswered("cannot read".to_owned())), "Unknown/ApiError");
}

/// Applied, with what Strimzi says of it.
fn applied(applied: Applied) -> Outcome {
    match decided(1, 2) {
        Outcome::Applied(_, decision) => Outcome::Applied(applied, decision),
        other => other,
    }
}

#[test]
fn a_kafka_that_is_known_and_not_well_is_no_obstacle_and_is_told_of() {
    let complaint = Some("Kafka lab is not ready: no space".to_owned());
    let status = with_strimzi(applied(Applied { complaint, ..Applied::default() }));
    let condition = condition(&status, types::KAFKA_RESOLVED);
    assert_eq!((condition.status.as_str(), condition.reason.as_str()), ("True", "Resolved"));
    assert!(condition.message.ends_with("but Kafka lab is not ready: no space"), "{status:?}");
    assert_eq!(in_short(&status), "Running Ready=True/AsDesired Reconciling=- Stalled=-");
}

#[test]
fn a_topic_that_pods_miss_is_explained_by_what_strimzi_says_of_it() {
    let unfit_topics = vec!["KafkaTopic t is not ready: replication factor: 3".to_owned()];
    let with = |reason| {
        let mut scene = Scene::settled();
        let pods = vec![waiting("c1", reason, "topic t", 5), waiting("c2", reason, "topic t", 5)];
        scene.observed.consumer = settled(pods);
        scene.observed.consumer.deployment =
            Some(ObservedDeployment { ready_replicas: 0, ..deployment(2) });
        scene.outcome =
            applied(Applied { unfit_topics: unfit_topics.clone(), ..Applied::default() });
        condition(&scene.summary(), types::CONSUMER_READY).message.clone()
    };
    let said = with("TopicMissing");
    assert!(said.contains("topic t; KafkaTopic t is not ready: replication"), "{said}");
    let said = with("GroupNotJoined");
    assert!(!said.contains("KafkaTopic"), "{said}");
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
    scene.outcome = taken("taken");
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
fn what_was_paused_and_is_to_be_drained_is_not_called_drained_while_nothing_can_be_decided() {
    let after = |phase| {
        let mut scene = Scene::settled();
        scene.object.status =
            Some(BatchPipelineStatus { phase: Some(phase), ..BatchPipelineStatus::default() });
        scene.object.spec.state = DesiredState::Drained;
        let message = "Kafka lab does not exist".to_owned();
        scene.outcome =
            Outcome::Unresolved(Unresolved { reason: reasons::KAFKA_NOT_FOUND, message });
        let none = || ObservedSide { deployment: Some(deployment(0)), ..settled(Vec::new()) };
        scene.observed = Observed { producer: none(), consumer: none() };
        let status = scene.pass();
        (status.phase.unwrap(), sides(&status)[1].clone())
    };
    assert_eq!(after(Phase::Paused), (Phase::Paused, "True/Paused".to_owned()));
    assert_eq!(after(Phase::Draining), (Phase::Draining, "True/Draining".to_owned()));
    assert_eq!(after(Phase::Drained), (Phase::Drained, "True/Drained".to_owned()));
}

#[test]
fn the_pods_that_a_pipeline_in_conflict_lacks_are_those_that_it_asks_for() {
    let lacks = |change: fn(&mut Scene)| {
        let status = Scene::changed(|scene| {
            scene.object.spec.consumer.as_mut().unwrap().replicas = 3;
            scene.outcome = taken("taken");
            scene.observed = Observed::default();
            change(scene);
        })
        .summary();
        let found = condition(&status, types::CONSUMER_READY);
        format!("{}: {}", found.status, found.message)
    };
    assert_eq!(lacks(|_| {}), "False: 0 of 3 pods are ready");
    let was_stopped = |scene: &mut Scene| {
        scene.observed.consumer.deployment = Some(deployment(0));
    };
    assert_eq!(lacks(was_stopped), "False: 0 of 3 pods are ready");
    let by_lag = |scene: &mut Scene| {
        let scaling = serde_json::from_str(r#"{"minReplicas": 2, "maxReplicas": 4}"#).unwrap();
        scene.object.spec.consumer.as_mut().unwrap().scaling = Some(scaling);
    };
    assert_eq!(lacks(by_lag), "False: 0 of 2 pods are ready");
}

/// The API server refused to stop a Deployment.
fn unstopped(is_passing: bool) -> Applied {
    let (object, message) = ("Deployment telemetry-consumer".to_owned(), "no".to_owned());
    let reason = if is_passing { reasons::API_ERROR } else { reasons::FORBIDDEN };
    let failures = vec![Failure { object, reason, message, is_passing }];
    Applied { failures, ..Applied::default() }
}

#[test]
fn what_could_not_be_stopped_is_not_called_paused_while_nothing_else_can_be_done() {
    let mut scene = Scene::settled();
    ran_before(&mut scene);
    scene.object.spec.state = DesiredState::Paused;
    let message = "Kafka lab does not exist".to_owned();
    scene.outcome = Outcome::Unresolved(Unresolved { reason: reasons::KAFKA_NOT_FOUND, message });
    scene.stopped = unstopped(false);
    scene.observed.producer.deployment = Some(deployment(0));
    scene.observed.producer.pods.clear();
    let status = scene.pass();
    assert_eq!(in_short(&status), "Running Ready=False/Forbidden Reconciling=- Stalled=Forbidden");
    assert_eq!(sides(&status), ["True/Paused", "False/Progressing"]);
    let expected =
        "Kafka lab does not exist; its pods cannot be stopped: Deployment telemetry-consumer: no";
    assert_eq!(condition(&status, types::READY).message, expected);
    scene.stopped = unstopped(true);
    let status = scene.pass();
    let expected = "Running Ready=False/KafkaNotFound Reconciling=KafkaNotFound Stalled=-";
    assert_eq!(in_short(&status), expected, "it is tried again");
}

#[test]
fn what_could_not_be_scaled_to_zero_is_not_called_paused() {
    let mut scene = Scene::settled();
    ran_before(&mut scene);
    scene.object.spec.state = DesiredState::Paused;
    scene.outcome = decided(0, 0);
    if let Outcome::Applied(applied, _) = &mut scene.outcome {
        *applied = unstopped(true);
    }
    let status = scene.pass();
    assert_eq!(in_short(&status), "Running Ready=False/ApiError Reconciling=ApiError Stalled=-");
    assert_eq!(sides(&status), ["False/Progressing", "False/Progressing"]);
    scene.outcome = decided(0, 0);
    let status = scene.pass();
    assert_eq!(status.phase, Some(Phase::Running), "whatever keeps it from being written");
    assert_eq!(condition(&status, types::READY).status, "False");
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

#[test]
fn a_producer_that_is_stopped_for_draining_does_not_stay_as_it_is() {
    let said = |outcome: fn(Invalid) -> Outcome, producers| {
        let mut scene = Scene::settled();
        ran_before(&mut scene);
        scene.object.spec.state = DesiredState::Drained;
        scene.outcome = outcome(Invalid { violations: Vec::new() });
        scene.observed.producer.deployment = Some(deployment(producers));
        condition(&scene.pass(), types::READY).message.clone()
    };
    let expected = "; its producer is stopped all the same, and the rest stays as it is until then";
    for outcome in [Outcome::Unfit, Outcome::Invalid] {
        assert_eq!(said(outcome, 0), expected);
        assert_eq!(said(outcome, 1), "; until then everything stays as it is");
    }
}

#[test]
fn what_is_being_deleted_shows_how_it_is_until_it_is_gone() {
    let mut scene = Scene::changed(ran_before);
    scene.outcome = Outcome::Leaving;
    let status = scene.pass();
    assert_eq!(
        in_short(&status),
        "Running Ready=False/Progressing Reconciling=Progressing Stalled=-"
    );
    assert!(condition(&status, types::READY).message.starts_with("it is being deleted"));
    scene.object.spec.state = DesiredState::Paused;
    scene.observed = Observed::default();
    assert_eq!(scene.pass().phase, Some(Phase::Paused));
}
