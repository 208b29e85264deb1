//! What every reconciliation is given.

use std::collections::BTreeSet;

use kube::{Client, runtime::events::Recorder};

use crate::{
    apply::{SeenTopics, Written},
    caches::{Caches, Key},
    conflict::Granted,
    controller::memory::{Memories, Memory},
    metrics::Metrics,
    observe::Reports,
    resolve::Recent,
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
    /// What pipelines have for themselves that is not made yet.
    pub granted: Granted,
    /// Which `KafkaTopic`s were seen.
    pub topics: SeenTopics,
    /// What Strimzi's objects came to lately.
    pub resolved: Recent,
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

    /// Keeps this of a pipeline, in place of what was kept of it or of a former one of its name.
    pub fn remember(&self, key: &Key, memory: Memory) {
        let (uid, after) = (memory.uid.clone(), memory.phase());
        let before = self.memories.keep(key, memory);
        self.metrics.phase(before.as_ref().and_then(Memory::phase), after);
        if let Some(before) = before.filter(|before| before.uid != uid) {
            self.forget_writes(&before);
        }
    }

    /// Drops everything that is kept of a pipeline that is gone.
    pub fn forget(&self, key: &Key) {
        if let Some(memory) = self.memories.remove(key) {
            self.drop_kept(&memory);
        }
    }

    /// Drops everything that is kept of any pipeline: who does not lead hears of none that goes.
    pub fn forget_all(&self) {
        for memory in self.memories.take_all() {
            self.drop_kept(&memory);
        }
        self.granted.release_all();
    }

    /// One that knows nothing yet.
    #[cfg(test)]
    pub(crate) fn for_test(client: Client) -> Self {
        let reporter = kube::runtime::events::Reporter::from("test");
        Self {
            recorder: Recorder::new(client.clone(), reporter),
            client,
            settings: crate::build::fixture::settings(),
            caches: Caches::none(),
            reports: Reports::default(),
            written: Written::default(),
            granted: Granted::default(),
            topics: SeenTopics::default(),
            resolved: Recent::default(),
            memories: Memories::default(),
            metrics: Metrics::default(),
        }
    }

    fn drop_kept(&self, memory: &Memory) {
        self.metrics.phase(memory.phase(), None);
        self.forget_writes(memory);
    }

    fn forget_writes(&self, memory: &Memory) {
        self.written.forget(&memory.uid);
        self.granted.release(&memory.uid);
        self.topics.forget(&memory.uid);
    }
}

#[cfg(test)]
mod tests {
    use batchpipe_api::status::{BatchPipelineStatus, Phase};
    use kube::client::Body;

    use super::*;

    fn context() -> Context {
        let silent = tower::service_fn(|_: http::Request<Body>| {
            std::future::pending::<Result<http::Response<Body>, tower::BoxError>>()
        });
        Context::for_test(Client::new(silent, "default"))
    }

    fn key(name: &str) -> Key {
        Key { namespace: "a".to_owned(), name: name.to_owned() }
    }

    fn running(uid: &str) -> Memory {
        let status =
            BatchPipelineStatus { phase: Some(Phase::Running), ..BatchPipelineStatus::default() };
        Memory { uid: uid.to_owned(), status: Some(status), ..Memory::default() }
    }

    fn has_running(ctx: &Context, count: u8) -> bool {
        let line = format!("batchpipe_operator_pipelines{{phase=\"Running\"}} {count}\n");
        ctx.metrics.scrape().unwrap().contains(&line)
    }

    #[tokio::test]
    async fn who_leads_no_more_speaks_of_no_pipeline() {
        let ctx = context();
        ctx.remember(&key("x"), running("u"));
        ctx.remember(&key("y"), running("v"));
        ctx.written.note_any("u");
        assert!(has_running(&ctx, 2));
        ctx.forget_all();
        assert!(has_running(&ctx, 0), "{}", ctx.metrics.scrape().unwrap());
        assert!(ctx.written.is_empty());
    }

    #[tokio::test]
    async fn what_was_written_for_a_former_pipeline_of_the_name_is_forgotten() {
        let ctx = context();
        ctx.remember(&key("x"), running("former"));
        ctx.written.note_any("former");
        ctx.remember(&key("x"), running("former"));
        assert!(!ctx.written.is_empty());
        ctx.remember(&key("x"), running("new"));
        assert!(ctx.written.is_empty());
        assert!(has_running(&ctx, 1));
    }
}
