//! What of an object is kept in memory: with a thousand pipelines the rest would cost more than everything else. Pure.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        apps::v1::ReplicaSet,
        core::v1::{ContainerState, ContainerStatus, Pod, PodStatus},
    },
    apimachinery::pkg::apis::meta::v1::OwnerReference,
};
use kube::{Resource, ResourceExt, api::ObjectMeta, core::PartialObjectMeta};

use crate::{
    build::labels::{CLAIMS, COMPONENT, INSTANCE, NAME, PIPELINE_UID},
    observe::REVISION,
    settings::FIELD_MANAGER,
};

/// What kubectl keeps for itself; it holds the whole object once more.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// The labels of pods and their owners that are read.
const LABELS: [&str; 3] = [NAME, INSTANCE, COMPONENT];
/// The annotations of them that are read.
const ANNOTATIONS: [&str; 3] = [PIPELINE_UID, REVISION, CLAIMS];
/// The conditions of pods that are read.
const CONDITIONS: [&str; 2] = ["Ready", "PodScheduled"];
/// So much is kept of what Kubernetes says, and of the end of what a container says, in bytes.
const MOST_WORDS: usize = 1024;

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

/// Keeps of a pod whose it is and how it is: what else there is of it is its pipeline's to choose, and there may be
/// thousands.
pub(super) fn pod(pod: &mut Pod) {
    pod.metadata = identity(std::mem::take(&mut pod.metadata));
    pod.spec = None;
    pod.status = pod.status.take().map(how_it_is);
}

/// Keeps of a `ReplicaSet` whose it is and which one.
pub(super) fn replica_set(set: &mut PartialObjectMeta<ReplicaSet>) {
    set.metadata = identity(std::mem::take(&mut set.metadata));
    // Copied from its Deployment, where it is read.
    set.annotations_mut().remove(CLAIMS);
}

fn identity(meta: ObjectMeta) -> ObjectMeta {
    let of = |names: &[&str], all: Option<BTreeMap<String, String>>| {
        all.map(|mut all| {
            all.retain(|name, _| names.contains(&name.as_str()));
            all
        })
    };
    let owners = meta.owner_references.map(|mut owners| {
        owners.retain(is_read);
        owners
    });
    ObjectMeta {
        name: meta.name,
        namespace: meta.namespace,
        uid: meta.uid,
        resource_version: meta.resource_version,
        deletion_timestamp: meta.deletion_timestamp,
        owner_references: owners,
        labels: of(&LABELS, meta.labels),
        annotations: of(&ANNOTATIONS, meta.annotations),
        ..ObjectMeta::default()
    }
}

/// Owners that do not control an object say whose it is only if they are pipelines.
fn is_read(owner: &OwnerReference) -> bool {
    owner.controller == Some(true) || owner.api_version.starts_with("batchpipe.dev/")
}

fn how_it_is(status: PodStatus) -> PodStatus {
    let conditions = status.conditions.map(|mut conditions| {
        conditions.retain(|it| CONDITIONS.contains(&it.type_.as_str()));
        for condition in &mut conditions {
            shorten(&mut condition.message);
        }
        conditions
    });
    let containers = |all: Option<Vec<ContainerStatus>>| {
        all.map(|all| all.into_iter().map(how_it_runs).collect())
    };
    PodStatus {
        phase: status.phase,
        pod_ip: status.pod_ip,
        conditions,
        init_container_statuses: containers(status.init_container_statuses),
        container_statuses: containers(status.container_statuses),
        ..PodStatus::default()
    }
}

fn how_it_runs(status: ContainerStatus) -> ContainerStatus {
    let (mut state, mut last_state) = (status.state, status.last_state);
    [&mut state, &mut last_state].into_iter().flatten().for_each(shorten_state);
    ContainerStatus {
        name: status.name,
        ready: status.ready,
        restart_count: status.restart_count,
        state,
        last_state,
        ..ContainerStatus::default()
    }
}

