//! Conditions as kstatus reads them: six, each with status, reason, message and generation. Pure.
//!
//! The time of a transition is kept for as long as the status stays.

use batchpipe_api::{
    conditions::{reasons, types},
    pipeline::DesiredState,
    report::Role,
    status::Phase,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::{
    Facts, Outcome,
    health::{Health, Kind},
    verdict::{Verdict, why_unready},
};
use crate::{apply::Applied, clean::clean};

/// The longest message, in bytes: pods and sinks may say whole pages.
const MAX_MESSAGE: usize = 1024;

/// What is said of Kafka when nothing is wrong with it.
const KNOWN: &str = "address and credentials are known";

/// One condition, before its time.
struct Said {
    type_: &'static str,
    status: &'static str,
    reason: &'static str,
    message: String,
}

impl Said {
    fn new(
        type_: &'static str,
        holds: bool,
        reason: &'static str,
        message: impl Into<String>,
    ) -> Self {
        let status = if holds { "True" } else { "False" };
        Self { type_, status, reason, message: message.into() }
    }
}

/// All conditions, in their order.
pub(super) fn conditions(
    facts: &Facts<'_>,
    phase: Phase,
    verdict: &Verdict,
    sides: [&Health; 2],
) -> Vec<Condition> {
    let [producer, consumer] = sides;
    let said = [
        ready(verdict),
        reconciling(verdict),
        stalled(verdict),
        kafka_resolved(facts),
        of_side(facts, phase, producer),
        of_side(facts, phase, consumer),
    ];
    said.into_iter().map(|said| with_time(facts, &said)).collect()
}

fn with_time(facts: &Facts<'_>, said: &Said) -> Condition {
    let before = previous(facts, said.type_).filter(|before| before.status == said.status);
    let since = before.map_or(Time(facts.now), |before| before.last_transition_time.clone());
    Condition {
        type_: said.type_.to_owned(),
        status: said.status.to_owned(),
        reason: said.reason.to_owned(),
        message: clean(&said.message, MAX_MESSAGE),
        observed_generation: facts.object.metadata.generation,
        last_transition_time: since,
    }
}

fn previous<'a>(facts: &'a Facts<'_>, type_: &str) -> Option<&'a Condition> {
    facts.previous()?.conditions.iter().find(|condition| condition.type_ == type_)
}

fn ready(verdict: &Verdict) -> Said {
    let (holds, reason, message) = match verdict {
        Verdict::Ready(reason, message) => (true, reason, message),
        Verdict::Reconciling(reason, message)
        | Verdict::Stalled(reason, message)
        | Verdict::Unready(reason, message) => (false, reason, message),
    };
    Said::new(types::READY, holds, reason, message.as_str())
}

fn reconciling(verdict: &Verdict) -> Said {
    match verdict {
        Verdict::Reconciling(reason, message) => {
            Said::new(types::RECONCILING, true, reason, message.as_str())
        }
        _ => Said::new(types::RECONCILING, false, reasons::AS_DESIRED, "nothing is being changed"),
    }
}

fn stalled(verdict: &Verdict) -> Said {
    match verdict {
        Verdict::Stalled(reason, message) => {
            Said::new(types::STALLED, true, reason, message.as_str())
        }
        _ => Said::new(types::STALLED, false, reasons::AS_DESIRED, "nobody has to act"),
    }
}

fn kafka_resolved(facts: &Facts<'_>) -> Said {
    let type_ = types::KAFKA_RESOLVED;
    match facts.outcome {
        Outcome::Unresolved(unresolved) => {
            Said::new(type_, false, unresolved.reason, unresolved.message.as_str())
        }
        Outcome::Unanswered(text) => unknown(type_, reasons::API_ERROR, text),
        // A plain address needs no looking.
        Outcome::Conflict(_) | Outcome::Invalid(_) | Outcome::Leaving
            if facts.object.spec.kafka.bootstrap_servers.is_none() =>
        {
            unknown(type_, reasons::UNKNOWN, "looked for when nothing else is in the way")
        }
        Outcome::Applied(Applied { complaint: Some(complaint), .. }, _) => {
            Said::new(type_, true, reasons::RESOLVED, format!("{KNOWN}, but {complaint}"))
        }
        Outcome::Applied(..)
        | Outcome::Unfit(_)
        | Outcome::Conflict(_)
        | Outcome::Invalid(_)
        | Outcome::Leaving => Said::new(type_, true, reasons::RESOLVED, KNOWN),
    }
}

fn unknown(type_: &'static str, reason: &'static str, message: &str) -> Said {
    Said { type_, status: "Unknown", reason, message: message.to_owned() }
}

fn of_side(facts: &Facts<'_>, phase: Phase, side: &Health) -> Said {
    let type_ = match side.role {
        Role::Producer => types::PRODUCER_READY,
        Role::Consumer => types::CONSUMER_READY,
    };
    let of_all = || format!("{} of {} pods are ready", side.ready, side.wanted);
    match side.kind {
        Kind::NotRequested => {
            Said::new(type_, true, reasons::NOT_REQUESTED, format!("the spec has no {}", side.role))
        }
        Kind::Zero => Said::new(type_, true, why_zero(facts), "no pods, as asked for"),
        Kind::Stopping => Said::new(type_, true, why_zero(facts), "the pods are being stopped"),
        Kind::RunsOn => {
            let text = format!("{} of the pods that are to be stopped are still ready", side.ready);
            Said::new(type_, false, reasons::PROGRESSING, text)
        }
        Kind::Settled => match expired(facts, side.role) {
            0 => Said::new(type_, true, reasons::AS_DESIRED, of_all()),
            messages => Said::new(type_, true, reasons::DATA_EXPIRED, had_expired(messages)),
        },
        Kind::Changing if side.serves() => Said::new(
            type_,
            true,
            reasons::PROGRESSING,
            format!("{} while a change is rolled out", of_all()),
        ),
        Kind::Stuck if side.serves() => Said::new(
            type_,
            true,
            reasons::ROLLOUT_STUCK,
            format!("{}, but not all of them of the newest configuration", of_all()),
        ),
        Kind::Changing | Kind::Stuck | Kind::Unready => {
            let (reason, message) = why_unready(side);
            let reason = match (&side.trouble, side.kind) {
                (_, Kind::Stuck) if reason == reasons::PODS_NOT_READY => reasons::ROLLOUT_STUCK,
                (Some(_), _) => reason,
                (None, _) => untroubled(facts, phase, side),
            };
            Said::new(type_, false, reason, message)
        }
    }
}

/// Why pods are not ready that say nothing of it themselves.
fn untroubled(facts: &Facts<'_>, phase: Phase, side: &Health) -> &'static str {
    let deployment = facts.observed.side(side.role).deployment.as_ref();
    let is_asked_for = deployment.is_some_and(|it| it.desired_replicas > 0);
    match (facts.outcome, side.kind) {
        (Outcome::Applied(..), Kind::Changing) => reasons::PROGRESSING,
        // What did run and does not is no change; more pods than before are.
        (Outcome::Applied(..), _) if phase != Phase::Degraded && !facts.is_overdue() => {
            reasons::PROGRESSING
        }
        // There are none because nothing is carried out.
        (Outcome::Invalid(_) | Outcome::Unfit(_), _) if !is_asked_for => reasons::INVALID_SPEC,
        (Outcome::Conflict(_), _) if !is_asked_for => reasons::CONFLICT,
        (Outcome::Unresolved(unresolved), _) if !is_asked_for => unresolved.reason,
        (Outcome::Unanswered(_), _) if !is_asked_for => reasons::API_ERROR,
        _ => reasons::PODS_NOT_READY,
    }
}

/// Messages that retention deleted before the pods read them.
fn expired(facts: &Facts<'_>, role: Role) -> u64 {
    let reports = facts.observed.side(role).reports();
    reports.fold(0, |sum, report| sum.saturating_add(report.accounting.expired_messages))
}

fn had_expired(messages: u64) -> String {
    format!(
        "all pods are ready, but {messages} messages were removed by retention before they were read; raise the \
         topic's retention.ms or the number of consumers"
    )
}

fn why_zero(facts: &Facts<'_>) -> &'static str {
    match facts.object.spec.state {
        DesiredState::Running => reasons::SCALED_TO_ZERO,
        DesiredState::Paused => reasons::PAUSED,
        DesiredState::Drained => match facts.decision() {
            Some(decision) if decision.is_drained() => reasons::DRAINED,
            Some(_) => reasons::DRAINING,
            // Nothing was decided: whatever stopped them before still holds.
            None => why_stopped(facts.previous().and_then(|status| status.phase)),
        },
    }
}

const fn why_stopped(before: Option<Phase>) -> &'static str {
    match before {
        Some(Phase::Drained) => reasons::DRAINED,
        Some(Phase::Draining) => reasons::DRAINING,
        Some(Phase::Paused) => reasons::PAUSED,
        _ => reasons::SCALED_TO_ZERO,
    }
}
