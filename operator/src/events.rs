//! Events: one for each transition of a pipeline, from a pure comparison of two statuses, with the next step in words.

use std::collections::BTreeSet;

use batchpipe_api::{
    conditions::{reasons, types},
    status::BatchPipelineStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::runtime::events::{Event, EventType};

use crate::fingerprint::fingerprint;

/// The longest note that Kubernetes takes, in bytes.
const MAX_NOTE: usize = 1024;
/// Conditions whose transitions are told. `Reconciling` is told by the others, and by the phase.
const TOLD: [&str; 5] = [
    types::READY,
    types::STALLED,
    types::KAFKA_RESOLVED,
    types::PRODUCER_READY,
    types::CONSUMER_READY,
];
/// Reasons that are part of normal life.
const NORMAL: [&str; 10] = [
    reasons::AS_DESIRED,
    reasons::PROGRESSING,
    reasons::PAUSED,
    reasons::DRAINING,
    reasons::DRAINED,
    reasons::COMPLETED,
    reasons::NOT_REQUESTED,
    reasons::SCALED_TO_ZERO,
    reasons::UNKNOWN,
    reasons::RESOLVED,
];

/// Something that became different.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Whether somebody should look at it.
    pub is_warning: bool,
    /// A reason of a condition, or a phase.
    pub reason: String,
    /// What happened and what to do.
    pub note: String,
}

impl Transition {
    /// As it is written.
    pub fn event(&self) -> Event {
        let type_ = if self.is_warning { EventType::Warning } else { EventType::Normal };
        let end = self.note.floor_char_boundary(MAX_NOTE);
        Event {
            type_,
            reason: self.reason.clone(),
            note: Some(self.note[..end].to_owned()),
            // Events with the same reason and action are counted as one, with the first one's note: what says something
            // else has to differ in one of them.
            action: format!("Reconcile-{}", fingerprint(&self.note)),
            secondary: None,
        }
    }
}

/// What became different, each thing once: several conditions may have the same reason.
pub fn transitions(old: &BatchPipelineStatus, new: &BatchPipelineStatus) -> Vec<Transition> {
    let mut told = BTreeSet::new();
    let conditions = TOLD.iter().filter_map(|type_| changed(old, new, type_));
    let conditions = conditions.filter(|it| told.insert((it.reason.clone(), it.message.clone())));
    conditions.map(of_condition).chain(of_phase(old, new)).collect()
}

fn changed<'a>(
    old: &BatchPipelineStatus,
    new: &'a BatchPipelineStatus,
    type_: &str,
) -> Option<&'a Condition> {
    let now = find(new, type_)?;
    let before = find(old, type_);
    let is_same = before.is_some_and(|it| it.status == now.status && it.reason == now.reason);
    let is_quiet = now.reason == reasons::UNKNOWN || now.reason == reasons::NOT_REQUESTED;
    // That nothing stalls is what everybody expects of a new object.
    let is_expected = type_ == types::STALLED && now.status == "False";
    (!is_same && !is_quiet && !is_expected).then_some(now)
}

fn find<'a>(status: &'a BatchPipelineStatus, type_: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|it| it.type_ == type_)
}

fn of_condition(condition: &Condition) -> Transition {
    let Condition { type_, status, reason, message, .. } = condition;
    let is_warning = !NORMAL.contains(&reason.as_str());
    let step = if is_warning { next_step(reason) } else { None };
    let step = step.map_or_else(String::new, |step| format!(". Next: {step}"));
    Transition {
        is_warning,
        reason: reason.clone(),
        note: format!("{type_}={status}: {message}{step}"),
    }
}

fn of_phase(old: &BatchPipelineStatus, new: &BatchPipelineStatus) -> Option<Transition> {
    let phase = new.phase.filter(|phase| old.phase != Some(*phase))?;
    let before = old.phase.map_or("new", |phase| phase.name());
    let note = format!("the pipeline was {before} and is {} now", phase.name());
    Some(Transition { is_warning: false, reason: phase.name().to_owned(), note })
}