fn shorten_state(state: &mut ContainerState) {
    state.waiting.iter_mut().for_each(|it| shorten(&mut it.message));
    let ended = state.terminated.as_mut().and_then(|it| it.message.as_mut());
    // Its last line tells most.
    if let Some(text) = ended.filter(|text| text.len() > MOST_WORDS) {
        *text = text[text.ceil_char_boundary(text.len() - MOST_WORDS)..].to_owned();
    }
}

fn shorten(text: &mut Option<String>) {
    if let Some(text) = text.as_mut().filter(|text| text.len() > MOST_WORDS) {
        *text = text[..text.floor_char_boundary(MOST_WORDS)].to_owned();
    }
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
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry};

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

    /// A pod as it is, and with everything that a pipeline or a container may add to it.
    fn large() -> Pod {
        let mut notes: BTreeMap<String, String> =
            (0..31).map(|note| (format!("example.com/{note}"), "x".repeat(4096))).collect();
        notes.insert(CLAIMS.to_owned(), "[]".to_owned());
        let long = "y".repeat(4096);
        serde_json::from_value(serde_json::json!({
            "metadata": {
                "name": "p", "namespace": "a", "uid": "u", "annotations": notes,
                "labels": {INSTANCE: "demo", "example.com/more": long},
                "ownerReferences": [
                    {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "r", "controller": true},
                    {"apiVersion": "example.com/v1", "kind": "Other", "name": long, "uid": "o"},
                ],
            },
            "spec": {"containers": [{"name": "c", "args": [long]}]},
            "status": {
                "podIP": "10.0.0.1", "message": long,
                "conditions": [
                    {"type": "Ready", "status": "True"},
                    {"type": "example.com/gate", "status": "True", "message": long},
                ],
                "containerStatuses": [{
                    "name": "c", "image": long, "imageID": long, "ready": false, "restartCount": 3,
                    "lastState": {"terminated": {"exitCode": 2, "message": format!("{long}\nno topic")}},
                }],
            },
        }))
        .unwrap()
    }

    #[test]
    fn of_a_pod_only_what_is_read_is_kept_however_much_its_pipeline_adds() {
        let mut found = large();
        pod(&mut found);
        let kept = serde_json::to_string(&found).unwrap();
        assert!(kept.len() < 2 * MOST_WORDS, "{} bytes: {kept}", kept.len());
        assert_eq!(found.labels()[INSTANCE], "demo");
        assert_eq!(found.annotations()[CLAIMS], "[]");
        assert_eq!(found.owner_references()[0].uid, "r");
        let status = found.status.unwrap();
        assert_eq!(
            (status.pod_ip.as_deref(), status.conditions.unwrap().len()),
            (Some("10.0.0.1"), 1)
        );
        let container = &status.container_statuses.unwrap()[0];
        let end = container.last_state.as_ref().unwrap().terminated.as_ref().unwrap();
        assert!(end.message.as_ref().unwrap().ends_with("\nno topic"));
        assert_eq!(container.restart_count, 3);
    }

    #[test]
    fn what_is_observed_of_a_pod_does_not_change_by_pruning() {
        let mut pruned = large();
        pod(&mut pruned);
        assert_eq!(crate::observe::blocked(&pruned), crate::observe::blocked(&large()));
    }

    #[test]
    fn of_a_replica_set_its_number_and_its_owner_are_kept() {
        let mut set = PartialObjectMeta::<ReplicaSet>::default();
        set.annotations_mut().insert(REVISION.to_owned(), "3".to_owned());
        set.annotations_mut().insert("example.com/note".to_owned(), "x".repeat(4096));
        set.annotations_mut().insert(CLAIMS.to_owned(), "[]".to_owned());
        replica_set(&mut set);
        assert_eq!(set.annotations().len(), 1);
        assert_eq!(set.annotations()[REVISION], "3");
    }
}
