//! The phase: what the pipeline does now, in one word. Pure.

use batchpipe_api::{pipeline::DesiredState, report::Role, status::Phase};
use k8s_openapi::jiff::Timestamp;

use super::{
    Facts,
    health::{Health, Kind},
};
use crate::observe::{Measured, Partitions};

/// What the pipeline does now.
pub(super) fn phase(facts: &Facts<'_>, producer: &Health, consumer: &Health) -> Phase {
    let Some(decision) = facts.decision() else { return undecided(facts, producer, consumer) };
    match facts.object.spec.state {
        DesiredState::Paused => paused(facts, [producer, consumer]),
        DesiredState::Drained if decision.is_drained() => Phase::Drained,
        DesiredState::Drained => Phase::Draining,
        DesiredState::Running => by_pods(facts, producer, consumer),
    }
}

/// Nothing was decided, so nothing was started: what was stopped stays so. Pausing needs no decision.
fn undecided(facts: &Facts<'_>, producer: &Health, consumer: &Health) -> Phase {
    let before = facts.previous().and_then(|status| status.phase);
    let has_pods = |side: &Health| !matches!(side.kind, Kind::NotRequested | Kind::Zero);
    match (facts.object.spec.state, before) {
        (DesiredState::Paused, _) => paused(facts, [producer, consumer]),
        (DesiredState::Drained, Some(before)) => before,
        _ if !has_pods(producer) && !has_pods(consumer) => Phase::Pending,
        _ => by_pods(facts, producer, consumer),
    }
}

/// Stopped, or being stopped; what goes on to run because it could not be stopped is as it was.
fn paused(facts: &Facts<'_>, sides: [&Health; 2]) -> Phase {
    let before = facts.previous().and_then(|status| status.phase);
    if sides.iter().any(|side| side.kind == Kind::RunsOn) {
        return before.filter(|before| *before != Phase::Paused).unwrap_or(Phase::Pending);
    }
    Phase::Paused
}

fn by_pods(facts: &Facts<'_>, producer: &Health, consumer: &Health) -> Phase {
    let sides = [producer, consumer];
    if sides.iter().all(|side| side.serves()) {
        return if is_completed(facts) { Phase::Completed } else { Phase::Running };
    }
    let did_run = matches!(
        facts.previous().and_then(|status| status.phase),
        Some(Phase::Running | Phase::Completed | Phase::Degraded)
    );
    let did_run = did_run || sides.iter().any(|side| side.is_short());
    let is_changing = sides.iter().any(|side| side.kind == Kind::Changing);
    if did_run && !is_changing { Phase::Degraded } else { Phase::Pending }
}

/// Whether every source has ended, and everything was delivered.
fn is_completed(facts: &Facts<'_>) -> bool {
    facts.asks_for(Role::Producer)
        && facts.observed.producer.has_completed()
        && (!facts.asks_for(Role::Consumer) || has_caught_up(facts))
}

/// The consumers' numbers have to be of a time after the end. They are, some seconds old, where nothing was sent over
/// the 30 s of a rate; also those that were measured after we heard of the end.
fn has_caught_up(facts: &Facts<'_>) -> bool {
    let is_long_ago =
        facts.observed.producer.reports().all(|report| report.rates.records_per_second == 0.0);
    let ended_at = if is_long_ago { Some(Timestamp::MIN) } else { facts.ended_at };
    let Some(ended_at) = ended_at else { return false };
    let is_at_its_end =
        |measured: &&Measured| measured.lag.messages == Some(0) && measured.at >= ended_at;
    let all = Partitions::of(&facts.observed.consumer);
    all.all().is_some_and(|all| all.iter().all(is_at_its_end))
}
