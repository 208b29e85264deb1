//! The template of one side's pods. Pure.
//!
//! Whatever is in here rolls the pods when it changes.

use batchpipe_api::{report::Role, spec::pod::Pod};
use k8s_openapi::{
    api::core::v1::{
        LocalObjectReference, PodSecurityContext, PodSpec, PodTemplateSpec, SeccompProfile,
        TopologySpreadConstraint,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{
    container::build_container, environment::GRACE_SECONDS, labels, names, tidy::tidy,
    volumes::build_volumes,
};
use crate::pipeline::Pipeline;

/// User and group of the pods, as in the image.
const USER: i64 = 65_532;
/// What comes after the work at hand: five more seconds of HTTP requests, leaving the group, the exit report.
const AFTER_GRACE_SECONDS: i64 = 30;

/// The template of one side's pods.
pub(super) fn build_pod(pipeline: &Pipeline, role: Role) -> PodTemplateSpec {
    let pod = spec_of(pipeline, role);
    let (mut labels, mut annotations) = (pod.labels.clone(), pod.annotations.clone());
    // Ours last: the pods must be found by them, and known from those of a namesake that is gone.
    labels.extend(labels::common(&pipeline.name, role.name()));
    annotations.insert(labels::PIPELINE_UID.to_owned(), pipeline.uid.clone());
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(labels),
            annotations: Some(annotations),
            ..ObjectMeta::default()
        }),
        spec: Some(build_spec(pipeline, role, &pod)),
    }
}

fn spec_of(pipeline: &Pipeline, role: Role) -> Pod {
    let spec = &pipeline.spec;
    let pod = match role {
        Role::Producer => spec.producer.as_ref().map(|producer| &producer.pod),
        Role::Consumer => spec.consumer.as_ref().map(|consumer| &consumer.pod),
    };
    pod.cloned().unwrap_or_default()
}

fn build_spec(pipeline: &Pipeline, role: Role, pod: &Pod) -> PodSpec {
    let (volumes, mounts) = build_volumes(pipeline, role);
    let pull_secrets = pod.image_pull_secrets.iter();
    let pull_secrets = pull_secrets.map(|it| LocalObjectReference { name: it.name.clone() });
    PodSpec {
        service_account_name: Some(names::service_account(&pipeline.name)),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        termination_grace_period_seconds: Some(GRACE_SECONDS + AFTER_GRACE_SECONDS),
        security_context: Some(security_context()),
        containers: vec![build_container(pipeline, role, pod, mounts)],
        volumes: some(volumes),
        node_selector: Some(pod.node_selector.clone()).filter(|it| !it.is_empty()),
        tolerations: some(tidy(&pod.tolerations)),
        affinity: pod.affinity.as_ref().map(tidy),
        topology_spread_constraints: Some(spread(pipeline, role, pod)),
        image_pull_secrets: some(pull_secrets.collect()),
        priority_class_name: pod.priority_class_name.clone(),
        ..PodSpec::default()
    }
}

/// An empty list is stored as none.
fn some<T>(items: Vec<T>) -> Option<Vec<T>> {
    Some(items).filter(|it| !it.is_empty())
}

/// The group owns Secrets and claims; on claims that belong to it already nothing is changed, however many files they
/// hold.
fn security_context() -> PodSecurityContext {
    let seccomp =
        SeccompProfile { type_: "RuntimeDefault".to_owned(), ..SeccompProfile::default() };
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user: Some(USER),
        run_as_group: Some(USER),
        fs_group: Some(USER),
        fs_group_change_policy: Some("OnRootMismatch".to_owned()),
        seccomp_profile: Some(seccomp),
        ..PodSecurityContext::default()
    }
}

