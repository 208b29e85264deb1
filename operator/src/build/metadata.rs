//! The metadata of children. Pure.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::labels::{PIPELINE_UID, common, pairs};
use crate::pipeline::Pipeline;

/// Metadata of a child that goes when its pipeline goes.
pub(super) fn owned(pipeline: &Pipeline, name: String, component: &str) -> ObjectMeta {
    let owner_references = Some(vec![pipeline.owner.clone()]);
    ObjectMeta { owner_references, ..unowned(pipeline, name, component) }
}

/// Metadata of a child that stays.
pub(super) fn unowned(pipeline: &Pipeline, name: String, component: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: Some(pipeline.namespace.clone()),
        labels: Some(common(&pipeline.name, component)),
        annotations: Some(pairs([(PIPELINE_UID, &pipeline.uid)])),
        ..ObjectMeta::default()
    }
}
