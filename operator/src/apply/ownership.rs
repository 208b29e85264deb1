//! Whether an object under a child's name is ours. Pure.

use batchpipe_api::pipeline::KIND;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Resource, ResourceExt};

use crate::{build::labels::PIPELINE_UID, caches::is_applied_by_us};

/// Annotation with the fingerprint of what was applied last: by it, fields that are no longer wanted are found.
pub const APPLIED: &str = "batchpipe.dev/applied";

/// Whose an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// This pipeline's.
    Ours,
    /// It can only be made again when it is gone; why it goes, for people.
    Leaving(&'static str),
    /// Somebody else's; who, for people.
    Foreign(String),
}

/// Whose this object is, seen from the pipeline with this uid. Both must hold: that this operator has made it, and that
/// it belongs to this pipeline; labels and names can be given by anybody.
pub(super) fn standing<K: Resource>(live: &K, uid: &str) -> Standing {
    let controller = controller(live);
    let is_made = is_made_by_us(live);
    let is_leaving = live.meta().deletion_timestamp.is_some();
    match belongs_to(live) {
        Some(_) if is_made && is_leaving => Standing::Leaving("is being deleted"),
        Some(owner) if is_made && owner == uid => Standing::Ours,
        // Kubernetes removes what a deleted pipeline owned.
        Some(_) if is_made && controller.is_some_and(is_pipeline) => {
            Standing::Leaving("is left of a former pipeline of this name")
        }
        _ => Standing::Foreign(controller.map_or_else(
            || "it was not made by this operator for this pipeline".to_owned(),
            |it| format!("it belongs to {} {}", it.kind, it.name),
        )),
    }
}

/// Whether this operator has made an object. The entry of our apply says so; whoever clears the managed fields takes it
/// away, and then the controller and the annotation of the same pipeline together do.
pub(crate) fn is_made_by_us<K: Resource>(live: &K) -> bool {
    let owner = || controller(live).filter(|it| is_pipeline(it)).map(|it| &it.uid);
    is_applied_by_us(live)
        || owner().is_some_and(|uid| live.annotations().get(PIPELINE_UID) == Some(uid))
}

/// The uid of the pipeline that an object would be of, if this operator has made it.
pub(crate) fn belongs_to<K: Resource>(live: &K) -> Option<&str> {
    let annotation = live.annotations().get(PIPELINE_UID).map(String::as_str);
    controller(live).map_or(annotation, |it| Some(it.uid.as_str()))
}

/// Whether an object is this pipeline's.
pub(super) fn is_ours<K: Resource>(live: &K, uid: &str) -> bool {
    standing(live, uid) == Standing::Ours
}

fn controller<K: Resource>(live: &K) -> Option<&OwnerReference> {
    live.owner_references().iter().find(|it| it.controller == Some(true))
}

fn is_pipeline(owner: &OwnerReference) -> bool {
    owner.kind == KIND && owner.api_version.starts_with("batchpipe.dev/")
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{
        api::core::v1::ServiceAccount,
        apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, Time},
        jiff::Timestamp,
    };

    use super::*;
    use crate::settings::FIELD_MANAGER;

    fn owned(kind: &str, uid: &str) -> ServiceAccount {
        let mut object = ServiceAccount::default();
        object.metadata.owner_references = Some(vec![OwnerReference {
            api_version: "batchpipe.dev/v1alpha1".to_owned(),
            kind: kind.to_owned(),
            name: "demo".to_owned(),
            uid: uid.to_owned(),
            controller: Some(true),
            ..OwnerReference::default()
        }]);
        object.metadata.managed_fields = Some(vec![ManagedFieldsEntry {
            manager: Some(FIELD_MANAGER.to_owned()),
            operation: Some("Apply".to_owned()),
            ..ManagedFieldsEntry::default()
        }]);
        object
    }

    fn stripped(uid: &str) -> ServiceAccount {
        let mut object = owned("BatchPipeline", uid);
        object.metadata.owner_references = None;
        object.annotations_mut().insert(PIPELINE_UID.to_owned(), uid.to_owned());
        object
    }

    #[test]
    fn an_object_is_ours_by_its_controller_or_without_one_by_its_annotation() {
        assert_eq!(standing(&owned("BatchPipeline", "u"), "u"), Standing::Ours);
        assert_eq!(standing(&stripped("u"), "u"), Standing::Ours);
    }

    #[test]
    fn what_we_did_not_apply_is_foreign_whatever_it_says() {
        let mut forged = owned("BatchPipeline", "u");
        forged.metadata.managed_fields = None;
        assert!(matches!(standing(&forged, "u"), Standing::Foreign(_)));
    }

    #[test]
    fn who_clears_the_managed_fields_of_a_child_does_not_make_it_foreign() {
        let cleared = |kind: &str, group: &str| {
            let mut object = owned(kind, "u");
            object.metadata.managed_fields = None;
            object.owner_references_mut()[0].api_version = format!("{group}/v1alpha1");
            object.annotations_mut().insert(PIPELINE_UID.to_owned(), "u".to_owned());
            object
        };
        let ours = cleared("BatchPipeline", "batchpipe.dev");
        assert_eq!(standing(&ours, "u"), Standing::Ours);
        assert!(matches!(standing(&ours, "new"), Standing::Leaving(_)));
        for (kind, group) in [("Other", "batchpipe.dev"), ("BatchPipeline", "example.com")] {
            assert!(matches!(standing(&cleared(kind, group), "u"), Standing::Foreign(_)));
        }
    }

    #[test]
    fn an_annotation_does_not_outweigh_a_controller() {
        let mut taken = owned("Deployment", "other");
        taken.annotations_mut().insert(PIPELINE_UID.to_owned(), "u".to_owned());
        let expected = "it belongs to Deployment demo".to_owned();
        assert_eq!(standing(&taken, "u"), Standing::Foreign(expected));
    }

    #[test]
    fn an_orphan_of_a_former_pipeline_is_foreign() {
        assert!(matches!(standing(&stripped("former"), "u"), Standing::Foreign(_)));
    }

    #[test]
    fn what_is_left_of_a_former_pipeline_is_waited_for() {
        assert!(matches!(standing(&owned("BatchPipeline", "former"), "u"), Standing::Leaving(_)));
    }

    #[test]
    fn an_object_that_is_being_deleted_is_waited_for() {
        let mut leaving = owned("BatchPipeline", "u");
        leaving.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
        assert_eq!(standing(&leaving, "u"), Standing::Leaving("is being deleted"));
    }
}
