//! When to look at a pipeline again. Pure; time is passed in.

use std::time::Duration;

use batchpipe_api::{
    conditions::types,
    status::{BatchPipelineStatus, Phase},
};
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::{queue::Next, reconcile::Pass};
use crate::{observe::Observed, status::Outcome};

/// While data flows, its numbers are asked for so often.
const WHILE_RUNNING: Duration = Duration::from_secs(10);
/// While something changes that no watch tells of.
pub(super) const WHILE_CHANGING: Duration = Duration::from_secs(2);
/// What became ready so lately is looked at as if it were still changing.
const NEW: SignedDuration = SignedDuration::from_secs(20);
/// So long after the end of its source a pipeline is looked at as if it were still changing.
const ENDING: SignedDuration = SignedDuration::from_mins(1);
/// While something outside has to change that is not watched.
const WHILE_WAITING: Duration = Duration::from_secs(30);
/// When nothing is expected.
pub(super) const OTHERWISE: Duration = Duration::from_mins(5);

/// When to look again after this pass, which came to this status.
pub(super) fn next(pass: &Pass, status: &BatchPipelineStatus, now: Timestamp) -> Next {
    match &pass.outcome {
        _ if !pass.stopped.failures.is_empty() => Next::Retry,
        Outcome::Applied(applied, _) if !applied.failures.is_empty() => Next::Retry,
        Outcome::Applied(..) if is_ending(pass, status, now) => Next::After(WHILE_CHANGING),
        Outcome::Applied(..) => Next::After(period(status, now)),
        Outcome::Unanswered(_) => Next::Retry,
        // What cannot be carried out changes nothing: what runs goes on, and has numbers.
        _ if has_pods(&pass.observed) => Next::After(WHILE_RUNNING),
        Outcome::Invalid(_) | Outcome::Leaving => Next::After(OTHERWISE),
        // Kafka's objects are not watched.
        Outcome::Conflict(_) | Outcome::Unresolved(_) | Outcome::Unfit(_) => {
            Next::After(WHILE_WAITING)
        }
    }
}

fn has_pods(observed: &Observed) -> bool {
    [&observed.producer, &observed.consumer].iter().any(|side| !side.pods.is_empty())
}

/// Whether the source has just ended, and the consumers' next words may be that everything is delivered.
fn is_ending(pass: &Pass, status: &BatchPipelineStatus, now: Timestamp) -> bool {
    status.phase != Some(Phase::Completed)
        && pass.ended_at.is_some_and(|at| now.duration_since(at) < ENDING)
}

fn period(status: &BatchPipelineStatus, now: Timestamp) -> Duration {
    let is_true = |type_| {
        status.conditions.iter().find(|it| it.type_ == type_).filter(|it| it.status == "True")
    };
    let is_reconciling = is_true(types::RECONCILING).is_some();
    // What just became ready has no numbers yet, and somebody waits for them.
    let is_new = is_true(types::READY)
        .map(|ready| now.duration_since(ready.last_transition_time.0))
        .is_some_and(|age| (SignedDuration::ZERO..NEW).contains(&age));
    match status.phase {
        Some(Phase::Draining) => WHILE_CHANGING,
        _ if is_reconciling => WHILE_CHANGING,
        Some(Phase::Running) if is_new => WHILE_CHANGING,
        Some(Phase::Paused | Phase::Drained) => OTHERWISE,
        _ => WHILE_RUNNING,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        apply::{Applied, Failure},
        observe::testing::{moment, pod, settled},
        pipeline::Invalid,
    };

    fn invalid(pods: usize) -> Pass {
        let consumer = settled(vec![pod("c"); pods]);
        Pass {
            outcome: Outcome::Invalid(Invalid { violations: Vec::new() }),
            observed: Observed { consumer, ..Observed::default() },
            ended_at: None,
            stopped: Applied::default(),
        }
    }

    fn after(pass: &Pass) -> Next {
        next(pass, &BatchPipelineStatus::default(), moment(0))
    }

    #[test]
    fn what_runs_is_looked_at_as_often_with_an_invalid_spec_as_with_any() {
        assert_eq!(after(&invalid(1)), Next::After(WHILE_RUNNING));
        assert_eq!(after(&invalid(0)), Next::After(OTHERWISE));
    }

    #[test]
    fn what_could_not_be_stopped_is_tried_again() {
        let failure = Failure {
            object: "Deployment demo-consumer".to_owned(),
            reason: batchpipe_api::conditions::reasons::FORBIDDEN,
            message: "no".to_owned(),
            is_passing: false,
        };
        let stopped = Applied { failures: vec![failure], ..Applied::default() };
        assert_eq!(after(&Pass { stopped, ..invalid(1) }), Next::Retry);
    }

    #[test]
    fn the_last_words_of_consumers_are_soon_heard_after_the_end_of_the_source() {
        let at = |second, phase| {
            let outcome = Outcome::Applied(Applied::default(), crate::decide::Decision::default());
            let pass = Pass { outcome, ended_at: Some(moment(0)), ..invalid(1) };
            let status =
                BatchPipelineStatus { phase: Some(phase), ..BatchPipelineStatus::default() };
            next(&pass, &status, moment(second))
        };
        assert_eq!(at(5, Phase::Running), Next::After(WHILE_CHANGING));
        assert_eq!(at(60, Phase::Running), Next::After(WHILE_RUNNING));
        assert_eq!(at(5, Phase::Completed), Next::After(WHILE_RUNNING));
    }
}
