//! The labels of children. Pure.
//!
//! Selectors are immutable on a Deployment: what [`selector`] returns for a pipeline must never change.

use std::collections::BTreeMap;

use batchpipe_api::report::Role;
use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::LabelSelector};
use kube::ResourceExt;

use crate::settings::FIELD_MANAGER;

/// The program.
pub const NAME: &str = "app.kubernetes.io/name";
/// The pipeline.
pub const INSTANCE: &str = "app.kubernetes.io/instance";
/// The side, or what else an object is for.
pub const COMPONENT: &str = "app.kubernetes.io/component";
const PART_OF: &str = "app.kubernetes.io/part-of";
/// Who made it; its value is the field manager. What is watched is found by it.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The value of [`NAME`] on children.
pub const PROGRAM: &str = "batchpipe";
/// The value of [`NAME`] on the operator's own pods, set by the chart.
pub const OPERATOR: &str = "batchpipe-operator";
/// Annotation with the pipeline that a child was made for: names can be used again, uids cannot. It tells our children
/// from those of a namesake, also after their owner reference was removed, and is on pods as well, which have none.
pub const PIPELINE_UID: &str = "batchpipe.dev/pipeline-uid";
/// Annotation of a Deployment and of its pods with what they may have for themselves, in JSON. On a Deployment: what its
/// template is for, and until the last pod of an earlier template is gone also what that was for.
pub const CLAIMS: &str = "batchpipe.dev/claims";

/// The labels of a child.
pub fn common(pipeline: &str, component: &str) -> BTreeMap<String, String> {
    pairs([
        (NAME, PROGRAM),
        (INSTANCE, pipeline),
        (COMPONENT, component),
        (PART_OF, PROGRAM),
        (MANAGED_BY, FIELD_MANAGER),
    ])
}

/// What the pods of one side are found by.
pub fn selector(pipeline: &str, role: Role) -> BTreeMap<String, String> {
    pairs([(NAME, PROGRAM), (INSTANCE, pipeline), (COMPONENT, role.name())])
}

/// Whether a pod of a pipeline may be of this side. Whoever takes a label away to look at a pod apart from the others does
/// not stop it: it may be of either.
pub fn may_be_of(pod: &Pod, role: Role) -> bool {
    let side = pod.labels().get(COMPONENT).map(String::as_str);
    let is_of_other = |other: &Role| *other != role && side == Some(other.name());
    !Role::ALL.iter().any(is_of_other)
}

/// The same as objects take it.
pub(super) fn label_selector(pipeline: &str, role: Role) -> LabelSelector {
    LabelSelector { match_labels: Some(selector(pipeline, role)), ..LabelSelector::default() }
}

pub(super) fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_selector_finds_what_has_the_common_labels() {
        let labels = common("telemetry", "consumer");
        let selector = selector("telemetry", Role::Consumer);
        assert!(selector.iter().all(|(key, value)| labels.get(key) == Some(value)));
    }

    #[test]
    fn a_pod_that_says_no_side_may_be_of_either() {
        let mut pod = Pod::default();
        for (side, of_producer, of_consumer) in
            [("producer", true, false), ("consumer", false, true), ("", true, true)]
        {
            pod.labels_mut().insert(COMPONENT.to_owned(), side.to_owned());
            let of = Role::ALL.map(|role| may_be_of(&pod, role));
            assert_eq!(of, [of_producer, of_consumer], "{side}");
        }
        pod.labels_mut().clear();
        assert!(may_be_of(&pod, Role::Producer) && may_be_of(&pod, Role::Consumer));
    }

    #[test]
    fn the_selector_stays_what_it_was() {
        let expected = pairs([
            ("app.kubernetes.io/component", "producer"),
            ("app.kubernetes.io/instance", "telemetry"),
            ("app.kubernetes.io/name", "batchpipe"),
        ]);
        assert_eq!(selector("telemetry", Role::Producer), expected);
    }
}
