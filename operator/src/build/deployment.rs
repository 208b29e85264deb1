//! The Deployment of one side. Pure.

use batchpipe_api::report::Role;
use k8s_openapi::{
    api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment},
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::{labels, metadata::owned, names, pod::build_pod};
use crate::pipeline::Pipeline;

/// How long a rollout may stand still before it counts as stuck, in seconds.
const PROGRESS_DEADLINE_SECONDS: i32 = 180;
/// How many old `ReplicaSet`s are kept to look at.
const HISTORY: i32 = 3;

/// The Deployment of one side.
pub(super) fn build_deployment(pipeline: &Pipeline, role: Role, replicas: i32) -> Deployment {
    let name = names::side(&pipeline.name, role);
    Deployment {
        metadata: owned(pipeline, name, role.name()),
        spec: DeploymentSpec {
            replicas: Some(replicas),
            // Said, or a pause by `kubectl rollout pause` would be nobody's to end.
            paused: Some(false),
            selector: labels::label_selector(&pipeline.name, role),
            strategy: Some(strategy(pipeline, role)),
            template: build_pod(pipeline, role),
            progress_deadline_seconds: Some(PROGRESS_DEADLINE_SECONDS),
            revision_history_limit: Some(HISTORY),
            ..DeploymentSpec::default()
        },
        status: None,
    }
}

/// A new pod is ready before an old one goes, so a bad change leaves the old pods running. A file has one reader and a
/// folder one writer: there the old pod goes first.
fn strategy(pipeline: &Pipeline, role: Role) -> DeploymentStrategy {
    if has_file(pipeline, role) {
        return DeploymentStrategy { type_: Some("Recreate".to_owned()), rolling_update: None };
    }
    DeploymentStrategy {
        type_: Some("RollingUpdate".to_owned()),
        rolling_update: Some(RollingUpdateDeployment {
            max_unavailable: Some(IntOrString::Int(0)),
            max_surge: Some(IntOrString::Int(1)),
        }),
    }
}

fn has_file(pipeline: &Pipeline, role: Role) -> bool {
    let spec = &pipeline.spec;
    match role {
        Role::Producer => spec.producer.as_ref().is_some_and(|it| it.source.file.is_some()),
        Role::Consumer => spec.consumer.as_ref().is_some_and(|it| it.sink.file.is_some()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::fixture::{FILES, TELEMETRY, pipeline};

    fn strategy_of(text: &str, role: Role) -> DeploymentStrategy {
        build_deployment(&pipeline(text), role, 1).spec.strategy.unwrap()
    }

    #[test]
    fn a_change_never_takes_capacity_away() {
        for role in Role::ALL {
            let update = strategy_of(TELEMETRY, role).rolling_update.unwrap();
            assert_eq!(update.max_unavailable, Some(IntOrString::Int(0)));
            assert_eq!(update.max_surge, Some(IntOrString::Int(1)));
        }
    }

    #[test]
    fn files_never_have_two_users() {
        for role in Role::ALL {
            assert_eq!(strategy_of(FILES, role).type_.as_deref(), Some("Recreate"));
        }
    }

    #[test]
    fn the_selector_finds_the_pods() {
        let deployment = build_deployment(&pipeline(TELEMETRY), Role::Producer, 1);
        let labels = deployment.spec.template.metadata.unwrap().labels.unwrap();
        let selector = deployment.spec.selector.match_labels.unwrap();
        assert!(selector.iter().all(|(key, value)| labels.get(key) == Some(value)));
    }

    #[test]
    fn the_number_of_pods_is_always_said() {
        let deployment = build_deployment(&pipeline(TELEMETRY), Role::Producer, 0);
        assert_eq!(deployment.spec.replicas, Some(0));
    }

    #[test]
    fn a_child_says_whose_it_is() {
        let metadata = build_deployment(&pipeline(TELEMETRY), Role::Producer, 1).metadata;
        let owner = &metadata.owner_references.unwrap()[0];
        assert_eq!((owner.name.as_str(), owner.controller), ("telemetry", Some(true)));
        assert_eq!(metadata.annotations.unwrap()[labels::PIPELINE_UID], owner.uid);
        assert_eq!(metadata.namespace.as_deref(), Some("default"));
    }
}