/// What somebody can do about it.
fn next_step(reason: &str) -> Option<&'static str> {
    Some(match reason {
        reasons::INVALID_SPEC => "correct the field; what runs is left as it is until then",
        reasons::CONFLICT => "remove or rename one of the two",
        reasons::ROLLOUT_STUCK => {
            "kubectl describe the newest pods, then correct the spec; ready pods of before go on"
        }
        reasons::PODS_NOT_READY => "kubectl describe and kubectl logs the pods",
        reasons::KAFKA_NOT_FOUND => {
            "create the Kafka object, listener or user, or correct spec.kafka"
        }
        reasons::KAFKA_NOT_READY => "kubectl get kafka; the pipeline goes on when it is ready",
        reasons::SECRET_MISSING => "create the Secret or its key; it is taken up without a restart",
        reasons::BROKERS_UNREACHABLE => "check the address, the listener and network policies",
        reasons::AUTHENTICATION_FAILED => {
            "check the credentials in the Secret; new ones are taken up without a restart"
        }
        reasons::AUTHORIZATION_FAILED => "grant the user access to the topic and the group",
        reasons::TOPIC_MISSING => {
            "create the topic, or set spec.topic.provision to Auto; what the broker refuses, correct in spec.topic"
        }
        reasons::SINK_UNAVAILABLE => "check the sink; records wait in the topic meanwhile",
        reasons::DEAD_LETTER_UNAVAILABLE => "create the dead-letter topic, or allow writing to it",
        reasons::FOLDER_LOCKED => "stop the other writer, or choose another folder",
        reasons::DATA_EXPIRED => "raise the topic's retention, or add consumers",
        reasons::FORBIDDEN => "give the operator's Role the verb that is named",
        reasons::API_ERROR => "nothing, it is tried again; see the operator's log if it lasts",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use batchpipe_api::status::Phase;
    use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

    use super::*;

    fn status(phase: Phase, conditions: &[(&str, &str, &str)]) -> BatchPipelineStatus {
        let condition = |(type_, status, reason): &(&str, &str, &str)| Condition {
            type_: (*type_).to_owned(),
            status: (*status).to_owned(),
            reason: (*reason).to_owned(),
            message: "as found".to_owned(),
            last_transition_time: Time(Timestamp::UNIX_EPOCH),
            observed_generation: None,
        };
        BatchPipelineStatus {
            phase: Some(phase),
            conditions: conditions.iter().map(condition).collect(),
            ..BatchPipelineStatus::default()
        }
    }

    fn running() -> BatchPipelineStatus {
        status(
            Phase::Running,
            &[
                (types::READY, "True", reasons::AS_DESIRED),
                (types::STALLED, "False", reasons::AS_DESIRED),
            ],
        )
    }

    #[test]
    fn nothing_new_is_no_event() {
        assert_eq!(transitions(&running(), &running()), []);
    }

    #[test]
    fn one_cause_is_one_event_however_many_conditions_it_changes() {
        let invalid = [
            (types::READY, "False", reasons::INVALID_SPEC),
            (types::STALLED, "True", reasons::INVALID_SPEC),
        ];
        let found = transitions(&running(), &status(Phase::Running, &invalid));
        assert_eq!(found.len(), 1);
        assert!(found[0].is_warning);
        assert_eq!(
            found[0].note,
            "Ready=False: as found. Next: correct the field; what runs is left as it is until then"
        );
    }

    #[test]
    fn events_are_counted_as_one_only_when_they_say_the_same() {
        let told = |note: &str| Transition {
            is_warning: true,
            reason: reasons::SECRET_MISSING.to_owned(),
            note: note.to_owned(),
        };
        let action = |note: &str| told(note).event().action;
        assert_eq!(action("Secret a is missing"), action("Secret a is missing"));
        assert_ne!(action("Secret a is missing"), action("Secret b is missing"));
        assert!(action("a").len() <= 128, "Kubernetes takes no more");
    }

    #[test]
    fn a_new_phase_is_an_event() {
        let found = transitions(
            &running(),
            &BatchPipelineStatus { phase: Some(Phase::Paused), ..running() },
        );
        assert_eq!(found[0].reason, "Paused");
        assert_eq!(found[0].note, "the pipeline was Running and is Paused now");
    }

    #[test]
    fn becoming_ready_again_is_told() {
        let broken = status(Phase::Degraded, &[(types::READY, "False", reasons::PODS_NOT_READY)]);
        let reasons: Vec<_> =
            transitions(&broken, &running()).into_iter().map(|it| it.reason).collect();
        assert_eq!(reasons, ["AsDesired", "Running"]);
    }

    #[test]
    fn notes_fit_what_kubernetes_takes() {
        let transition =
            Transition { is_warning: false, reason: "A".to_owned(), note: "é".repeat(2000) };
        assert!(transition.event().note.unwrap().len() <= MAX_NOTE);
    }
}
