//! One partition at its worker: in which order a message is settled.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};

use super::{MIB, desk};
use crate::{
    budget::Budget,
    consume::{assignment::Assigned, fetched::Fetched, partition::Partition, worker::Stop},
    sink::{Delivery, Durable, WriteError, Writer, blackhole::BlackholeSink},
};

/// A sink that takes whatever comes, and counts it.
struct Counting(Arc<AtomicU32>);

impl Writer for Counting {
    fn write(&mut self, delivery: &Delivery<'_>, _: Instant) -> Result<Durable, WriteError> {
        self.0.fetch_add(delivery.records, Ordering::Relaxed);
        Ok(Durable::All)
    }
}

/// Once the sink has a message, nobody comes back to it: a file says by its name that it has it.
#[test]
fn a_message_is_not_given_to_the_sink_before_its_letters_are_safe() {
    let mut desk = desk(Arc::new(BlackholeSink));
    let (assigned, written) = (Assigned::new(0), Arc::new(AtomicU32::new(0)));
    let mut partition =
        Partition::new(Arc::clone(&assigned), Box::new(Counting(Arc::clone(&written))));
    let queue = Budget::new(MIB);
    partition.process(&Fetched::of(0, b"1\n2", &queue), &mut desk).unwrap();
    assert_eq!((written.load(Ordering::Relaxed), assigned.done()), (2, 1));
    // The partition is taken away while the letter waits.
    assigned.abandon();
    let stop = partition.process(&Fetched::of(1, b"3\nbad", &queue), &mut desk).unwrap_err();
    assert!(matches!(stop, Stop::Abandoned), "{stop}");
    assert_eq!((written.load(Ordering::Relaxed), assigned.done()), (2, 1));
    let counts = desk.shared.ledger.snapshot();
    assert_eq!((counts.accepted, counts.delivered, counts.released), (4, 2, 2));
}
