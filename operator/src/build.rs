//! build: from a `Pipeline` to the objects that carry it out. Pure: equal input gives equal output.
//!
//! One file for each kind of object, and one for each thing that several of them need. Nothing here reads the raw spec
//! or a client.

pub mod configuration;
mod container;
mod deployment;
mod disruption_budget;
mod environment;
#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod golden;
pub mod labels;
mod metadata;
pub mod names;
mod network_policy;
mod pod;
mod quantity;
mod resources;
mod secrets;
mod service;
mod service_account;
mod tidy;
pub mod topic;
mod volumes;

use batchpipe_api::report::Role;
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Service, ServiceAccount},
    networking::v1::NetworkPolicy,
    policy::v1::PodDisruptionBudget,
};
use kube::core::DynamicObject;

pub use self::{
    container::CONTAINER,
    environment::{ADMIN_PORT, PIPELINE},
    quantity::is_same_amount,
};
use crate::{decide::Replicas, pipeline::Pipeline, settings::Settings};

/// Everything that should exist for one pipeline, in the order in which it is applied.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resources {
    /// The identity of the pods, without a token.
    pub service_accounts: Vec<ServiceAccount>,
    /// Strimzi's `KafkaTopic`s. They have no owner: a topic outlives its pipeline, and nothing here alters one.
    pub topics: Vec<DynamicObject>,
    /// The address of an HTTP source.
    pub services: Vec<Service>,
    /// Who may reach the pods.
    pub network_policies: Vec<NetworkPolicy>,
    /// How many pods may be taken away at once.
    pub disruption_budgets: Vec<PodDisruptionBudget>,
    /// The pods.
    pub deployments: Vec<Deployment>,
}

/// Builds everything that should exist for one pipeline.
pub fn build(pipeline: &Pipeline, replicas: Replicas, settings: &Settings) -> Resources {
    let roles = Role::ALL;
    let roles: Vec<Role> = roles.into_iter().filter(|role| pipeline.has(*role)).collect();
    let each = roles.iter().copied();
    Resources {
        service_accounts: vec![service_account::build_service_account(pipeline)],
        topics: topic::build_topics(pipeline),
        services: service::build_service(pipeline).into_iter().collect(),
        network_policies: each
            .clone()
            .map(|role| network_policy::build_network_policy(pipeline, role, settings))
            .collect(),
        disruption_budgets: each
            .clone()
            .map(|role| disruption_budget::build_disruption_budget(pipeline, role))
            .collect(),
        deployments: each
            .map(|role| deployment::build_deployment(pipeline, role, replicas.of(role)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::fixture::{EVERYTHING, FILES, TELEMETRY, pipeline, settings};

    const REPLICAS: Replicas = Replicas { producer: 1, consumer: 2 };

    #[test]
    fn equal_input_gives_equal_output() {
        for text in [TELEMETRY, EVERYTHING, FILES] {
            let build = || build(&pipeline(text), REPLICAS, &settings());
            assert_eq!(build(), build());
        }
    }

    #[test]
    fn a_side_that_is_not_asked_for_has_no_objects() {
        let mut pipeline = pipeline(TELEMETRY);
        pipeline.spec.producer = None;
        let resources = build(&pipeline, REPLICAS, &settings());
        assert_eq!(resources.deployments.len(), 1);
        assert_eq!(resources.network_policies.len(), 1);
        assert_eq!(resources.disruption_budgets.len(), 1);
        assert_eq!(resources.deployments[0].metadata.name.as_deref(), Some("telemetry-consumer"));
    }

    #[test]
    fn a_side_with_no_pods_keeps_its_objects() {
        let resources = build(&pipeline(TELEMETRY), Replicas::default(), &settings());
        assert_eq!(resources.deployments.len(), 2);
        assert!(resources.deployments.iter().all(|it| it.spec.replicas == Some(0)));
    }

    #[test]
    fn the_number_of_pods_changes_nothing_but_itself() {
        let one = build(&pipeline(TELEMETRY), REPLICAS, &settings());
        let mut other =
            build(&pipeline(TELEMETRY), Replicas { producer: 3, consumer: 5 }, &settings());
        other.deployments[0].spec.replicas = Some(1);
        other.deployments[1].spec.replicas = Some(2);
        assert_eq!(one, other);
    }
}
