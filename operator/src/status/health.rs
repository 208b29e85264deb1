//! How one side is, compared with what was decided. Pure; conditions and phase follow from it.

use batchpipe_api::{
    conditions::reasons, pipeline::DesiredState, report::Role, spec::consumer::Scaling,
};

use super::{
    Facts, Outcome,
    trouble::{Trouble, trouble},
};
use crate::observe::{ObservedDeployment, ObservedSide};

/// How a side is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Health {
    /// Which side.
    pub(super) role: Role,
    /// In a word.
    pub(super) kind: Kind,
    /// Pods that should be there.
    pub(super) wanted: i32,
    /// Pods that are ready.
    pub(super) ready: i32,
    /// What keeps pods from being ready.
    pub(super) trouble: Option<Trouble>,
}

/// How a side is, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The spec does not ask for it.
    NotRequested,
    /// No pods, as it should be.
    Zero,
    /// No pods should be there; some still are.
    Stopping,
    /// No pods should be there, and nothing has asked them to stop.
    RunsOn,
    /// All as it should be.
    Settled,
    /// A change is being carried out.
    Changing,
    /// A change does not get ahead.
    Stuck,
    /// No change, but not all pods are ready.
    Unready,
}

impl Health {
    /// How this side is.
    pub(super) fn of(role: Role, facts: &Facts<'_>) -> Self {
        let side = facts.observed.side(role);
        let deployment = side.deployment.as_ref();
        let decided = facts.decision().map(|decision| decision.replicas.of(role));
        let wanted = decided.unwrap_or_else(|| undecided(role, facts));
        let trouble = trouble(side).map(|trouble| explained(trouble, facts));
        let kind = if facts.asks_for(role) {
            kind(side, wanted, trouble.as_ref())
        } else {
            Kind::NotRequested
        };
        Self { role, kind, wanted, ready: deployment.map_or(0, |it| it.ready_replicas), trouble }
    }

    /// Whether as many pods are ready as should be, be they of the newest template or of an earlier one.
    pub(super) const fn serves(&self) -> bool {
        match self.kind {
            Kind::NotRequested | Kind::Zero | Kind::Stopping | Kind::RunsOn | Kind::Settled => true,
            Kind::Changing | Kind::Stuck => self.wanted > 0 && self.ready >= self.wanted,
            Kind::Unready => false,
        }
    }

    /// Whether some pods run, and what keeps the others from it is more than that they are only starting.
    pub(super) fn is_short(&self) -> bool {
        let has_lasted = self.trouble.as_ref().is_some_and(|trouble| trouble.has_lasted);
        self.kind == Kind::Unready && self.ready > 0 && has_lasted
    }
}

/// A topic that pods miss is one that Strimzi may have said something about.
fn explained(trouble: Trouble, facts: &Facts<'_>) -> Trouble {
    match facts.outcome {
        Outcome::Applied(applied, _) if trouble.reason == reasons::TOPIC_MISSING => {
            let parts = [trouble.message].into_iter().chain(applied.unfit_topics.iter().cloned());
            Trouble { message: parts.collect::<Vec<_>>().join("; "), ..trouble }
        }
        _ => trouble,
    }
}

/// How many pods there should be when nothing was decided: what runs goes on, and what is asked for is missing.
fn undecided(role: Role, facts: &Facts<'_>) -> i32 {
    let deployment = facts.observed.side(role).deployment.as_ref();
    let goes_on = deployment.map_or(0, |it| it.desired_replicas);
    match facts.object.spec.state {
        DesiredState::Paused => 0,
        // What was stopped, or never made, is asked for all the same.
        DesiredState::Running if goes_on == 0 => asked_for(role, facts),
        DesiredState::Drained | DesiredState::Running => goes_on,
    }
}

/// The number of pods in the spec; by lag, the one that was decided last, else the least.
fn asked_for(role: Role, facts: &Facts<'_>) -> i32 {
    let spec = &facts.object.spec;
    match role {
        Role::Producer => spec.producer.as_ref().map_or(0, |producer| producer.replicas),
        Role::Consumer => spec.consumer.as_ref().map_or(0, |consumer| {
            let said = facts.previous().and_then(|status| status.scaling.as_ref());
            let by_lag = |scaling: Scaling| {
                let said = said.map_or(0, |said| said.desired_replicas);
                said.clamp(scaling.min_replicas, scaling.max_replicas.max(scaling.min_replicas))
            };
            consumer.scaling.map_or(consumer.replicas, by_lag)
        }),
    }
}

fn kind(side: &ObservedSide, wanted: i32, trouble: Option<&Trouble>) -> Kind {
    let Some(deployment) = &side.deployment else {
        let is_none = wanted == 0 && !side.is_hidden && side.pods.is_empty();
        return if is_none { Kind::Zero } else { Kind::Changing };
    };
    if wanted == 0 && deployment.desired_replicas != 0 {
        return Kind::RunsOn;
    }
    if wanted == 0 {
        let is_over = deployment.is_current && deployment.replicas == 0 && side.pods.is_empty();
        return if is_over { Kind::Zero } else { Kind::Stopping };
    }
    let is_same = deployment.is_current && deployment.desired_replicas == wanted;
    if is_same && has_all(deployment, wanted) {
        Kind::Settled
    } else if is_same && is_stuck(deployment, trouble) {
        Kind::Stuck
    } else if is_same && deployment.is_rolled_out && deployment.ready_replicas < wanted {
        Kind::Unready
    } else {
        Kind::Changing
    }
}

const fn has_all(deployment: &ObservedDeployment, wanted: i32) -> bool {
    deployment.updated_replicas == wanted
        && deployment.replicas == wanted
        && deployment.ready_replicas >= wanted
}

/// Once a template was rolled out, pods that are not ready are no matter of the rollout; that pods cannot be made is.
fn is_stuck(deployment: &ObservedDeployment, trouble: Option<&Trouble>) -> bool {
    let needs_somebody = trouble.is_some_and(|trouble| trouble.needs_somebody);
    deployment.stuck.is_some()
        || deployment.replica_failure.is_some()
        || (needs_somebody && !deployment.is_rolled_out)
}
