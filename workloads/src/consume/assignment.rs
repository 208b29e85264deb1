//! Which partitions are ours, and how far each of them has come: what poll thread, workers and rebalances share.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};

use crossbeam_channel::Sender;

use super::fetched::Fetched;
use crate::kafka::leap::Leap;

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

/// How long a worker may take to notice that it was told to give up.
const ABANDON_PATIENCE: Duration = Duration::from_secs(1);

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

/// What a worker is asked to do.
#[derive(Debug)]
pub(super) enum Work {
    /// Deliver a message.
    Deliver(Arc<Assigned>, Fetched),
    /// Make durable what was delivered, forget the partition, and answer.
    Finish(Arc<Assigned>, Sender<()>),
}

/// The partitions that are ours.
#[derive(Debug)]
pub(super) struct Assignments {
    current: Mutex<BTreeMap<i32, Arc<Assigned>>>,
    /// What nobody has looked into yet.
    leaps: Mutex<Vec<Leap>>,
    workers: Vec<Sender<Work>>,
}

impl Assignments {
    pub(super) fn new(workers: Vec<Sender<Work>>) -> Self {
        Self { current: Mutex::default(), leaps: Mutex::default(), workers }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<i32, Arc<Assigned>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of them, in order.
    pub(super) fn all(&self) -> Vec<Arc<Assigned>> {
        self.lock().values().cloned().collect()
    }

    /// One of them.
    pub(super) fn get(&self, partition: i32) -> Option<Arc<Assigned>> {
        self.lock().get(&partition).cloned()
    }

    /// A partition is ours from now on, or begins anew.
    pub(super) fn add(&self, partition: i32) {
        self.lock().insert(partition, Assigned::new(partition));
    }

    /// The same for one that is fetched from this offset on.
    pub(super) fn add_from(&self, partition: i32, offset: i64) {
        let assigned = Assigned::new(partition);
        assigned.begin_at(offset);
        self.lock().insert(partition, assigned);
    }

    /// The same for one that is known to begin at this offset of this topic.
    pub(super) fn add_anew(&self, partition: i32, start: i64, topic_id: Option<String>) {
        let assigned = Assigned::new(partition);
        assigned.begin_anew(start);
        assigned.settle_on(topic_id);
        self.lock().insert(partition, assigned);
    }

    /// The leaps since this was last asked.
    pub(super) fn take_leaps(&self) -> Vec<Leap> {
        std::mem::take(&mut self.leaps.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Hands a message to the worker of its partition. It is dropped when the partition is not ours; when something is
    /// missing between what came last and it, only if `is_true` finds that its offset can be.
    pub(super) fn deliver<E>(
        &self,
        partition: i32,
        message: Fetched,
        is_true: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(assigned) = self.get(partition) else { return Ok(()) };
        let expected = assigned.position();
        if expected != UNKNOWN && message.offset > expected {
            is_true()?;
        }
        self.hand_over(assigned, message);
        Ok(())
    }

    /// The same for one of which is known that its offset is true.
    pub(super) fn deliver_true(&self, partition: i32, message: Fetched) {
        if let Some(assigned) = self.get(partition) {
            self.hand_over(assigned, message);
        }
    }

    fn hand_over(&self, assigned: Arc<Assigned>, message: Fetched) {
        let partition = assigned.partition;
        let expected = assigned.position.swap(message.offset + 1, Ordering::AcqRel);
        if expected != UNKNOWN && message.offset > expected {
            self.leaps.lock().unwrap_or_else(PoisonError::into_inner).push(Leap {
                partition,
                from: expected,
                to: message.offset,
            });
        }
        if expected == UNKNOWN {
            assigned.first.store(message.offset, Ordering::Release);
        }
        self.send(partition, Work::Deliver(assigned, message));
    }

    fn send(&self, partition: i32, work: Work) {
        let index = usize::try_from(partition).unwrap_or(0) % self.workers.len();
        // A worker that is gone has said why itself, and the process is ending.
        let _ = self.workers[index].send(work);
    }

    /// The group gave these partitions to others without asking; to be finished next.
    pub(super) fn lose(&self, partitions: &[i32]) {
        partitions.iter().filter_map(|partition| self.get(*partition)).for_each(|it| it.lose());
    }

    /// Ends the work on partitions: what is being delivered may be finished until `deadline`, what waits is
    /// dropped. Returns them with what was reached.
    pub(super) fn finish(&self, partitions: &[i32], deadline: Instant) -> Vec<Arc<Assigned>> {
        let leaving: Vec<_> = {
            let mut current = self.lock();
            partitions.iter().filter_map(|partition| current.remove(partition)).collect()
        };
        for assigned in &leaving {
            assigned.close();
        }
        let answers: Vec<_> = leaving
            .iter()
            .map(|assigned| {
                let (answer, answered) = crossbeam_channel::bounded(1);
                self.send(assigned.partition, Work::Finish(Arc::clone(assigned), answer));
                answered
            })
            .collect();
        let late = answers.iter().any(|answered| answered.recv_deadline(deadline).is_err());
        if late {
            for assigned in &leaving {
                assigned.abandon();
            }
            // Whoever waits for something outside looks at this several times a second; who hangs is not waited
            // for again and again, once for each partition.
            let patience = Instant::now() + ABANDON_PATIENCE;
            for answered in &answers {
                let _ = answered.recv_deadline(patience);
            }
        }
        leaving
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

    #[test]
    fn finishing_waits_for_the_worker_and_forgets_the_partition() {
        let (sender, receiver) = crossbeam_channel::unbounded();
        let assignments = Assignments::new(vec![sender]);
        assignments.add(3);
        let worker = std::thread::spawn(move || {
            let Ok(Work::Finish(assigned, answer)) = receiver.recv() else {
                panic!("expected to finish")
            };
            assigned.set_done(9);
            answer.send(()).unwrap();
        });
        let left = assignments.finish(&[3, 4], Instant::now() + Duration::from_mins(1));
        worker.join().unwrap();
        assert_eq!(left.iter().map(|assigned| assigned.done()).collect::<Vec<_>>(), [9]);
        assert!(assignments.get(3).is_none());
    }

    #[test]
    fn a_worker_that_hangs_is_waited_for_once_however_many_partitions_it_has() {
        let (sender, _nobody_reads) = crossbeam_channel::unbounded();
        let assignments = Assignments::new(vec![sender]);
        let partitions = [0, 1, 2, 3];
        for partition in partitions {
            assignments.add(partition);
        }
        let started = Instant::now();
        let left = assignments.finish(&partitions, started);
        assert!(left.iter().all(|assigned| assigned.is_abandoned()));
        assert!(started.elapsed() < 2 * ABANDON_PATIENCE);
    }
}
