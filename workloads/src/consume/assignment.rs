//! One partition for as long as it is ours, and how far it has come: what poll thread, worker, watch and rebalances share.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, AtomicI64, AtomicU8, Ordering},
};

/// An offset or a time that is not known.
pub(super) const UNKNOWN: i64 = -1;

/// One partition for as long as it is ours; a partition that comes back is a new one.
#[derive(Debug)]
pub(super) struct Assigned {
    pub(super) partition: i32,
    phase: AtomicU8,
    /// The offset after the last message that was handed to a worker; before the first, where it begins.
    position: AtomicI64,
    /// The first message that came before it was known where to go on.
    first: AtomicI64,
    /// Everything before this offset is delivered or dead-lettered.
    done: AtomicI64,
    /// What the group knows of `done`.
    committed: AtomicI64,
    /// Whether the sink could not make durable what it had taken.
    failed: AtomicBool,
    /// Whether nothing of it is delivered, because nobody knows where to go on.
    stands: AtomicBool,
    /// Whether its log has gone back behind `done`.
    is_beyond: AtomicBool,
    /// The timestamp of the last message that was begun, in milliseconds since the epoch.
    timestamp_ms: AtomicI64,
    /// The id of the topic that the offsets are of, if the brokers tell ids; set once it is known where to go on.
    topic_id: OnceLock<Option<String>>,
}

/// Work goes on.
const ACTIVE: u8 = 0;
/// The message at hand is finished, no other is begun.
const CLOSING: u8 = 1;
/// The message at hand is given up where it waits.
const ABANDONED: u8 = 2;
/// The same, and others are at work there already: what is not durable is theirs to deliver.
const LOST: u8 = 3;

impl Assigned {
    pub(super) fn new(partition: i32) -> Arc<Self> {
        Arc::new(Self {
            partition,
            phase: AtomicU8::new(ACTIVE),
            position: AtomicI64::new(UNKNOWN),
            first: AtomicI64::new(UNKNOWN),
            done: AtomicI64::new(UNKNOWN),
            committed: AtomicI64::new(UNKNOWN),
            failed: AtomicBool::new(false),
            stands: AtomicBool::new(false),
            is_beyond: AtomicBool::new(false),
            timestamp_ms: AtomicI64::new(UNKNOWN),
            topic_id: OnceLock::new(),
        })
    }

    /// It is known where to go on, and in which topic: messages may be delivered.
    pub(super) fn settle_on(&self, topic_id: Option<String>) {
        let _ = self.topic_id.set(topic_id); // known before
    }

    /// Whether it is known where to go on.
    pub(super) fn is_settled(&self) -> bool {
        self.topic_id.get().is_some()
    }

    /// The id of the topic that the offsets are of, if it is known.
    pub(super) fn topic_id(&self) -> Option<&str> {
        self.topic_id.get()?.as_deref()
    }

    /// Nothing of it is delivered from now on.
    pub(super) fn stand(&self) {
        self.stands.store(true, Ordering::Release);
    }

    /// Whether nothing of it is delivered, because nobody knows where to go on.
    pub(super) fn stands(&self) -> bool {
        self.stands.load(Ordering::Acquire)
    }

    /// Its log has gone back behind what is done, so that nobody may go on from there: the group is to be told so.
    pub(super) fn go_beyond(&self) {
        self.is_beyond.store(true, Ordering::Release);
        self.done.fetch_max(0, Ordering::AcqRel);
        self.set_committed(UNKNOWN);
    }

    /// Whether its log has gone back behind what is done.
    pub(super) fn is_beyond(&self) -> bool {
        self.is_beyond.load(Ordering::Acquire)
    }

    pub(super) fn is_active(&self) -> bool {
        self.phase.load(Ordering::Acquire) == ACTIVE
    }

    pub(super) fn is_abandoned(&self) -> bool {
        self.phase.load(Ordering::Acquire) >= ABANDONED
    }

    pub(super) fn is_lost(&self) -> bool {
        self.phase.load(Ordering::Acquire) == LOST
    }

    pub(super) fn close(&self) {
        self.phase.fetch_max(CLOSING, Ordering::AcqRel);
    }

