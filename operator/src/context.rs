//! What every reconciliation is given.

use std::collections::BTreeSet;

use kube::{Client, runtime::events::Recorder};

use crate::{
    apply::{SeenTopics, Written},
    caches::{Caches, Key},
    controller::memory::Memories,
    metrics::Metrics,
    observe::Reports,
    settings::Settings,
};

/// What is shared by all reconciliations of one process.
pub struct Context {
    /// The way to the API server.
    pub client: Client,
    /// What holds for the whole process.
    pub settings: Settings,
    /// What exists.
    pub caches: Caches,
    /// What pods said last.
    pub reports: Reports,
    /// What was written last.
    pub written: Written,
    /// Which `KafkaTopic`s were seen.
    pub topics: SeenTopics,
    /// What is kept of each pipeline between two looks.
    pub memories: Memories,
    /// Counters and gauges.
    pub metrics: Metrics,
    /// Writes Events.
    pub recorder: Recorder,
}

impl Context {
    /// Drops what pods said that are gone.
    pub fn tidy(&self) {
        let pods = self.caches.sets().iter().flat_map(|set| set.children.pods.store().state());
        let exist: BTreeSet<String> = pods.filter_map(|pod| pod.metadata.uid.clone()).collect();
        self.reports.retain(|uid| exist.contains(uid));
    }

    /// Drops everything that is kept of a pipeline that is gone.
    pub fn forget(&self, key: &Key) {
        if let Some(memory) = self.memories.remove(key) {
            self.metrics.phase(memory.phase(), None);
            self.written.forget(&memory.uid);
            self.topics.forget(&memory.uid);
        }
    }
}
