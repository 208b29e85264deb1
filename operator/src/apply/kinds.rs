//! The kinds of children, and where the cache of each is.

use std::{fmt::Debug, sync::Arc};

use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::Deployment,
        core::v1::{Service, ServiceAccount},
        networking::v1::NetworkPolicy,
        policy::v1::PodDisruptionBudget,
    },
};
use kube::Resource;
use serde::{Serialize, de::DeserializeOwned};

use crate::caches::{Cached, Children};

/// A kind of children.
pub(super) trait Child:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + Serialize
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    /// What exists of it.
    fn cached(children: &Children) -> &Cached<Self>;

    /// Itself, if it is a kind that decisions are made from.
    fn deployment(&self) -> Option<Arc<Deployment>> {
        None
    }
}

impl Child for Deployment {
    fn cached(children: &Children) -> &Cached<Self> {
        &children.deployments
    }

    fn deployment(&self) -> Option<Arc<Deployment>> {
        Some(Arc::new(self.clone()))
    }
}

impl Child for ServiceAccount {
    fn cached(children: &Children) -> &Cached<Self> {
        &children.service_accounts
    }
}

impl Child for Service {
    fn cached(children: &Children) -> &Cached<Self> {
        &children.services
    }
}

impl Child for NetworkPolicy {
    fn cached(children: &Children) -> &Cached<Self> {
        &children.network_policies
    }
}

impl Child for PodDisruptionBudget {
    fn cached(children: &Children) -> &Cached<Self> {
        &children.disruption_budgets
    }
}
