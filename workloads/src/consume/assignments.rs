//! Which partitions are ours: what comes is handed to their workers, and they are finished when they are taken away.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crossbeam_channel::Sender;

use super::{
    assignment::{Assigned, UNKNOWN},
    fetched::Fetched,
};
use crate::kafka::leap::Leap;

/// How long a worker may take to notice that it was told to give up.
const ABANDON_PATIENCE: Duration = Duration::from_secs(1);

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

    fn lock(&self) -> MutexGuard<'_, BTreeMap<i32, Arc<Assigned>>> {
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
        let expected = assigned.advance(message.offset);
        if expected != UNKNOWN && message.offset > expected {
            self.leaps.lock().unwrap_or_else(PoisonError::into_inner).push(Leap {
                partition,
                from: expected,
                to: message.offset,
            });
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
