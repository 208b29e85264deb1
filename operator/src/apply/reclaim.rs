//! Takes back a child that others have made impossible to apply.
//!
//! Server-side apply removes no field that somebody else owns: a `minAvailable` that a hand has put in the place of our
//! `maxUnavailable` stays, both together are refused, and so would be every later change. What is ours alone is removed
//! when we do not apply it, so the ownership of everything in the spec is passed to our own entry, and the next apply
//! leaves nothing but what is wanted and what the API server fills in. That costs others what they have added, so it is
//! done only where it is in the way.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry};
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams},
    core::Status,
};
use serde_json::{Map, Value, json};

use super::{
    blame::{fields, is_in_the_way},
    kinds::Child,
};
use crate::{readable::Readable, settings::FIELD_MANAGER};

/// The one part of a child that is taken back: labels and annotations of others do not keep anything from being applied.
const SPEC: &str = "f:spec";

/// A child whose apply was refused.
#[derive(Clone, Copy)]
pub(super) struct Refused<'a> {
    pub(super) name: &'a str,
    pub(super) uid: Option<&'a str>,
    /// What was to be applied.
    pub(super) wanted: &'a Value,
    pub(super) refusal: &'a Status,
}

/// Passes the ownership of the spec of this child to us; whether there was any to pass, and in the way. An object that
/// was changed or replaced meanwhile is refused by the API server.
pub(super) async fn reclaim<K: Child>(
    api: &Api<Readable<K>>,
    refused: Refused<'_>,
) -> Result<bool, kube::Error> {
    let Refused { name, uid, wanted, refusal } = refused;
    let fields = fields(refusal);
    if fields.is_empty() {
        return Ok(false);
    }
    let Readable(live) = api.get(name).await?;
    let found = serde_json::to_value(&live).map_err(kube::Error::SerdeError)?;
    let is_same = live.meta().uid.as_deref() == uid;
    let owned = owned_by_others(live.managed_fields());
    let is_blamed =
        |field: &String| owned.iter().any(|it| is_in_the_way(field, it, &found, wanted));
    if !is_same || !fields.iter().any(is_blamed) {
        return Ok(false);
    }
    let Some(managed) = passed(live.managed_fields()) else { return Ok(false) };
    tracing::debug!(kind = %K::kind(&()), name, "is taken back");
    let version = live.resource_version();
    let patch =
        json!({"metadata": {"uid": uid, "resourceVersion": version, "managedFields": managed}});
    let params =
        PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    api.patch(name, &params, &Patch::Merge(&patch)).await?;
    Ok(true)
}

/// The entries with everything in the spec in our own one; `None`: nobody else has anything there, or we have no entry.
fn passed(entries: &[ManagedFieldsEntry]) -> Option<Vec<ManagedFieldsEntry>> {
    let mut entries = entries.to_vec();
    let ours = entries.iter().position(is_ours)?;
    let version = entries[ours].api_version.clone();
    let mut taken = entries[ours].fields_v1.clone().map_or_else(|| json!({}), |it| it.0);
    let mut has_taken = false;
    for (at, entry) in entries.iter_mut().enumerate() {
        if at == ours || !is_comparable(entry, version.as_deref()) {
            continue;
        }
        let fields = entry.fields_v1.as_mut().and_then(|it| it.0.as_object_mut());
        if let Some(spec) = fields.and_then(|it| it.remove(SPEC)) {
            merge(&mut taken, Value::Object(Map::from_iter([(SPEC.to_owned(), spec)])));
            has_taken = true;
        }
    }
    entries[ours].fields_v1 = Some(FieldsV1(taken));
    entries.retain(|it| it.fields_v1.as_ref().is_none_or(|it| it.0 != json!({})));
    has_taken.then_some(entries)
}

/// What each of the others owns, if we have an entry.
fn owned_by_others(entries: &[ManagedFieldsEntry]) -> Vec<&Value> {
    let Some(ours) = entries.iter().find(|it| is_ours(it)) else { return Vec::new() };
    let version = ours.api_version.as_deref();
    let others = entries.iter().filter(|it| !is_ours(it) && is_comparable(it, version));
    others.filter_map(|it| Some(&it.fields_v1.as_ref()?.0)).collect()
}

/// Paths of another version may mean something else; statuses and numbers of pods keep nobody from applying.
fn is_comparable(entry: &ManagedFieldsEntry, version: Option<&str>) -> bool {
    entry.subresource.is_none() && entry.api_version.as_deref() == version
}

fn is_ours(entry: &ManagedFieldsEntry) -> bool {
    entry.manager.as_deref() == Some(FIELD_MANAGER)
        && entry.operation.as_deref() == Some("Apply")
        && entry.subresource.is_none()
}

/// All paths of both: sets of fields are nested objects without any other values.
fn merge(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (name, below) in more {
                merge(into.entry(name).or_insert_with(|| json!({})), below);
            }
        }
        (into, more) => *into = more,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(manager: &str, operation: &str, fields: Value) -> ManagedFieldsEntry {
        ManagedFieldsEntry {
            manager: Some(manager.to_owned()),
            operation: Some(operation.to_owned()),
            api_version: Some("policy/v1".to_owned()),
            fields_v1: Some(FieldsV1(fields)),
            ..ManagedFieldsEntry::default()
        }
    }

    fn ours() -> ManagedFieldsEntry {
        entry(FIELD_MANAGER, "Apply", json!({"f:spec": {"f:selector": {}}}))
    }

    #[test]
    fn what_others_own_in_the_spec_becomes_ours_and_the_rest_stays_theirs() {
        let theirs = json!({"f:spec": {"f:minAvailable": {}}, "f:metadata": {"f:labels": {}}});
        let edit = entry("kubectl", "Update", json!({"f:spec": {"f:selector": {"f:x": {}}}}));
        let passed = passed(&[ours(), entry("kubectl-edit", "Update", theirs), edit]).unwrap();
        let all = json!({"f:spec": {"f:minAvailable": {}, "f:selector": {"f:x": {}}}});
        assert_eq!(passed.len(), 2, "an entry without fields is none");
        assert_eq!(passed[0], entry(FIELD_MANAGER, "Apply", all));
        let rest = json!({"f:metadata": {"f:labels": {}}});
        assert_eq!(passed[1], entry("kubectl-edit", "Update", rest));
    }

    #[test]
    fn a_status_and_a_number_of_pods_and_other_versions_are_left_alone() {
        let spec = || json!({"f:spec": {"f:replicas": {}}});
        let of = |subresource: &str| ManagedFieldsEntry {
            subresource: Some(subresource.to_owned()),
            ..entry("other", "Update", spec())
        };
        let old = ManagedFieldsEntry {
            api_version: Some("policy/v1beta1".to_owned()),
            ..entry("other", "Update", spec())
        };
        assert_eq!(passed(&[ours(), of("scale"), of("status"), old]), None);
    }

    #[test]
    fn what_we_have_not_applied_is_not_taken() {
        let theirs = entry("kubectl", "Update", json!({"f:spec": {"f:minAvailable": {}}}));
        assert_eq!(passed(&[theirs]), None);
    }
}
