//! What is kept of each pipeline from one look to the next. Nothing of it is needed to act rightly: without it, only
//! something is written once more or decided later.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use batchpipe_api::{
    pipeline::BatchPipeline,
    status::{BatchPipelineStatus, Phase},
};
use k8s_openapi::jiff::Timestamp;

use crate::{apply::is_older, caches::Key, decide, status::DeadLetterTally};

/// What is kept of one pipeline.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// Which object of this name it is about.
    pub uid: String,
    /// What the last decision wants to know again.
    pub decision: decide::Memory,
    /// The status that was written or seen last.
    pub status: Option<BatchPipelineStatus>,
    /// Whether that is what this process would say. What is only found there may be anybody's.
    pub is_own: bool,
    /// The version that the last write of the status gave.
    pub version: Option<String>,
    /// When the status was written last.
    pub written_at: Option<Instant>,
    /// When fields of somebody else were last removed from the status.
    pub cleaned_at: Option<Instant>,
    /// When the producer was first heard to have come to its end; absent: it has not.
    pub ended_at: Option<Timestamp>,
    /// The count of dead letters.
    pub dead_letters: DeadLetterTally,
}

impl Memory {
    /// The phase that was said last.
    pub fn phase(&self) -> Option<Phase> {
        self.status.as_ref().and_then(|status| status.phase)
    }

    /// The object with the newest status that is known: the cache may lag behind what was written.
    pub fn refresh(&self, object: &BatchPipeline) -> BatchPipeline {
        let mut object = object.clone();
        if is_older(object.metadata.resource_version.as_deref(), self.version.as_deref()) {
            object.status.clone_from(&self.status);
        }
        object
    }

    /// What this process has said last, or found to be what it would say.
    pub fn said(&self) -> Option<&BatchPipelineStatus> {
        self.status.as_ref().filter(|_| self.is_own)
    }

    /// The object with the status that is believed: what this process has said, and before it has said anything, what it
    /// finds.
    pub fn believed(&self, object: &BatchPipeline) -> BatchPipeline {
        let mut object = object.clone();
        if let Some(said) = self.said() {
            object.status = Some(said.clone());
        }
        object
    }
}

/// What is kept of all pipelines.
#[derive(Debug, Default)]
pub struct Memories(Mutex<HashMap<Key, Memory>>);

impl Memories {
    /// What is kept of a pipeline; nothing of a former one of its name.
    pub fn of(&self, key: &Key, uid: &str) -> Memory {
        let kept = self.lock().get(key).filter(|memory| memory.uid == uid).cloned();
        kept.unwrap_or_else(|| Memory { uid: uid.to_owned(), ..Memory::default() })
    }

    /// Keeps this; gives what was kept before.
    pub fn keep(&self, key: &Key, memory: Memory) -> Option<Memory> {
        self.lock().insert(key.clone(), memory)
    }

    /// Forgets a pipeline.
    pub fn remove(&self, key: &Key) -> Option<Memory> {
        self.lock().remove(key)
    }

    /// Forgets all pipelines; gives what was kept of them.
    pub fn take_all(&self) -> Vec<Memory> {
        self.lock().drain().map(|(_, memory)| memory).collect()
    }

    /// The other pipelines of this namespace that wait for something that another one has.
    pub fn waiting_beside(&self, of: &Key) -> Vec<Key> {
        self.waiting(of, |_| true)
    }

    /// Those of them that wait for this one.
    pub fn waiting_for(&self, of: &Key) -> Vec<Key> {
        self.waiting(of, |winner| winner == of.name)
    }

    fn waiting(&self, of: &Key, is_such: impl Fn(&str) -> bool) -> Vec<Key> {
        let all = self.lock();
        let waits = |(key, memory): &(&Key, &Memory)| {
            let status = memory.status.as_ref();
            key.namespace == of.namespace
                && *key != of
                && status.and_then(|it| it.waits_for.as_deref()).is_some_and(&is_such)
        };
        all.iter().filter(waits).map(|(key, _)| key.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Memory>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(namespace: &str, name: &str) -> Key {
        Key { namespace: namespace.to_owned(), name: name.to_owned() }
    }

    fn waiting_for(winner: Option<&str>) -> Memory {
        let waits_for = winner.map(str::to_owned);
        let status = BatchPipelineStatus { waits_for, ..BatchPipelineStatus::default() };
        Memory { status: Some(status), ..Memory::default() }
    }

    /// An object of this version whose status has this phase.
    fn object(version: &str, phase: Phase) -> BatchPipeline {
        let mut object = crate::build::fixture::object(crate::build::fixture::TELEMETRY);
        object.metadata.resource_version = Some(version.to_owned());
        object.status = Some(status(phase));
        object
    }

    fn status(phase: Phase) -> BatchPipelineStatus {
        BatchPipelineStatus { phase: Some(phase), ..BatchPipelineStatus::default() }
    }

    #[test]
    fn a_status_that_was_written_after_what_the_cache_shows_counts() {
        let (status, version) = (Some(status(Phase::Draining)), Some("7".to_owned()));
        let memory = Memory { status, version, ..Memory::default() };
        let phase =
            |version| memory.refresh(&object(version, Phase::Running)).status.unwrap().phase;
        assert_eq!(phase("6"), Some(Phase::Draining));
        assert_eq!(phase("8"), Some(Phase::Running), "somebody has written it since");
    }

    #[test]
    fn what_others_write_into_the_status_is_believed_only_before_we_have_said_anything() {
        let phase =
            |memory: &Memory| memory.believed(&object("8", Phase::Drained)).status.unwrap().phase;
        let found = Memory { status: Some(status(Phase::Draining)), ..Memory::default() };
        assert_eq!(phase(&found), Some(Phase::Drained));
        assert_eq!(phase(&Memory { is_own: true, ..found }), Some(Phase::Draining));
    }

    #[test]
    fn a_namesake_has_no_memory_of_its_predecessor() {
        let memories = Memories::default();
        let memory =
            Memory { uid: "u".to_owned(), version: Some("7".to_owned()), ..Memory::default() };
        memories.keep(&key("a", "x"), memory);
        assert_eq!(memories.of(&key("a", "x"), "u").version.as_deref(), Some("7"));
        assert_eq!(memories.of(&key("a", "x"), "v").version, None);
    }

    #[test]
    fn those_that_wait_in_the_same_namespace_look_again() {
        let memories = Memories::default();
        memories.keep(&key("a", "waiting"), waiting_for(Some("x")));
        memories.keep(&key("a", "well"), waiting_for(None));
        memories.keep(&key("b", "elsewhere"), waiting_for(Some("x")));
        assert_eq!(memories.waiting_beside(&key("a", "gone")), [key("a", "waiting")]);
        assert_eq!(memories.waiting_beside(&key("a", "waiting")), []);
        assert_eq!(memories.waiting_for(&key("a", "x")), [key("a", "waiting")]);
        assert_eq!(memories.waiting_for(&key("a", "other")), []);
    }
}
