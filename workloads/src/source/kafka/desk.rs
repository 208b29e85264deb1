//! What the intake and the poll thread share.

use std::{
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use super::{super::Position, messages::Message, offsets::Offsets};
use crate::kafka::commits::Due;

/// What both sides of the queue know.
#[derive(Debug, Default)]
pub(super) struct Desk {
    offsets: Mutex<Offsets>,
    /// Something was acknowledged.
    acknowledged: Condvar,
    waiting: Mutex<Option<String>>,
    is_closed: AtomicBool,
    is_finished: AtomicBool,
}

/// For the intake.
impl Desk {
    /// Whether a message may be handed over; then it is.
    pub(super) fn hand_over(&self, message: &Message) -> bool {
        self.offsets().hand_over(message.partition, message.tenure, message.offset)
    }

    /// The position behind everything that was handed over.
    pub(super) fn mark(&self) -> Position {
        self.offsets().mark()
    }

    /// Everything up to `position` is safe.
    pub(super) fn acknowledge(&self, position: Position) {
        self.offsets().acknowledge(position);
        self.acknowledged.notify_all();
    }

    /// Nothing more is read.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
    }

    /// Nothing more is acknowledged.
    pub(super) fn finish(&self) {
        self.is_finished.store(true, Ordering::Release);
    }

    /// What has to change outside.
    pub(super) fn waiting_for(&self) -> Option<String> {
        self.lock_waiting().clone()
    }

    /// The partitions of which something acknowledged is not committed.
    pub(super) fn uncommitted(&self) -> Vec<i32> {
        let offsets = self.offsets();
        offsets.due(&offsets.partitions()).into_iter().map(|due| due.partition).collect()
    }
}

/// For the poll thread.
impl Desk {
    pub(super) fn offsets(&self) -> MutexGuard<'_, Offsets> {
        self.offsets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    pub(super) fn is_finished(&self) -> bool {
        self.is_finished.load(Ordering::Acquire)
    }

    /// Something has to change outside before messages can come.
    pub(super) fn wait_for(&self, what: String) {
        *self.lock_waiting() = Some(what);
    }

    /// Messages can come.
    pub(super) fn go_on(&self) {
        let mut waiting = self.lock_waiting();
        if waiting.take().is_some() {
            tracing::info!("the Kafka source goes on");
        }
    }

    /// What the group is to be told of all partitions.
    pub(super) fn due(&self) -> Vec<Due> {
        let offsets = self.offsets();
        offsets.due(&offsets.partitions())
    }

    /// Waits until everything that was handed over of these partitions is safe, at most until `deadline`.
    pub(super) fn settle(&self, partitions: &[i32], deadline: Instant) {
        let mut offsets = self.offsets();
        while !offsets.is_settled(partitions) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.acknowledged.wait_timeout(offsets, left);
            offsets = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock_waiting(&self) -> MutexGuard<'_, Option<String>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, mpsc},
        thread,
        time::Duration,
    };

    use super::*;

    /// A message of partition 0 was handed over.
    fn handed_over() -> (Arc<Desk>, Position) {
        let desk = Arc::new(Desk::default());
        desk.offsets().begin(0, 0, None);
        let tenure = desk.offsets().fetch(0, 0).unwrap().tenure;
        assert!(desk.offsets().hand_over(0, tenure, 0));
        let position = desk.mark();
        (desk, position)
    }

    #[test]
    fn what_was_handed_over_is_awaited_until_it_is_acknowledged() {
        let (desk, position) = handed_over();
        let (told, settled) = mpsc::channel();
        let waiting = Arc::clone(&desk);
        let waiter = thread::spawn(move || {
            waiting.settle(&[0], Instant::now() + Duration::from_mins(1));
            told.send(waiting.uncommitted()).unwrap();
        });
        assert!(settled.recv_timeout(Duration::from_millis(100)).is_err(), "it did not wait");
        desk.acknowledge(position);
        assert_eq!(settled.recv_timeout(Duration::from_secs(30)).unwrap(), [0]);
        waiter.join().unwrap();
    }

    #[test]
    fn what_is_not_acknowledged_in_time_is_given_up() {
        let (desk, position) = handed_over();
        desk.settle(&[0], Instant::now() + Duration::from_millis(10));
        assert!(desk.uncommitted().is_empty());
        desk.settle(&[1], Instant::now() + Duration::from_hours(1)); // nothing of that one is on its way
        desk.acknowledge(position);
        assert_eq!(desk.uncommitted(), [0]);
    }
}
