//! status: from everything known of one pass to the object's status. Pure; transition times of conditions are kept.

use batchpipe_api::pipeline::BatchPipeline;
use k8s_openapi::jiff::Timestamp;

use crate::{
    apply::Applied, decide::Decision, observe::Observed, pipeline::Invalid, resolve::Unresolved,
};

/// How far this pass came.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Everything was applied, or was as it should be, but for `Applied::failures`.
    Applied(Applied, Decision),
    /// The spec cannot be carried out; nothing was changed.
    Invalid(Invalid),
    /// An older pipeline has the topic and group; nothing was changed. The text says which one and what to do.
    Conflict(String),
    /// Kafka is not known yet; nothing was changed.
    Unresolved(Unresolved),
}

/// All that a status follows from.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The object with the status it has now.
    pub object: &'a BatchPipeline,
    /// How far this pass came.
    pub outcome: &'a Outcome,
    /// What runs.
    pub observed: &'a Observed,
    /// Now.
    pub now: Timestamp,
}

/// The status.
pub fn summarize(facts: &Facts<'_>) -> batchpipe_api::status::BatchPipelineStatus {
    let mut status = facts.object.status.clone().unwrap_or_default();
    status.observed_generation = facts.object.metadata.generation;
    let (reason, message) = match facts.outcome {
        Outcome::Applied(a, _) if a.failures.is_empty() => ("AsDesired", String::new()),
        Outcome::Applied(a, _) => (a.failures[0].reason, a.failures[0].message.clone()),
        Outcome::Invalid(i) => ("InvalidSpec", i.violations[0].message.clone()),
        Outcome::Conflict(m) => ("Conflict", m.clone()),
        Outcome::Unresolved(u) => (u.reason, u.message.clone()),
    };
    let is = if reason == "AsDesired" { "True" } else { "False" };
    let at = status.conditions.first().filter(|it| it.status == is).map_or(facts.now, |it| it.last_transition_time.0);
    status.conditions = vec![k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition {
        type_: "Ready".into(), status: is.into(), reason: reason.into(), message, last_transition_time: k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(k8s_openapi::jiff::Timestamp::from_second(at.as_second()).unwrap()), observed_generation: facts.object.metadata.generation }];
    status.phase = Some(batchpipe_api::status::Phase::Pending);
    status
}

/// Whether.
pub fn differs_visibly(old: &batchpipe_api::status::BatchPipelineStatus, new: &batchpipe_api::status::BatchPipelineStatus) -> bool {
    old != new
}
