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
