//! Which pipeline an object belongs to. Pure. It only decides who looks again, never what is ours.

use std::fmt;

use batchpipe_api::pipeline::KIND;
use kube::{Resource, ResourceExt, api::ObjectMeta, runtime::reflector::ObjectRef};

use super::Stored;
use crate::build::labels::{INSTANCE, PIPELINE_UID};

/// A pipeline's place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Key {
    /// The key of a pipeline.
    pub fn of<K: Resource>(pipeline: &K) -> Self {
        let namespace = pipeline.namespace().unwrap_or_default();
        Self { namespace, name: pipeline.name_any() }
    }

    /// The place in a cache.
    pub fn object(&self) -> ObjectRef<Stored> {
        ObjectRef::new(&self.name).within(&self.namespace)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// The pipeline that an object belongs to: by its owner reference; else by its annotation, `name_of` giving the name
/// for a uid; else by its label.
pub fn owner(meta: &ObjectMeta, name_of: impl FnOnce(&str) -> Option<String>) -> Option<Key> {
    let references = meta.owner_references.iter().flatten();
    let by_reference = || {
        let mut ours =
            references.filter(|it| it.kind == KIND && it.api_version.starts_with("batchpipe.dev/"));
        ours.next().map(|it| it.name.clone())
    };
    let by_uid = || name_of(meta.annotations.as_ref()?.get(PIPELINE_UID)?);
    let by_label = || meta.labels.as_ref()?.get(INSTANCE).cloned();
    let name = by_reference().or_else(by_uid).or_else(by_label)?;
    Some(Key { namespace: meta.namespace.clone()?, name })
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

    use super::*;

    fn child() -> ObjectMeta {
        let text = |name: &str, value: &str| Some([(name.to_owned(), value.to_owned())].into());
        ObjectMeta {
            namespace: Some("a".to_owned()),
            labels: text(INSTANCE, "by-label"),
            annotations: text(PIPELINE_UID, "u-1"),
            owner_references: Some(vec![OwnerReference {
                api_version: "batchpipe.dev/v1alpha1".to_owned(),
                kind: KIND.to_owned(),
                name: "by-reference".to_owned(),
                ..OwnerReference::default()
            }]),
            ..ObjectMeta::default()
        }
    }

    fn found(meta: &ObjectMeta) -> Option<String> {
        owner(meta, |uid| (uid == "u-1").then(|| "by-uid".to_owned())).map(|key| key.to_string())
    }

    #[test]
    fn whatever_is_left_on_an_object_leads_to_its_pipeline() {
        let mut meta = child();
        assert_eq!(found(&meta).as_deref(), Some("a/by-reference"));
        meta.owner_references = None;
        assert_eq!(found(&meta).as_deref(), Some("a/by-uid"));
        meta.annotations = None;
        assert_eq!(found(&meta).as_deref(), Some("a/by-label"));
        meta.labels = None;
        assert_eq!(found(&meta), None);
    }

    #[test]
    fn owners_of_other_groups_do_not_count() {
        let mut meta = child();
        meta.owner_references.as_mut().unwrap()[0].api_version = "example.com/v1".to_owned();
        assert_eq!(found(&meta).as_deref(), Some("a/by-uid"));
    }
}
