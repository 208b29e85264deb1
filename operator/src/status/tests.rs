//! Scenes of a pipeline's life, and what its status says of each.

use batchpipe_api::{
    conditions::{reasons, types},
    pipeline::DesiredState,
    status::Phase,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::{
    testing::{Scene, consumer, decided, taken},
    *,
};
use crate::{
    apply::Failure,
    decide::Drain,
    observe::{
        Blocked, ObservedDeployment, ObservedPod, ObservedSide,
        testing::{deployment, lag, moment, pod, said, settled, stall},
    },
};

mod completion;
mod obstacles;

fn condition<'a>(status: &'a BatchPipelineStatus, type_: &str) -> &'a Condition {
    status.conditions.iter().find(|condition| condition.type_ == type_).unwrap()
}

/// Phase, and `Ready`, `Reconciling` and `Stalled` as status and reason.
fn in_short(status: &BatchPipelineStatus) -> String {
    let of = |type_| {
        let condition = condition(status, type_);
        match condition.status.as_str() {
            "True" => condition.reason.clone(),
            _ => "-".to_owned(),
        }
    };
    let ready = condition(status, types::READY);
    format!(
        "{} Ready={}/{} Reconciling={} Stalled={}",
        status.phase.unwrap().name(),
        ready.status,
        ready.reason,
        of(types::RECONCILING),
        of(types::STALLED)
    )
}

fn sides(status: &BatchPipelineStatus) -> [String; 2] {
    [types::PRODUCER_READY, types::CONSUMER_READY].map(|type_| {
        let condition = condition(status, type_);
        format!("{}/{}", condition.status, condition.reason)
    })
}

/// A rollout whose new pod is not ready, while the two old ones go on.
fn rolling() -> ObservedDeployment {
    ObservedDeployment { replicas: 3, updated_replicas: 1, is_rolled_out: false, ..deployment(2) }
}

fn unready(pod: ObservedPod) -> ObservedPod {
    ObservedPod { is_ready: false, ..pod }
}

fn waiting(name: &str, reason: &str, what: &str, seconds: i64) -> ObservedPod {
    let mut pod = unready(consumer(name, Vec::new()));
    said(&mut pod).stalled.push(stall(reason, what, seconds));
    pod
}

fn ran_before(scene: &mut Scene) {
    assert_eq!(scene.pass().phase, Some(Phase::Running));
}

#[test]
fn all_is_well() {
    let status = Scene::settled().summary();
    assert_eq!(in_short(&status), "Running Ready=True/AsDesired Reconciling=- Stalled=-");
    assert_eq!(sides(&status), ["True/AsDesired", "True/AsDesired"]);
    assert_eq!(condition(&status, types::KAFKA_RESOLVED).reason, "Resolved");
    assert_eq!(status.topic.as_deref(), Some("telemetry"));
    let consumer = status.consumer.unwrap();
    assert_eq!((consumer.replicas, consumer.ready_replicas), (2, 2));
    assert_eq!(consumer.selector, "app=telemetry");
}

#[test]
fn the_first_pass_says_everything_already() {
    let scene = Scene::changed(|scene| scene.observed = Observed::default());
    let status = scene.summary();
    assert_eq!(
        in_short(&status),
        "Pending Ready=False/Progressing Reconciling=Progressing Stalled=-"
    );
    assert_eq!(sides(&status), ["False/Progressing", "False/Progressing"]);
    let types: Vec<_> = status.conditions.iter().map(|it| it.type_.as_str()).collect();
    assert_eq!(types, types::ALL);
}

#[test]
fn every_condition_is_of_known_words_and_of_this_generation() {
    for condition in Scene::settled().summary().conditions {
        assert!(reasons::ALL.contains(&condition.reason.as_str()), "{}", condition.reason);
        assert_eq!(condition.observed_generation, Some(2));
        assert!(!condition.message.is_empty());
    }
}

#[test]
fn what_was_just_written_is_not_yet_carried_out() {
    let mut scene = Scene::settled();
    // The API server's answer: a new spec that no controller has seen, and the status of the old one.
    scene.observed.consumer.deployment =
        Some(ObservedDeployment { is_current: false, ..deployment(2) });
    let status = scene.summary();
    assert_eq!(
        in_short(&status),
        "Running Ready=False/Progressing Reconciling=Progressing Stalled=-"
    );
    assert_eq!(sides(&status), ["True/AsDesired", "True/Progressing"]);
}

#[test]
fn a_rollout_is_not_over_while_an_earlier_pod_is_left() {
    let left = ObservedDeployment { updated_replicas: 2, ready_replicas: 3, ..rolling() };
    let status = Scene::changed(|scene| scene.observed.consumer.deployment = Some(left)).summary();
    assert_eq!(sides(&status), ["True/AsDesired", "True/Progressing"]);
}

