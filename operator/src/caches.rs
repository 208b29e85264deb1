//! caches: what exists, as last heard from the API server. Reads only; nothing here decides anything.
//!
//! One set of watches for each namespace that is looked after, or one for all of them. Each watch has its own backoff
//! and its own health: one that is refused does not stop the others, and says so.

mod index;
mod key;
mod prune;
mod set;
mod watch;

use std::{borrow::Cow, collections::BTreeSet, sync::Arc};

use batchpipe_api::pipeline::BatchPipeline;
use kube::{
    Client, Resource,
    core::DeserializeGuard,
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

/// A pipeline as it is stored. One that cannot be read, for example because it was written for a newer version, must not
/// keep the list of all others from being read.
pub type Stored = DeserializeGuard<BatchPipeline>;

/// What a change was about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touched {
    /// A pipeline itself.
    Pipeline(Key),
    /// Something that belongs to a pipeline.
    Child(Key),
}

/// How a watch is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Nothing was heard yet; why not, as far as it is known.
    Pending(String),
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
    round: Arc<channel::Sender<Round>>,
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
        self.all_of(&key.namespace, self.index.names(key))
    }

    /// The same, and what was made for the pipeline of this uid and has lost that label.
    pub fn made_for(&self, key: &Key, uid: &str) -> Vec<Arc<K>> {
        let names = self.index.names(key).into_iter().chain(self.index.names_by_uid(uid));
        self.all_of(&key.namespace, names.collect::<BTreeSet<_>>())
    }

    fn all_of(&self, namespace: &str, names: impl IntoIterator<Item = String>) -> Vec<Arc<K>> {
        let here = |name: String| self.store.get(&ObjectRef::new(&name).within(namespace));
        names.into_iter().filter_map(here).collect()
    }

    /// Why this kind cannot be seen; absent while it can.
    pub fn refused(&self) -> Option<String> {
        match &*self.health.borrow() {
            Health::Forbidden(why) => Some(why.clone()),
            Health::Pending(_) | Health::Ready => None,
        }
    }

    fn is_ready(&self) -> bool {
        *self.health.borrow() == Health::Ready
    }
}

/// What can be asked of a cache whatever its kind.
trait Cache {
    /// Its kind.
    fn kind(&self) -> Cow<'_, str>;
    /// Why not all is known that can be known now, as far as that is known; absent: all is.
    fn unsettled(&self) -> Option<String>;
    /// Lists anew; until that list is whole nothing is fresh.
    fn renew(&self);
    /// Whether it was listed since that was asked for last, or may not be.
    fn is_fresh(&self) -> bool;
}

impl<K> Cache for Cached<K>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    fn kind(&self) -> Cow<'_, str> {
        K::kind(&())
    }

    fn unsettled(&self) -> Option<String> {
        match &*self.health.borrow() {
            Health::Pending(why) => Some(why.clone()),
            Health::Ready | Health::Forbidden(_) => None,
        }
    }

    fn renew(&self) {
        self.round.send_modify(|round| round.asked += 1);
    }

    fn is_fresh(&self) -> bool {
        let round = *self.round.borrow();
        round.listed >= round.asked || self.refused().is_some()
    }
}

/// Which list was asked for, and which is the newest that is whole.
#[derive(Clone, Copy, Debug, Default)]
struct Round {
    asked: u64,
    listed: u64,
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

    /// Lists everything anew; until then no set is settled. A watch that was cut without a word shows what was long ago,
    /// and only who begins to lead acts on it for the first time: a pod that it does not show may still send.
    pub fn renew(&self) {
        self.sets.iter().for_each(CacheSet::renew);
    }

    /// What is not known yet, a line each.
    pub fn pending(&self) -> Vec<String> {
        self.sets.iter().flat_map(CacheSet::pending).collect()
    }
}
