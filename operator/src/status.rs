//! status: from everything known of one pass to the object's status. Pure; transition times of conditions are kept.

mod conditions;
mod data;
mod dead_letters;
mod difference;
mod health;
mod phase;
#[cfg(test)]
mod testing;
mod trouble;
mod verdict;

use batchpipe_api::{
    conditions::types,
    pipeline::{BatchPipeline, DesiredState},
    report::Role,
    status::{BatchPipelineStatus, Phase, SideStatus},
};
use k8s_openapi::jiff::{SignedDuration, Timestamp};

pub use self::{
    dead_letters::DeadLetterTally,
    difference::{Difference, differs_visibly},
};
use self::{health::Health, verdict::Verdict};
use crate::{
    apply::Applied, conflict::Conflict, decide::Decision, observe::Observed, pipeline::Invalid,
    resolve::Unresolved,
};

/// Pods that take longer to start, without a word why, are not on their way any more; that of a rollout Kubernetes says
/// itself after the same time.
const LONGEST_START: SignedDuration = SignedDuration::from_mins(3);

/// How far this pass came.
#[expect(clippy::large_enum_variant, reason = "one is made in each pass, and it is never kept")]
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Everything was applied, or was as it should be, but for `Applied::failures`.
    Applied(Applied, Decision),
    /// The spec cannot be carried out, whatever its Kafka is; nothing was changed.
    Invalid(Invalid),
    /// Kafka is known, and the spec cannot be carried out with it; nothing was changed.
    Unfit(Invalid),
    /// Another pipeline has what this one wants for itself; nothing was changed, but that intruding sides were stopped.
    Conflict(Conflict),
    /// It is being deleted; nothing was changed, but that what is paused was stopped.
    Leaving,
    /// Kafka is not known yet; nothing was changed.
    Unresolved(Unresolved),
    /// The API server did not say what Kafka is; nothing was changed. The text says what was asked and answered.
    Unanswered(String),
}

/// All that a status follows from.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The object with the status it has now.
    pub object: &'a BatchPipeline,
    /// How far this pass came.
    pub outcome: &'a Outcome,
    /// What was stopped although nothing else could be carried out, and what of it failed.
    pub stopped: &'a Applied,
    /// What runs.
    pub observed: &'a Observed,
    /// What [`DeadLetterTally`] makes of it; absent: unknown.
    pub dead_letters: Option<i64>,
    /// When the producer was first heard to have come to its end; absent: it has not.
    pub ended_at: Option<Timestamp>,
    /// Now.
    pub now: Timestamp,
}

impl Facts<'_> {
    /// Whether the spec asks for such a side.
    const fn asks_for(&self, role: Role) -> bool {
        match role {
            Role::Producer => self.object.spec.producer.is_some(),
            Role::Consumer => self.object.spec.consumer.is_some(),
        }
    }

    /// What was decided, if this pass came so far.
    const fn decision(&self) -> Option<&Decision> {
        match self.outcome {
            Outcome::Applied(_, decision) => Some(decision),
            _ => None,
        }
    }

    /// Whether nothing is left; without a decision what was found last still holds.
    fn is_drained(&self) -> bool {
        match self.decision() {
            Some(decision) => decision.is_drained(),
            None => {
                self.object.spec.state == DesiredState::Drained
                    && self.previous().is_some_and(|it| it.phase == Some(Phase::Drained))
            }
        }
    }

    /// Whether something has been under way for longer than pods take to start.
    fn is_overdue(&self) -> bool {
        let said = self.previous().map_or(&[][..], |status| &status.conditions);
        let reconciling = said.iter().find(|it| it.type_ == types::RECONCILING);
        reconciling
            .filter(|it| it.status == "True")
            .is_some_and(|it| self.now.duration_since(it.last_transition_time.0) > LONGEST_START)
    }

    const fn previous(&self) -> Option<&BatchPipelineStatus> {
        self.object.status.as_ref()
    }
}

/// The status of a pipeline after one pass.
pub fn summarize(facts: &Facts<'_>) -> BatchPipelineStatus {
    let producer = Health::of(Role::Producer, facts);
    let consumer = Health::of(Role::Consumer, facts);
    let phase = phase::phase(facts, &producer, &consumer);
    let verdict = Verdict::of(facts, phase, [&producer, &consumer]);
    let (scaling, draining) = match facts.decision() {
        Some(decision) => (decision.scaling.clone(), decision.draining().cloned()),
        // Nothing was decided: what was decided last still holds.
        None => {
            facts.previous().map_or((None, None), |it| (it.scaling.clone(), it.draining.clone()))
        }
    };
    BatchPipelineStatus {
        observed_generation: facts.object.metadata.generation,
        conditions: conditions::conditions(facts, phase, &verdict, [&producer, &consumer]),
        phase: Some(phase),
        topic: Some(facts.object.topic_name().to_owned()),
        waits_for: waits_for(facts),
        producer: side(facts, Role::Producer),
        consumer: side(facts, Role::Consumer),
        data: data::data(facts),
        scaling,
        draining,
    }
}

fn waits_for(facts: &Facts<'_>) -> Option<String> {
    match facts.outcome {
        Outcome::Conflict(conflict) => Some(conflict.winner.clone()),
        // Nobody has looked: what was found last still holds.
        Outcome::Invalid(_) => facts.previous()?.waits_for.clone(),
        _ => None,
    }
}

fn side(facts: &Facts<'_>, role: Role) -> Option<SideStatus> {
    if !facts.asks_for(role) {
        return None;
    }
    let previous = facts.previous().and_then(|status| match role {
        Role::Producer => status.producer.as_ref(),
        Role::Consumer => status.consumer.as_ref(),
    });
    let side = facts.observed.side(role);
    match &side.deployment {
        // What was known last is better than a 0 that nobody has seen, which autoscalers would take for true.
        None if side.is_hidden => previous.cloned(),
        None => {
            let selector = previous.map(|side| side.selector.clone()).unwrap_or_default();
            Some(SideStatus { replicas: 0, ready_replicas: 0, selector })
        }
        Some(deployment) => Some(SideStatus {
            replicas: deployment.replicas,
            ready_replicas: deployment.ready_replicas,
            selector: deployment.selector.clone(),
        }),
    }
}

#[cfg(test)]
mod tests;
