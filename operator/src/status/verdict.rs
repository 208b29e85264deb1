//! From outcome, sides and phase to what is said of the pipeline as a whole. Pure.
//!
//! Of `Reconciling` and `Stalled` at most one holds. `Ready` holds only when the newest spec is carried out: while it
//! is being rolled out, or does not get ahead, the earlier pods go on, which `ProducerReady` and `ConsumerReady` say.

use batchpipe_api::{conditions::reasons, pipeline::DesiredState, status::Phase};

use super::{
    Facts, Outcome,
    health::{Health, Kind},
};
use crate::{
    apply::{Applied, Failure},
    decide::Decision,
    pipeline::Invalid,
};

/// What is said of the pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Everything is as asked for.
    Ready(&'static str, String),
    /// On the way; it needs nobody.
    Reconciling(&'static str, String),
    /// Nothing will change until somebody acts.
    Stalled(&'static str, String),
    /// Nothing is being changed, but it does not work as it should.
    Unready(&'static str, String),
}

impl Verdict {
    pub(super) fn of(facts: &Facts<'_>, phase: Phase, sides: [&Health; 2]) -> Self {
        match facts.outcome {
            Outcome::Invalid(invalid) | Outcome::Unfit(invalid) => {
                refused(facts, reasons::INVALID_SPEC, &violations(invalid))
            }
            Outcome::Conflict(conflict) if conflict.is_passing => {
                awaited(facts, reasons::CONFLICT, &conflict.message)
            }
            Outcome::Conflict(conflict) => refused(facts, reasons::CONFLICT, &conflict.message),
            Outcome::Leaving => awaited(facts, reasons::PROGRESSING, "it is being deleted"),
            Outcome::Unresolved(unresolved) => {
                awaited(facts, unresolved.reason, &unresolved.message)
            }
            Outcome::Unanswered(text) => {
                awaited(facts, reasons::API_ERROR, &format!("{text}; it is tried again"))
            }
            Outcome::Applied(applied, decision) => failed(applied, false)
                .or_else(|| stuck(sides))
                .or_else(|| helpless(sides))
                .or_else(|| failed(applied, true))
                .or_else(|| under_way(decision, sides))
                .or_else(|| unready(facts, phase, sides))
                .unwrap_or_else(|| ready(facts, phase)),
        }
    }
}

/// Nothing can be carried out until somebody acts.
fn refused(facts: &Facts<'_>, reason: &'static str, text: &str) -> Verdict {
    Verdict::Stalled(reason, format!("{text}{}", go_on(facts)))
}

/// Nothing can be carried out yet. That what was to be stopped cannot be is a matter of its own.
fn awaited(facts: &Facts<'_>, reason: &'static str, text: &str) -> Verdict {
    let text = format!("{text}{}", go_on(facts));
    match facts.stopped.failures.iter().find(|failure| !failure.is_passing) {
        Some(failure) => Verdict::Stalled(failure.reason, text),
        None => Verdict::Reconciling(reason, text),
    }
}

fn violations(invalid: &Invalid) -> String {
    let mut texts = invalid.violations.iter().map(ToString::to_string);
    let first = texts.next().unwrap_or_default();
    match texts.count() {
        0 => first,
        more => format!("{first}; and {more} more"),
    }
}

/// What becomes of pods that are there already.
fn go_on(facts: &Facts<'_>) -> String {
    let has_pods = |it: &crate::observe::ObservedSide| it.deployment.is_some();
    if let Some(failure) = facts.stopped.failures.first() {
        return format!("; its pods cannot be stopped: {}: {}", failure.object, failure.message);
    }
    let text = if facts.object.spec.state == DesiredState::Paused {
        "; it is paused all the same"
    } else if matches!(facts.outcome, Outcome::Conflict(it) if !it.intruding.is_empty()) {
        "; its own pods that work with it are stopped"
    } else if is_drained_all_the_same(facts) {
        "; its producer is stopped all the same, and the rest stays as it is until then"
    } else if has_pods(&facts.observed.producer) || has_pods(&facts.observed.consumer) {
        "; until then everything stays as it is"
    } else {
        ""
    };
    text.to_owned()
}

/// Whether draining has begun although the spec cannot be carried out: to stop a producer needs no more than its
/// Deployment, however wrong its new template is.
fn is_drained_all_the_same(facts: &Facts<'_>) -> bool {
    let producer = facts.observed.producer.deployment.as_ref();
    facts.object.spec.state == DesiredState::Drained
        && !matches!(facts.outcome, Outcome::Applied(..))
        && producer.is_some_and(|it| it.desired_replicas == 0)
}

fn failed(applied: &Applied, is_passing: bool) -> Option<Verdict> {
    let found: Vec<&Failure> =
        applied.failures.iter().filter(|failure| failure.is_passing == is_passing).collect();
    let (first, others) = found.split_first()?;
    let more =
        if others.is_empty() { String::new() } else { format!("; and {} more", others.len()) };
    let text = format!("{}: {}{more}", first.object, first.message);
    Some(if is_passing {
        Verdict::Reconciling(first.reason, text)
    } else {
        Verdict::Stalled(first.reason, text)
    })
}

fn stuck(sides: [&Health; 2]) -> Option<Verdict> {
    let side = sides.into_iter().find(|side| side.kind == Kind::Stuck)?;
    let why = side.trouble.as_ref().map_or_else(
        || "its new pods do not become ready; see the pods' events and logs".to_owned(),
        |trouble| trouble.message.clone(),
    );
    let still = match side.ready {
        0 => String::new(),
        ready => format!("; {ready} earlier or ready pods go on"),
    };
    let text = format!("the {}'s rollout does not get ahead: {why}{still}", side.role);
    Some(Verdict::Stalled(reasons::ROLLOUT_STUCK, text))
}

/// No rollout is to blame, and it hardly passes unless somebody acts.
fn helpless(sides: [&Health; 2]) -> Option<Verdict> {
    let is_helpless = |side: &&Health| {
        side.kind == Kind::Unready && side.trouble.as_ref().is_some_and(|it| it.needs_somebody)
    };
    let side = sides.into_iter().find(is_helpless)?;
    let (reason, text) = why_unready(side);
    Some(Verdict::Stalled(reason, format!("{}: {text}", side.role)))
}

fn under_way(decision: &Decision, sides: [&Health; 2]) -> Option<Verdict> {
    if let Some(waits_for) = decision.waits_for() {
        return Some(Verdict::Reconciling(reasons::DRAINING, format!("waits for {waits_for}")));
    }
    let side = sides
        .into_iter()
        .find(|side| matches!(side.kind, Kind::Changing | Kind::Stopping | Kind::RunsOn))?;
    let text = match (&side.trouble, side.kind) {
        (_, Kind::RunsOn) => format!("the {}'s pods are still to be stopped", side.role),
        (_, Kind::Stopping) => format!("the {}'s pods are being stopped", side.role),
        (Some(trouble), _) => format!("the {} is being rolled out; {}", side.role, trouble.message),
        (None, _) => format!("the {} is being rolled out", side.role),
    };
    Some(Verdict::Reconciling(reasons::PROGRESSING, text))
}

fn unready(facts: &Facts<'_>, phase: Phase, sides: [&Health; 2]) -> Option<Verdict> {
    let side = sides.into_iter().find(|side| side.kind == Kind::Unready)?;
    let (reason, text) = why_unready(side);
    let text = format!("{}: {text}", side.role);
    // Pods that never ran are on their way; pods that did are not.
    Some(match phase {
        Phase::Degraded => Verdict::Unready(reason, text),
        _ if side.trouble.is_none() && !facts.is_overdue() => {
            Verdict::Reconciling(reasons::PROGRESSING, text)
        }
        _ => Verdict::Reconciling(reason, text),
    })
}

/// Why pods of a side are not ready.
pub(super) fn why_unready(side: &Health) -> (&'static str, String) {
    match &side.trouble {
        Some(trouble) => (trouble.reason, trouble.message.clone()),
        None => {
            (reasons::PODS_NOT_READY, format!("{} of {} pods are ready", side.ready, side.wanted))
        }
    }
}

fn ready(facts: &Facts<'_>, phase: Phase) -> Verdict {
    let (reason, text) = match (facts.object.spec.state, phase) {
        (DesiredState::Paused, _) => (reasons::PAUSED, "paused; set state to Running to go on"),
        (DesiredState::Drained, _) => {
            (reasons::DRAINED, "nothing is left; set state to Running to go on")
        }
        (_, Phase::Completed) => {
            (reasons::COMPLETED, "the source has ended and everything was delivered")
        }
        _ => (reasons::AS_DESIRED, "everything runs as asked for"),
    };
    Verdict::Ready(reason, text.to_owned())
}
