//! build: from a `Pipeline` to the objects that carry it out. Pure: equal input gives equal output.

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Service, ServiceAccount},
    networking::v1::NetworkPolicy,
    policy::v1::PodDisruptionBudget,
};
use kube::core::DynamicObject;

/// Everything that should exist for one pipeline, in the order in which it is applied.
#[derive(Clone, Debug, Default)]
pub struct Resources {
    /// The identity of the pods, without a token.
    pub service_accounts: Vec<ServiceAccount>,
    /// Strimzi's KafkaTopics. They have no owner: a topic outlives its pipeline, and nothing here alters one.
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