#[test]
fn a_transition_has_a_time_only_when_the_status_flips() {
    let mut scene = Scene::settled();
    scene.pass();
    scene.second = 50;
    scene.outcome = taken("somebody has it");
    let status = scene.pass();
    assert_eq!(condition(&status, types::READY).last_transition_time, Time(moment(50)));
    assert_eq!(condition(&status, types::PRODUCER_READY).last_transition_time, Time(moment(0)));
    scene.second = 60;
    scene.outcome = taken("somebody else has it");
    let status = scene.pass();
    assert_eq!(condition(&status, types::READY).last_transition_time, Time(moment(50)));
    assert_eq!(
        condition(&status, types::READY).message,
        "somebody else has it; until then everything stays as it is"
    );
}

#[test]
fn a_rollout_keeps_the_sides_ready_and_the_whole_not_yet() {
    let status =
        Scene::changed(|scene| scene.observed.consumer.deployment = Some(rolling())).summary();
    assert_eq!(
        in_short(&status),
        "Running Ready=False/Progressing Reconciling=Progressing Stalled=-"
    );
    assert_eq!(sides(&status), ["True/AsDesired", "True/Progressing"]);
}

fn bad_image() -> Blocked {
    Blocked {
        reason: "ImagePullBackOff".to_owned(),
        message: "manifest unknown".to_owned(),
        needs_somebody: true,
    }
}

#[test]
fn a_bad_image_stalls_at_once_and_the_old_pods_go_on() {
    let status = Scene::changed(|scene| {
        scene.observed.consumer.deployment = Some(rolling());
        let new = ObservedPod { blocked: Some(bad_image()), ..unready(pod("new")) };
        scene.observed.consumer.pods.push(new);
    })
    .summary();
    assert_eq!(
        in_short(&status),
        "Running Ready=False/RolloutStuck Reconciling=- Stalled=RolloutStuck"
    );
    assert_eq!(sides(&status), ["True/AsDesired", "True/RolloutStuck"]);
    let message = &condition(&status, types::STALLED).message;
    assert!(message.contains("pod new: ImagePullBackOff: manifest unknown"), "{message}");
    assert!(message.contains("2 earlier or ready pods go on"), "{message}");
}

#[test]
fn a_missing_secret_is_named_at_once_and_stalls_after_a_while() {
    let with = |seconds| {
        Scene::changed(|scene| {
            scene.observed.consumer.deployment = Some(rolling());
            let new = waiting("new", "SecretMissing", "me/password", seconds);
            scene.observed.consumer.pods.push(new);
        })
        .summary()
    };
    let (early, late) = (with(5), with(40));
    assert_eq!(
        in_short(&early),
        "Running Ready=False/Progressing Reconciling=Progressing Stalled=-"
    );
    assert!(condition(&early, types::READY).message.contains("SecretMissing: me/password"));
    assert_eq!(
        in_short(&late),
        "Running Ready=False/RolloutStuck Reconciling=- Stalled=RolloutStuck"
    );
    assert!(condition(&late, types::STALLED).message.contains("SecretMissing: me/password"));
}

#[test]
fn a_first_rollout_says_what_its_pods_wait_for() {
    let status = Scene::changed(|scene| {
        let deployment =
            ObservedDeployment { ready_replicas: 0, is_rolled_out: false, ..deployment(2) };
        scene.observed.consumer = ObservedSide {
            deployment: Some(deployment),
            ..settled(vec![waiting("a", "SecretMissing", "me/password", 5)])
        };
    })
    .summary();
    assert_eq!(
        in_short(&status),
        "Pending Ready=False/Progressing Reconciling=Progressing Stalled=-"
    );
    assert_eq!(sides(&status), ["True/AsDesired", "False/SecretMissing"]);
}

#[test]
fn a_deadline_that_passed_stalls_with_what_is_known() {
    let status = Scene::changed(|scene| {
        let stuck = Some("deadline exceeded".to_owned());
        scene.observed.consumer.deployment = Some(ObservedDeployment { stuck, ..rolling() });
        scene.observed.consumer.pods.push(waiting("new", "BrokersUnreachable", "kafka:9093", 700));
    })
    .summary();
    assert_eq!(
        in_short(&status),
        "Running Ready=False/RolloutStuck Reconciling=- Stalled=RolloutStuck"
    );
    assert!(condition(&status, types::STALLED).message.contains("BrokersUnreachable: kafka:9093"));
}

#[test]
fn a_quota_that_forbids_pods_stalls_also_without_a_rollout() {
    let status = Scene::changed(|scene| {
        let replica_failure = Some("exceeded quota".to_owned());
        scene.observed.consumer.deployment = Some(ObservedDeployment {
            replicas: 1,
            updated_replicas: 1,
            ready_replicas: 1,
            replica_failure,
            ..deployment(2)
        });
    })
    .summary();
    assert!(in_short(&status).ends_with("Stalled=RolloutStuck"), "{}", in_short(&status));
    assert!(condition(&status, types::STALLED).message.contains("exceeded quota"));
}

