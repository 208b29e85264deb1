//! What of an object is kept in memory: with a thousand pipelines the rest would cost more than everything else. Pure.

use k8s_openapi::api::core::v1::Pod;
use kube::{Resource, ResourceExt, api::ObjectMeta};

use crate::settings::FIELD_MANAGER;

/// What kubectl keeps for itself; it holds the whole object once more.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Keeps of the managed fields only whether this operator has applied the object.
pub(super) fn child<K: Resource>(object: &mut K) {
    let meta = object.meta_mut();
    if let Some(managed) = &mut meta.managed_fields {
        managed.retain_mut(|entry| {
            entry.fields_v1 = None;
            is_ours(entry.manager.as_deref(), entry.operation.as_deref())
        });
    }
    drop_copy(meta);
}

/// Drops what nobody reads of an object that is only looked at.
pub(super) fn plain<K: Resource>(object: &mut K) {
    object.meta_mut().managed_fields = None;
    drop_copy(object.meta_mut());
}

/// Keeps of a pod whose it is and how it is.
pub(super) fn pod(pod: &mut Pod) {
    plain(pod);
    pod.spec = None;
}

/// Whether this operator has applied the object.
pub fn is_applied_by_us<K: Resource>(object: &K) -> bool {
    let mut entries = object.managed_fields().iter();
    entries.any(|it| is_ours(it.manager.as_deref(), it.operation.as_deref()))
}

fn is_ours(manager: Option<&str>, operation: Option<&str>) -> bool {
    manager == Some(FIELD_MANAGER) && operation == Some("Apply")
}

fn drop_copy(meta: &mut ObjectMeta) {
    if let Some(annotations) = &mut meta.annotations {
        annotations.remove(LAST_APPLIED);
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{
        api::core::v1::PodSpec,
        apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry},
    };

    use super::*;

    fn entry(manager: &str, operation: &str) -> ManagedFieldsEntry {
        ManagedFieldsEntry {
            manager: Some(manager.to_owned()),
            operation: Some(operation.to_owned()),
            fields_v1: Some(FieldsV1(serde_json::json!({"f:spec": {}}))),
            ..ManagedFieldsEntry::default()
        }
    }

    #[test]
    fn whether_we_applied_an_object_survives_pruning() {
        let mut pod = Pod::default();
        pod.metadata.managed_fields =
            Some(vec![entry("kubectl", "Apply"), entry(FIELD_MANAGER, "Update")]);
        child(&mut pod);
        assert!(!is_applied_by_us(&pod));
        pod.metadata.managed_fields = Some(vec![entry(FIELD_MANAGER, "Apply")]);
        child(&mut pod);
        assert!(is_applied_by_us(&pod));
        assert_eq!(pod.managed_fields()[0].fields_v1, None);
    }

    #[test]
    fn a_pods_spec_is_not_kept() {
        let mut found = Pod { spec: Some(PodSpec::default()), ..Pod::default() };
        found.annotations_mut().insert(LAST_APPLIED.to_owned(), "{}".to_owned());
        pod(&mut found);
        assert_eq!(found.spec, None);
        assert!(found.annotations().is_empty());
    }
}
