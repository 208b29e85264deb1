//! The kinds that are watched, for one namespace or for all.

use std::fmt::Debug;

use batchpipe_api::pipeline::BatchPipeline;
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::{Deployment, ReplicaSet},
        core::v1::{Pod, Service, ServiceAccount},
        networking::v1::NetworkPolicy,
        policy::v1::PodDisruptionBudget,
    },
};
use kube::{
    Api, Resource, ResourceExt,
    core::PartialObjectMeta,
    runtime::reflector::{Store, store},
};
use serde::de::DeserializeOwned;
use tokio::sync::watch as channel;

use super::{
    Cached, Health, Key, Supplies, Touched,
    index::Index,
    key, prune,
    watch::{Concerns, Watch, follow},
};
use crate::{build::labels::MANAGED_BY, settings::FIELD_MANAGER};

/// What pipelines are made of.
#[derive(Clone, Debug)]
pub struct Children {
    /// The pods' owners' owners.
    pub deployments: Cached<Deployment>,
    /// The identities of pods.
    pub service_accounts: Cached<ServiceAccount>,
    /// The addresses of HTTP sources.
    pub services: Cached<Service>,
    /// How many pods may be taken away at once.
    pub disruption_budgets: Cached<PodDisruptionBudget>,
    /// Who may reach the pods.
    pub network_policies: Cached<NetworkPolicy>,
    /// The pods, without their spec.
    pub pods: Cached<Pod>,
    /// The pods' owners: who they are and whose.
    pub replica_sets: Cached<PartialObjectMeta<ReplicaSet>>,
}

/// The caches of one namespace, or of all.
#[derive(Clone, Debug)]
pub struct CacheSet {
    scope: Option<String>,
    /// The pipelines.
    pub pipelines: Cached<BatchPipeline>,
    /// What they are made of.
    pub children: Children,
}

/// What is needed to start a watch in a namespace or in all.
struct Starter<'a> {
    scope: Option<&'a str>,
    supplies: &'a Supplies,
}

impl CacheSet {
    pub(super) fn start(scope: Option<&str>, supplies: &Supplies) -> Self {
        let starter = Starter { scope, supplies };
        let itself = |object: &BatchPipeline| Some(Touched::Pipeline(Key::of(object)));
        let pipelines = starter.watch(None, prune::plain, Box::new(itself));
        let known = pipelines.store();
        let children = Children {
            deployments: starter.child(prune::child, known),
            service_accounts: starter.child(prune::child, known),
            services: starter.child(prune::child, known),
            disruption_budgets: starter.child(prune::child, known),
            network_policies: starter.child(prune::child, known),
            pods: starter.child(prune::pod, known),
            replica_sets: starter.child(prune::plain, known),
        };
        Self { scope: scope.map(str::to_owned), pipelines, children }
    }

    /// The namespace; absent: all.
    pub fn scope(&self) -> Option<&str> {
        self.scope.as_deref()
    }

    /// Whether pipelines can be looked after: all is known that can be known.
    pub fn is_settled(&self) -> bool {
        self.pipelines.is_ready() && self.unsettled().is_empty()
    }

    /// The kinds of which nothing was heard, a line each.
    pub(super) fn pending(&self) -> Vec<String> {
        let place = self.scope.as_ref().map_or_else(String::new, |it| format!(" in {it}"));
        let pipelines = (!self.pipelines.is_ready()).then(|| {
            let why = self.pipelines.refused();
            why.map_or_else(|| "BatchPipeline".to_owned(), |why| format!("BatchPipeline ({why})"))
        });
        let others = self.unsettled().into_iter().map(str::to_owned);
        pipelines
            .into_iter()
            .chain(others)
            .map(|kind| format!("cache{place}: {kind} is not known yet"))
            .collect()
    }

    /// The kinds of children that cannot be seen because the API server refuses, with its words.
    pub fn refusals(&self) -> Vec<(&'static str, String)> {
        let Children { pods, replica_sets, .. } = &self.children;
        let all = [("Pod", pods.refused()), ("ReplicaSet", replica_sets.refused())];
        all.into_iter().filter_map(|(kind, why)| Some((kind, why?))).collect()
    }

    fn unsettled(&self) -> Vec<&'static str> {
        let Children {
            deployments,
            service_accounts,
            services,
            disruption_budgets,
            network_policies,
            pods,
            replica_sets,
        } = &self.children;
        let kinds = [
            ("Deployment", deployments.is_settled()),
            ("ServiceAccount", service_accounts.is_settled()),
            ("Service", services.is_settled()),
            ("PodDisruptionBudget", disruption_budgets.is_settled()),
            ("NetworkPolicy", network_policies.is_settled()),
            ("Pod", pods.is_settled()),
            ("ReplicaSet", replica_sets.is_settled()),
        ];
        kinds.into_iter().filter(|(_, is_settled)| !is_settled).map(|(kind, _)| kind).collect()
    }
}

impl Starter<'_> {
    fn child<K>(&self, prune: fn(&mut K), pipelines: &Store<BatchPipeline>) -> Cached<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned
            + Send
            + Sync
            + 'static,
    {
        let pipelines = pipelines.clone();
        let concerns = move |object: &K| {
            let name_of = |uid: &str| {
                let has_uid = |it: &BatchPipeline| it.metadata.uid.as_deref() == Some(uid);
                pipelines.find(has_uid).map(|it| it.name_any())
            };
            key::owner(object.meta(), name_of).map(Touched::Child)
        };
        self.watch(Some(format!("{MANAGED_BY}={FIELD_MANAGER}")), prune, Box::new(concerns))
    }

    fn watch<K>(
        &self,
        selector: Option<String>,
        prune: fn(&mut K),
        concerns: Concerns<K>,
    ) -> Cached<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned
            + Send
            + Sync
            + 'static,
    {
        let client = self.supplies.client.clone();
        let api = self
            .scope
            .map_or_else(|| Api::all(client.clone()), |it| Api::namespaced(client.clone(), it));
        let (reader, writer) = store();
        let (tell, health) = channel::channel(Health::Pending);
        let index = Index::default();
        let watch = Watch { api, selector, prune, concerns, index: index.clone() };
        self.supplies.tasks.spawn(follow(watch, writer, tell, self.supplies.clone()));
        Cached { store: reader, index, health }
    }
}