#[test]
fn brokers_that_go_away_degrade_what_ran_and_stall_nothing() {
    let mut scene = Scene::settled();
    ran_before(&mut scene);
    scene.observed.consumer = settled(vec![
        waiting("c1", "BrokersUnreachable", "kafka:9093", 60),
        waiting("c2", "BrokersUnreachable", "kafka:9093", 60),
    ]);
    scene.observed.consumer.deployment =
        Some(ObservedDeployment { ready_replicas: 0, ..deployment(2) });
    let status = scene.pass();
    assert_eq!(
        in_short(&status),
        "Degraded Ready=False/BrokersUnreachable Reconciling=- Stalled=-"
    );
    assert_eq!(sides(&status), ["True/AsDesired", "False/BrokersUnreachable"]);
    assert_eq!(scene.pass().phase, Some(Phase::Degraded), "until it runs again");
}

#[test]
fn more_pods_that_start_are_pending_and_not_degraded() {
    let mut scene = Scene::settled();
    ran_before(&mut scene);
    scene.outcome = decided(1, 4);
    assert_eq!(
        in_short(&scene.pass()),
        "Pending Ready=False/Progressing Reconciling=Progressing Stalled=-"
    );
    scene.observed.consumer.deployment =
        Some(ObservedDeployment { ready_replicas: 2, ..deployment(4) });
    let status = scene.pass();
    assert_eq!(
        in_short(&status),
        "Pending Ready=False/Progressing Reconciling=Progressing Stalled=-"
    );
    assert_eq!(sides(&status)[1], "False/Progressing");
    scene.second = 181;
    let status = scene.pass();
    assert_eq!(
        in_short(&status),
        "Pending Ready=False/PodsNotReady Reconciling=PodsNotReady Stalled=-"
    );
    assert_eq!(sides(&status)[1], "False/PodsNotReady");
    scene.observed.consumer.deployment = Some(deployment(4));
    assert_eq!(in_short(&scene.pass()), "Running Ready=True/AsDesired Reconciling=- Stalled=-");
}

#[test]
fn fewer_pods_are_a_change_until_the_others_are_gone() {
    let status = Scene::changed(|scene| {
        scene.observed.consumer.deployment =
            Some(ObservedDeployment { desired_replicas: 2, ..deployment(4) });
    })
    .summary();
    assert_eq!(
        in_short(&status),
        "Running Ready=False/Progressing Reconciling=Progressing Stalled=-"
    );
}

#[test]
fn an_invalid_spec_names_the_field_and_what_runs_goes_on() {
    let mut scene = Scene::settled();
    ran_before(&mut scene);
    scene.object.spec.producer.as_mut().unwrap().source =
        serde_json::from_value(serde_json::json!({"stdin": {}})).unwrap();
    let violations = batchpipe_api::validate::in_cluster(&scene.object);
    scene.outcome = Outcome::Invalid(Invalid { violations });
    let status = scene.pass();
    assert_eq!(
        in_short(&status),
        "Running Ready=False/InvalidSpec Reconciling=- Stalled=InvalidSpec"
    );
    assert_eq!(sides(&status), ["True/AsDesired", "True/AsDesired"]);
    assert!(condition(&status, types::STALLED).message.starts_with("spec."));
    assert_eq!(condition(&status, types::KAFKA_RESOLVED).status, "True", "it is in the spec");
    assert_eq!(status.data.unwrap().records_per_second, Some(120), "the numbers go on");
}

#[test]
fn a_conflict_waits_for_somebody() {
    let status = Scene::changed(|scene| {
        scene.observed = Observed::default();
        scene.outcome = taken("pipeline other has topic telemetry; delete one");
    })
    .summary();
    assert_eq!(in_short(&status), "Pending Ready=False/Conflict Reconciling=- Stalled=Conflict");
    assert_eq!(sides(&status), ["False/Conflict", "False/Conflict"]);
    assert_eq!(
        condition(&status, types::READY).message,
        "pipeline other has topic telemetry; delete one"
    );
}

#[test]
fn kafka_that_is_not_known_yet_is_awaited() {
    let status = Scene::changed(|scene| {
        scene.observed = Observed::default();
        let message = "Kafka my-cluster does not exist".to_owned();
        scene.outcome =
            Outcome::Unresolved(Unresolved { reason: reasons::KAFKA_NOT_FOUND, message });
    })
    .summary();
    assert_eq!(
        in_short(&status),
        "Pending Ready=False/KafkaNotFound Reconciling=KafkaNotFound Stalled=-"
    );
    assert_eq!(condition(&status, types::KAFKA_RESOLVED).status, "False");
}

