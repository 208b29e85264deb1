//! The kinds that are watched, for one namespace or for all.

use std::{fmt::Debug, sync::Arc};

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
    Cache, Cached, Health, Key, Round, Stored, Supplies, Touched,
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
    /// The pods: whose they are and how they are.
    pub pods: Cached<Pod>,
    /// The pods' owners: who they are and whose.
    pub replica_sets: Cached<PartialObjectMeta<ReplicaSet>>,
}

/// The caches of one namespace, or of all.
#[derive(Clone, Debug)]
pub struct CacheSet {
    scope: Option<String>,
    /// The pipelines.
    pub pipelines: Cached<Stored>,
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
        let itself = |object: &Stored| Some(Touched::Pipeline(Key::of(object)));
        let pipelines = starter.watch(None, prune::plain, Box::new(itself));
        let known = pipelines.store();
        let children = Children {
            deployments: starter.child(prune::child, known),
            service_accounts: starter.child(prune::child, known),
            services: starter.child(prune::child, known),
            disruption_budgets: starter.child(prune::child, known),
            network_policies: starter.child(prune::child, known),
            pods: starter.child(prune::pod, known),
            replica_sets: starter.child(prune::replica_set, known),
        };
        Self { scope: scope.map(str::to_owned), pipelines, children }
    }

    /// The namespace; absent: all.
    pub fn scope(&self) -> Option<&str> {
        self.scope.as_deref()
    }

    /// Whether pipelines can be looked after: all is known that can be known.
    pub fn is_settled(&self) -> bool {
        let is_known = |cache: &dyn Cache| cache.unsettled().is_none() && cache.is_fresh();
        self.pipelines.is_ready() && self.all().into_iter().all(is_known)
    }

    pub(super) fn renew(&self) {
        self.all().into_iter().for_each(Cache::renew);
    }

    /// The kinds of which nothing was heard, a line each.
    pub(super) fn pending(&self) -> Vec<String> {
        let place = self.scope.as_ref().map_or_else(String::new, |it| format!(" in {it}"));
        let line = |kind: &str, why: &str| {
            let why = if why.is_empty() { String::new() } else { format!(": {why}") };
            format!("cache{place}: {kind} is not known yet{why}")
        };
        let of = |cache: &dyn Cache| Some(line(&cache.kind(), &cache.unsettled()?));
        // Without pipelines there is nothing to do, so that to be refused is no answer here.
        let refused = self.pipelines.refused().map(|why| line(&self.pipelines.kind(), &why));
        refused.into_iter().chain(self.all().into_iter().filter_map(of)).collect()
    }

    /// The kinds of children that cannot be seen because the API server refuses, with its words.
    pub fn refusals(&self) -> Vec<(&'static str, String)> {
        let Children { pods, replica_sets, .. } = &self.children;
        let all = [("Pod", pods.refused()), ("ReplicaSet", replica_sets.refused())];
        all.into_iter().filter_map(|(kind, why)| Some((kind, why?))).collect()
    }

    /// Each kind.
    fn all(&self) -> [&dyn Cache; 8] {
        let Children {
            deployments,
            service_accounts,
            services,
            disruption_budgets,
            network_policies,
            pods,
            replica_sets,
        } = &self.children;
        [
            &self.pipelines,
            deployments,
            service_accounts,
            services,
            disruption_budgets,
            network_policies,
            pods,
            replica_sets,
        ]
    }
}

impl Starter<'_> {
    fn child<K>(&self, prune: fn(&mut K), pipelines: &Store<Stored>) -> Cached<K>
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
                let has_uid = |it: &Stored| it.meta().uid.as_deref() == Some(uid);
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
        let (tell, health) = channel::channel(Health::Pending(String::new()));
        let (index, round) = (Index::default(), Arc::new(channel::Sender::new(Round::default())));
        let (kept, asked) = (index.clone(), Arc::clone(&round));
        let watch = Watch { api, selector, prune, concerns, index: kept, round: asked };
        self.supplies.tasks.spawn(follow(watch, writer, tell, self.supplies.clone()));
        Cached { store: reader, index, health, round }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kube::{Client, client::Body};
    use tokio::sync::mpsc;
    use tokio_util::{sync::CancellationToken, task::TaskTracker};

    use super::*;
    use crate::metrics::Metrics;

    /// Caches of an API server that answers every list and watch so.
    fn caches(code: u16, body: &'static str) -> CacheSet {
        let server = tower::service_fn(move |_: http::Request<Body>| async move {
            let answer = http::Response::builder().status(code);
            Ok::<_, tower::BoxError>(answer.body(Body::from(body.as_bytes().to_vec())).unwrap())
        });
        let supplies = Supplies {
            client: Client::new(server, "default"),
            metrics: Metrics::default(),
            touched: mpsc::unbounded_channel().0,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        };
        CacheSet::start(Some("a"), &supplies)
    }

    async fn until(is_true: impl Fn() -> bool) {
        let patience = async {
            while !is_true() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), patience).await.unwrap();
    }

    #[tokio::test]
    async fn a_cache_that_is_not_filled_says_which_and_what_failed() {
        let status =
            r#"{"kind": "Status", "status": "Failure", "code": 500, "message": "etcd is away"}"#;
        let caches = caches(500, status);
        until(|| {
            let pending = caches.pending();
            let is_told = |it: &String| it.contains("BatchPipeline") && it.contains("etcd is away");
            pending.len() == 8 && pending.iter().any(is_told)
        })
        .await;
    }

    #[tokio::test]
    async fn an_object_that_cannot_be_read_hides_no_other() {
        let list = r#"{"metadata": {"resourceVersion": "5"}, "items": [
            {"apiVersion": "batchpipe.dev/v1alpha1", "kind": "BatchPipeline",
             "metadata": {"namespace": "a", "name": "newer", "generation": 2}, "spec": {"state": "Hibernated"}},
            {"apiVersion": "batchpipe.dev/v1alpha1", "kind": "BatchPipeline",
             "metadata": {"namespace": "a", "name": "good"},
             "spec": {"kafka": {"bootstrapServers": "kafka:9093"}, "consumer": {"sink": {"blackhole": {}}}}}]}"#;
        let caches = caches(200, list);
        let find = |name: &str| {
            let key = Key { namespace: "a".to_owned(), name: name.to_owned() };
            caches.pipelines.store().get(&key.object())
        };
        until(|| find("good").is_some()).await;
        assert!(find("good").unwrap().0.is_ok());
        let unreadable = find("newer").unwrap();
        assert_eq!(unreadable.meta().generation, Some(2));
        assert!(unreadable.0.is_err());
    }

    #[tokio::test]
    async fn a_set_is_settled_only_when_each_kind_was_listed_since_that_was_asked_for() {
        let caches = caches(200, r#"{"metadata": {"resourceVersion": "5"}, "items": []}"#);
        for cache in caches.all() {
            until(|| caches.is_settled()).await;
            cache.renew();
            assert!(!caches.is_settled(), "{}", cache.kind());
        }
        until(|| caches.is_settled()).await;
    }

    #[tokio::test]
    async fn a_kind_that_may_not_be_listed_keeps_nobody_waiting() {
        let status = r#"{"kind": "Status", "status": "Failure", "code": 403, "message": "no"}"#;
        let caches = caches(403, status);
        caches.renew();
        let children = || caches.all().into_iter().skip(1);
        until(|| children().all(|it| it.unsettled().is_none() && it.is_fresh())).await;
        assert!(!caches.is_settled(), "without pipelines there is nothing to do");
    }
}
