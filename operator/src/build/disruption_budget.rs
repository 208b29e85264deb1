//! The `PodDisruptionBudget` of one side: draining nodes takes one pod at a time. Pure.

use batchpipe_api::report::Role;
use k8s_openapi::{
    api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec},
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::{labels, metadata::owned, names};
use crate::pipeline::Pipeline;

/// The budget of one side. Pods that are not ready can always be taken away: they would keep a node from being drained
/// for as long as, say, a broker is away.
pub(super) fn build_disruption_budget(pipeline: &Pipeline, role: Role) -> PodDisruptionBudget {
    PodDisruptionBudget {
        metadata: owned(pipeline, names::side(&pipeline.name, role), role.name()),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(labels::label_selector(&pipeline.name, role)),
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            ..PodDisruptionBudgetSpec::default()
        }),
        status: None,
    }
}
