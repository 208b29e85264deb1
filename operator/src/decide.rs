//! decide: how many pods each side should have now: state, draining and scaling. Pure; time is passed in.

use batchpipe_api::status::{DrainingStatus, ScalingStatus};

/// How many pods each side should have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replicas {
    /// Producer pods.
    pub producer: i32,
    /// Consumer pods.
    pub consumer: i32,
}

/// What was decided, and what has to be remembered of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// The numbers.
    pub replicas: Replicas,
    /// Absent without `scaling`.
    pub scaling: Option<ScalingStatus>,
    /// Absent unless the state is `Drained`.
    pub draining: Option<DrainingStatus>,
    /// Whether draining has come to its end.
    pub is_drained: bool,
}
