//! decide: how many pods each side should have now: state, draining and scaling. Pure; time is passed in.

mod draining;
mod scaling;
#[cfg(test)]
mod simulation;

use batchpipe_api::{
    pipeline::{BatchPipeline, DesiredState},
    report::Role,
    spec::consumer::Consumer,
    status::{DrainingStatus, ScalingStatus},
};
use k8s_openapi::jiff::Timestamp;

use self::scaling::Scale;
pub use self::{draining::Drain, scaling::ScalingMemory};
use crate::observe::{Observed, ObservedSide, Partitions};

/// How many pods each side should have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replicas {
    /// Producer pods.
    pub producer: i32,
    /// Consumer pods.
    pub consumer: i32,
}

impl Replicas {
    /// Those of one side.
    pub const fn of(self, role: Role) -> i32 {
        match role {
            Role::Producer => self.producer,
            Role::Consumer => self.consumer,
        }
    }
}

/// What was decided, and what has to be remembered of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// The numbers.
    pub replicas: Replicas,
    /// Absent without `scaling`.
    pub scaling: Option<ScalingStatus>,
    /// Absent unless the state is `Drained`.
    pub drain: Option<Drain>,
    /// To be passed in the next time.
    pub memory: Memory,
}

impl Decision {
    /// Whether draining has come to its end.
    pub const fn is_drained(&self) -> bool {
        matches!(self.drain, Some(Drain::Done(_) | Drain::Ending(_)))
    }

    /// What draining waits for; absent when it does not.
    pub fn waits_for(&self) -> Option<&str> {
        match &self.drain {
            Some(Drain::Waiting(_, waits_for)) => Some(waits_for),
            Some(Drain::Ending(_)) => Some("its end to be noted; then the consumer is stopped"),
            Some(Drain::Done(_)) | None => None,
        }
    }

    /// What has to be written of draining.
    pub const fn draining(&self) -> Option<&DrainingStatus> {
        match &self.drain {
            Some(Drain::Done(draining) | Drain::Ending(draining) | Drain::Waiting(draining, _)) => {
                Some(draining)
            }
            None => None,
        }
    }
}

/// What is kept of a pipeline from one pass to the next, in memory only. Without it nothing is decided wrongly, only
/// later.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// What scaling learned.
    pub scaling: ScalingMemory,
    /// When something of the producer was last seen.
    pub producer_seen_at: Option<Timestamp>,
    /// Whether the status of the object is what this process has said; else it was found there, and may be anybody's.
    pub has_spoken: bool,
}

/// All that is decided from.
#[derive(Clone, Copy, Debug)]
pub struct DecideInput<'a> {
    /// What is asked for, defaults applied, with the status it has now.
    pub object: &'a BatchPipeline,
    /// What runs.
    pub observed: &'a Observed,
    /// That of the last decision.
    pub memory: &'a Memory,
    /// Now.
    pub now: Timestamp,
}

/// How many pods each side should have now, and why.
pub fn decide(input: &DecideInput<'_>) -> Decision {
    let mut memory = input.memory.clone();
    // A clock that was set back must not make us wait until it gets there again.
    memory.producer_seen_at = memory.producer_seen_at.map(|seen| seen.min(input.now));
    if !is_gone(&input.observed.producer) {
        memory.producer_seen_at = Some(input.now);
    }
    let input = &DecideInput { memory: &memory, ..*input };
    match input.object.spec.state {
        DesiredState::Running => running(input),
        DesiredState::Paused => stopped(input, "the state is Paused"),
        DesiredState::Drained => drained(input),
    }
}

fn running(input: &DecideInput<'_>) -> Decision {
    let (consumer, scaling, learned) = consumers(input);
    Decision {
        replicas: Replicas { producer: producers(input), consumer },
        scaling,
        memory: Memory { scaling: learned, ..input.memory.clone() },
        ..Decision::default()
    }
}

fn stopped(input: &DecideInput<'_>, reason: &str) -> Decision {
    let scaling = input.object.spec.consumer.as_ref().and_then(|consumer| consumer.scaling);
    Decision {
        scaling: scaling.map(|_| ScalingStatus { desired_replicas: 0, reason: reason.to_owned() }),
        memory: Memory { scaling: ScalingMemory::default(), ..input.memory.clone() },
        ..Decision::default()
    }
}

fn drained(input: &DecideInput<'_>) -> Decision {
    let drain = Some(draining::drain(input));
    if matches!(drain, Some(Drain::Done(_))) {
        return Decision { drain, ..stopped(input, "the pipeline is drained") };
    }
    let decision = running(input);
    // Without a consumer nothing would ever be worked off.
    let fewest = i32::from(input.object.spec.consumer.is_some());
    let consumer = decision.replicas.consumer.max(fewest);
    Decision { replicas: Replicas { producer: 0, consumer }, drain, ..decision }
}

fn producers(input: &DecideInput<'_>) -> i32 {
    input.object.spec.producer.as_ref().map_or(0, |producer| producer.replicas)
}

fn consumers(input: &DecideInput<'_>) -> (i32, Option<ScalingStatus>, ScalingMemory) {
    let Some(consumer) = &input.object.spec.consumer else {
        return (0, None, ScalingMemory::default());
    };
    let Some(scaling) = consumer.scaling else {
        return (consumer.replicas, None, ScalingMemory::default());
    };
    let side = &input.observed.consumer;
    let scale = Scale {
        limits: scaling,
        current: current(input),
        load: scaling::load(side),
        partitions: Partitions::of(side).count,
        assumed_partitions: input.object.spec.topic.partitions,
    };
    let (desired_replicas, reason, learned) =
        scaling::scale(&scale, &input.memory.scaling, input.now);
    let reason = format!("{reason}{}", overrides(consumer, desired_replicas));
    (desired_replicas, Some(ScalingStatus { desired_replicas, reason }), learned)
}

/// The number that the consumers' Deployment asks for. Before anything was measured, what an earlier process has said
/// last counts as well: the cache of a new leader may be older than that, and must not take pods away.
fn current(input: &DecideInput<'_>) -> i32 {
    let deployment = input.observed.consumer.deployment.as_ref();
    let asked = deployment.map_or(0, |it| it.desired_replicas);
    let said = input.object.status.as_ref().and_then(|status| status.scaling.as_ref());
    match said {
        Some(said) if !input.memory.scaling.has_measured() => asked.max(said.desired_replicas),
        _ => asked,
    }
}

fn overrides(consumer: &Consumer, desired: i32) -> String {
    if consumer.replicas == desired {
        return String::new();
    }
    format!("; consumer.replicas: {} is overridden by consumer.scaling", consumer.replicas)
}

/// Whether nothing of a side runs any more, and nothing is about to.
fn is_gone(side: &ObservedSide) -> bool {
    let has_stopped = side.deployment.as_ref().is_none_or(|deployment| {
        // A pod whose labels somebody has taken away is in no cache, and its Deployment counts it all the same.
        let has_pods = deployment.replicas != 0 || deployment.terminating_replicas != 0;
        deployment.desired_replicas == 0 && deployment.is_current && !has_pods
    });
    has_stopped && !side.is_hidden && side.pods.is_empty() && side.strays.is_empty()
}

#[cfg(test)]
mod tests;