/// Unless the pipeline says otherwise, one node should not take all pods of a side with it; a cluster that is full or
/// small is no reason not to run. A constraint without selector would count no pods: it means those of its side.
fn spread(pipeline: &Pipeline, role: Role, pod: &Pod) -> Vec<TopologySpreadConstraint> {
    let selector = labels::label_selector(&pipeline.name, role);
    let mut constraints = tidy(&pod.topology_spread_constraints);
    if constraints.is_empty() {
        constraints.push(TopologySpreadConstraint {
            max_skew: 1,
            topology_key: "kubernetes.io/hostname".to_owned(),
            when_unsatisfiable: "ScheduleAnyway".to_owned(),
            ..TopologySpreadConstraint::default()
        });
    }
    for constraint in &mut constraints {
        constraint.label_selector.get_or_insert_with(|| selector.clone());
    }
    constraints
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::fixture::{EVERYTHING, FILES, REBATCH, TELEMETRY, pipeline};

    fn every_pod() -> Vec<PodSpec> {
        let texts = [TELEMETRY, EVERYTHING, FILES, REBATCH].into_iter();
        let pods = texts.flat_map(|text| Role::ALL.map(|role| build_pod(&pipeline(text), role)));
        pods.filter_map(|pod| pod.spec).collect()
    }

    #[test]
    fn every_pod_keeps_to_the_restricted_standard() {
        for pod in every_pod() {
            let context = pod.security_context.as_ref().unwrap();
            assert_eq!(context.run_as_non_root, Some(true));
            assert!(context.run_as_user.is_some_and(|user| user > 0));
            assert_eq!(context.seccomp_profile.as_ref().unwrap().type_, "RuntimeDefault");
            assert_eq!(
                (context.sysctls.as_ref(), pod.host_network, pod.host_pid),
                (None, None, None)
            );
            assert_eq!((pod.host_ipc, pod.init_containers.as_ref()), (None, None));
            for container in &pod.containers {
                let context = container.security_context.as_ref().unwrap();
                assert_eq!(context.allow_privilege_escalation, Some(false));
                assert_eq!(context.privileged, Some(false));
                let capabilities = context.capabilities.as_ref().unwrap();
                assert_eq!(capabilities.drop.as_deref(), Some(&["ALL".to_owned()][..]));
                assert_eq!(capabilities.add, None);
                assert_eq!((context.run_as_user, context.run_as_non_root), (None, None));
                assert!(container.ports.iter().flatten().all(|port| port.host_port.is_none()));
            }
        }
    }

    #[test]
    fn every_volume_is_of_a_kind_that_the_restricted_standard_allows() {
        for volume in every_pod().iter().flat_map(|pod| pod.volumes.iter().flatten()) {
            let allowed = volume.secret.is_some() || volume.persistent_volume_claim.is_some();
            assert!(allowed && volume.host_path.is_none(), "{volume:?}");
        }
    }

    #[test]
    fn no_pod_can_write_outside_of_its_claim_or_ask_the_api_server() {
        for pod in every_pod() {
            let context = pod.containers[0].security_context.as_ref().unwrap();
            assert_eq!(context.read_only_root_filesystem, Some(true));
            assert_eq!(pod.automount_service_account_token, Some(false));
        }
    }

    #[test]
    fn the_workload_ends_before_it_is_killed() {
        let pod = build_pod(&pipeline(TELEMETRY), Role::Consumer).spec.unwrap();
        assert!(pod.termination_grace_period_seconds.unwrap() >= GRACE_SECONDS + 20);
    }

    #[test]
    fn further_labels_are_added_and_never_override_ours() {
        let mut pipeline = pipeline(TELEMETRY);
        let pod = &mut pipeline.spec.producer.as_mut().unwrap().pod;
        pod.labels.insert("team".to_owned(), "iot".to_owned());
        pod.labels.insert(labels::INSTANCE.to_owned(), "another".to_owned());
        let labels = build_pod(&pipeline, Role::Producer).metadata.unwrap().labels.unwrap();
        assert_eq!(labels["team"], "iot");
        assert_eq!(labels[labels::INSTANCE], "telemetry");
    }

    #[test]
    fn pods_spread_over_nodes_where_they_can() {
        let pod = build_pod(&pipeline(TELEMETRY), Role::Consumer).spec.unwrap();
        let constraints = pod.topology_spread_constraints.unwrap();
        assert_eq!(constraints[0].when_unsatisfiable, "ScheduleAnyway");
    }

    #[test]
    fn the_pipelines_own_constraints_replace_the_default() {
        let pod = build_pod(&pipeline(EVERYTHING), Role::Producer).spec.unwrap();
        let keys: Vec<_> = pod.topology_spread_constraints.iter().flatten().collect();
        assert_eq!(keys.len(), 1);
        assert_eq!(keys[0].topology_key, "topology.kubernetes.io/zone");
        assert!(keys[0].label_selector.is_some(), "a constraint without selector counts no pods");
    }

    #[test]
    fn every_option_of_a_pod_arrives() {
        let template = build_pod(&pipeline(EVERYTHING), Role::Producer);
        let pod = template.spec.unwrap();
        assert_eq!(template.metadata.unwrap().annotations.unwrap()["example.com/note"], "a $(b)");
        assert_eq!(pod.node_selector.unwrap()["disk"], "fast");
        assert_eq!(pod.tolerations.unwrap()[0].key.as_deref(), Some("dedicated"));
        assert!(pod.affinity.unwrap().node_affinity.is_some());
        assert_eq!(pod.image_pull_secrets.unwrap()[0].name, "registry");
        assert_eq!(pod.priority_class_name.as_deref(), Some("high"));
    }
}