#[test]
fn a_child_that_cannot_be_applied_waits_for_somebody_or_for_better_times() {
    let with = |is_passing, reason| {
        let mut scene = Scene::settled();
        if let Outcome::Applied(applied, _) = &mut scene.outcome {
            applied.failures.push(Failure {
                object: "Service telemetry".to_owned(),
                reason,
                message: "it is not ours".to_owned(),
                is_passing,
            });
        }
        in_short(&scene.summary())
    };
    assert_eq!(
        with(false, reasons::CONFLICT),
        "Running Ready=False/Conflict Reconciling=- Stalled=Conflict"
    );
    assert_eq!(
        with(true, reasons::API_ERROR),
        "Running Ready=False/ApiError Reconciling=ApiError Stalled=-"
    );
}

#[test]
fn a_paused_pipeline_is_as_asked_for_when_its_pods_are_gone() {
    let mut scene = Scene::settled();
    scene.object.spec.state = DesiredState::Paused;
    scene.outcome = decided(0, 0);
    let stopping = |pods| ObservedSide { deployment: Some(deployment(0)), ..settled(pods) };
    scene.observed.consumer = stopping(vec![ObservedPod { is_terminating: true, ..pod("c1") }]);
    scene.observed.producer = stopping(Vec::new());
    assert_eq!(
        in_short(&scene.summary()),
        "Paused Ready=False/Progressing Reconciling=Progressing Stalled=-"
    );
    scene.observed.consumer = stopping(Vec::new());
    let status = scene.pass();
    assert_eq!(in_short(&status), "Paused Ready=True/Paused Reconciling=- Stalled=-");
    assert_eq!(sides(&status), ["True/Paused", "True/Paused"]);
    scene.object.spec.state = DesiredState::Running;
    scene.outcome = decided(1, 2);
    assert_eq!(scene.pass().phase, Some(Phase::Pending));
}

#[test]
fn draining_says_what_it_waits_for_and_drained_is_ready() {
    let mut scene = Scene::settled();
    scene.object.spec.state = DesiredState::Drained;
    let replicas = crate::decide::Replicas { producer: 0, consumer: 2 };
    let draining = batchpipe_api::status::DrainingStatus::default();
    let drain = Some(Drain::Waiting(draining.clone(), "producer pod p1 to end".to_owned()));
    let decision = Decision { replicas, drain, ..Decision::default() };
    scene.outcome = Outcome::Applied(Applied::default(), decision);
    let status = scene.pass();
    assert_eq!(in_short(&status), "Draining Ready=False/Draining Reconciling=Draining Stalled=-");
    assert_eq!(condition(&status, types::READY).message, "waits for producer pod p1 to end");
    let decision = Decision { drain: Some(Drain::Done(draining)), ..Decision::default() };
    scene.outcome = Outcome::Applied(Applied::default(), decision);
    scene.observed = Observed::default();
    let status = scene.pass();
    assert_eq!(in_short(&status), "Drained Ready=True/Drained Reconciling=- Stalled=-");
    assert_eq!(sides(&status), ["True/Drained", "True/Drained"]);
    scene.outcome = taken("taken");
    let status = scene.pass();
    assert_eq!(status.phase, Some(Phase::Drained), "nothing was decided, so this still holds");
    assert!(status.draining.is_some());
}

#[test]
fn messages_that_expired_unread_are_never_silent() {
    let status = Scene::changed(|scene| {
        let report = said(&mut scene.observed.consumer.pods[0]);
        report.accounting.expired_messages = 12;
    })
    .summary();
    assert_eq!(sides(&status), ["True/AsDesired", "True/DataExpired"]);
    assert!(condition(&status, types::CONSUMER_READY).message.contains("12 messages"));
}

#[test]
fn one_sided_pipelines_are_ready_without_the_other_side() {
    let status = Scene::changed(|scene| {
        scene.object.spec.producer = None;
        scene.observed.producer = ObservedSide::default();
        scene.outcome = decided(0, 2);
    })
    .summary();
    assert_eq!(in_short(&status), "Running Ready=True/AsDesired Reconciling=- Stalled=-");
    assert_eq!(sides(&status), ["True/NotRequested", "True/AsDesired"]);
    assert_eq!(status.producer, None);
}

#[test]
fn a_second_pass_over_the_same_changes_nothing() {
    let mut scene = Scene::settled();
    let first = scene.pass();
    scene.second = 10;
    let second = scene.pass();
    assert_eq!(differs_visibly(Some(&first), &second), Difference::None);
}

#[test]
fn long_messages_of_pods_are_cut() {
    let status = Scene::changed(|scene| {
        scene.outcome = taken("ä".repeat(5000));
    })
    .summary();
    assert!(status.conditions.iter().all(|condition| condition.message.len() <= 1024));
}
