//! caches: what exists, as last heard from the API server. Reads only; nothing here decides anything.
//!
//! One set of watches for each namespace that is looked after, or one for all of them. Each watch has its own backoff
//! and its own health: one that is refused does not stop the others, and says so.

mod index;
mod key;
mod prune;
mod set;
mod watch;

use std::sync::Arc;

use kube::{
    Client, Resource,
    runtime::reflector::{ObjectRef, Store},
};
use tokio::sync::{mpsc, watch as channel};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::index::Index;
pub use self::{
    key::{Key, owner},
    prune::is_applied_by_us,
    set::{CacheSet, Children},
};
use crate::metrics::Metrics;

/// What a change was about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touched {
    /// A pipeline itself.
    Pipeline(Key),
    /// Something that belongs to a pipeline.
    Child(Key),
}

/// How a watch is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// Nothing was heard yet.
    #[default]
    Pending,
    /// The cache is whole.
    Ready,
    /// The API server refuses; why.
    Forbidden(String),
}

/// What is known of one kind.
#[derive(Clone, Debug)]
pub struct Cached<K>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    store: Store<K>,
    index: Index,
    health: channel::Receiver<Health>,
}

impl<K> Cached<K>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    /// What exists.
    pub const fn store(&self) -> &Store<K> {
        &self.store
    }

    /// What exists with the label of a pipeline.
    pub fn of(&self, key: &Key) -> Vec<Arc<K>> {
        let here = |name: &String| ObjectRef::new(name).within(&key.namespace);
        self.index.names(key).iter().filter_map(|name| self.store.get(&here(name))).collect()
    }

    /// Why this kind cannot be seen; absent while it can.
    pub fn refused(&self) -> Option<String> {
        match &*self.health.borrow() {
            Health::Forbidden(why) => Some(why.clone()),
            Health::Pending | Health::Ready => None,
        }
    }

    fn is_ready(&self) -> bool {
        *self.health.borrow() == Health::Ready
    }

    /// Whether all is known that can be known now.
    fn is_settled(&self) -> bool {
        *self.health.borrow() != Health::Pending
    }
}

/// What every watch is given.
#[derive(Clone)]
pub struct Supplies {
    /// The client.
    pub client: Client,
    /// Where restarts are counted.
    pub metrics: Metrics,
    /// Where changes are told.
    pub touched: mpsc::UnboundedSender<Touched>,
    /// Where the watches run.
    pub tasks: TaskTracker,
    /// Ends the watches.
    pub stop: CancellationToken,
}

/// All caches of one process.
#[derive(Clone, Debug)]
pub struct Caches {
    sets: Vec<CacheSet>,
}

impl Caches {
    /// Starts to watch these namespaces; none: all of them.
    pub fn start(namespaces: &[String], supplies: &Supplies) -> Self {
        let set = |scope: Option<&str>| CacheSet::start(scope, supplies);
        let sets = match namespaces {
            [] => vec![set(None)],
            some => some.iter().map(|namespace| set(Some(namespace))).collect(),
        };
        Self { sets }
    }

    /// Nothing is watched.
    #[cfg(test)]
    pub(crate) const fn none() -> Self {
        Self { sets: Vec::new() }
    }

    /// The set that a namespace belongs to.
    pub fn of(&self, namespace: &str) -> Option<&CacheSet> {
        self.sets.iter().find(|set| set.scope().is_none_or(|scope| scope == namespace))
    }

    /// The sets.
    pub fn sets(&self) -> &[CacheSet] {
        &self.sets
    }

    /// What is not known yet, a line each.
    pub fn pending(&self) -> Vec<String> {
        self.sets.iter().flat_map(CacheSet::pending).collect()
    }
}