    pub(super) fn abandon(&self) {
        self.phase.fetch_max(ABANDONED, Ordering::AcqRel);
    }

    pub(super) fn lose(&self) {
        self.phase.fetch_max(LOST, Ordering::AcqRel);
    }

    pub(super) fn position(&self) -> i64 {
        self.position.load(Ordering::Acquire)
    }

    /// The offset of the message that came first while it was not known where to go on, if there was one.
    pub(super) fn first(&self) -> Option<i64> {
        let first = self.first.load(Ordering::Acquire);
        (first != UNKNOWN).then_some(first)
    }

    /// The message at this offset is handed to its worker; returns the position before.
    pub(super) fn advance(&self, offset: i64) -> i64 {
        let before = self.position.swap(offset + 1, Ordering::AcqRel);
        if before == UNKNOWN {
            self.first.store(offset, Ordering::Release);
        }
        before
    }

    /// Fetching begins at this offset.
    pub(super) fn begin_at(&self, offset: i64) {
        self.position.fetch_max(offset, Ordering::AcqRel);
    }

    pub(super) fn done(&self) -> i64 {
        self.done.load(Ordering::Acquire)
    }

    pub(super) fn set_done(&self, offset: i64) {
        self.done.store(offset, Ordering::Release);
    }

    /// Where we are until a message tells otherwise, when the group has committed this offset and the log begins at
    /// `start`. What is not what the group has is to be committed.
    pub(super) fn resume(&self, committed: i64, start: i64) {
        self.committed.store(committed, Ordering::Release);
        self.begin_at(committed.max(start));
        self.done.store(committed.max(start), Ordering::Release);
    }

    /// Nothing before this offset counts, whatever the group has committed: that is to be committed first.
    pub(super) fn begin_anew(&self, start: i64) {
        self.begin_at(start);
        self.done.store(start, Ordering::Release);
    }

    pub(super) fn fail(&self) {
        self.failed.store(true, Ordering::Release);
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    pub(super) fn timestamp_ms(&self) -> i64 {
        self.timestamp_ms.load(Ordering::Acquire)
    }

    pub(super) fn set_timestamp_ms(&self, unix_ms: i64) {
        self.timestamp_ms.store(unix_ms, Ordering::Release);
    }

    pub(super) fn committed(&self) -> i64 {
        self.committed.load(Ordering::Acquire)
    }

    pub(super) fn set_committed(&self, offset: i64) {
        self.committed.store(offset, Ordering::Release);
    }

    /// What has to be committed, if anything.
    pub(super) fn uncommitted(&self) -> Option<i64> {
        let done = self.done();
        (done != UNKNOWN && done != self.committed.load(Ordering::Acquire)).then_some(done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_group_has_is_not_committed_again_but_what_begins_anew_is() {
        let (resumed, anew) = (Assigned::new(0), Assigned::new(1));
        resumed.resume(7, 0);
        assert_eq!((resumed.done(), resumed.uncommitted()), (7, None));
        anew.begin_anew(0);
        assert_eq!(anew.uncommitted(), Some(0));
    }

    #[test]
    fn where_retention_was_faster_the_group_is_told_where_we_are_now() {
        let assigned = Assigned::new(0);
        assigned.resume(7, 9);
        assert_eq!((assigned.position(), assigned.uncommitted()), (9, Some(9)));
    }

    #[test]
    fn a_partition_is_settled_once_its_topic_is_known_or_known_to_have_no_id() {
        let assigned = Assigned::new(0);
        assert!(!assigned.is_settled());
        assigned.settle_on(None);
        assert_eq!((assigned.is_settled(), assigned.topic_id()), (true, None));
    }

    #[test]
    fn only_what_changed_is_committed() {
        let assigned = Assigned::new(0);
        assert_eq!(assigned.uncommitted(), None);
        assigned.set_done(5);
        assert_eq!(assigned.uncommitted(), Some(5));
        assigned.set_committed(5);
        assert_eq!(assigned.uncommitted(), None);
    }

    #[test]
    fn a_partition_that_is_given_up_never_becomes_active_again() {
        let assigned = Assigned::new(0);
        assigned.abandon();
        assigned.close();
        assert!(assigned.is_abandoned() && !assigned.is_active());
    }
}
