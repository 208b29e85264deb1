//! The `ServiceAccount` of both sides' pods: an identity without rights and without a token. Pure.

use k8s_openapi::api::core::v1::ServiceAccount;

use super::{metadata::owned, names};
use crate::pipeline::Pipeline;

/// The identity of the pods.
pub(super) fn build_service_account(pipeline: &Pipeline) -> ServiceAccount {
    ServiceAccount {
        metadata: owned(pipeline, names::service_account(&pipeline.name), "identity"),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}
