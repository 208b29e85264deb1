//! One partition at its worker: in which order a message is settled.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use super::{MIB, desk};
use crate::{
    budget::Budget,
    consume::{assignment::Assigned, fetched::Fetched, partition::Partition, worker::Stop},
    kafka::stand_in::TOPIC,
    sink::{
        Delivery, Durable, Sink, WriteError, Writer,
        blackhole::BlackholeSink,
        file::{FileOptions, FileSink, Roll},
        tenure::lasting,
    },
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

/// A disk has turned a bit of the offsets 7 and 8.
#[test]
fn a_partition_that_goes_back_into_its_gap_does_so_in_its_files_and_with_its_offset() {
    for max_bytes in [u64::MAX, 1] {
        let folder = tempfile::tempdir().unwrap();
        let roll = Roll { max_bytes, interval: Duration::MAX };
        let sink = FileSink::new(FileOptions { path: folder.path().to_owned(), roll }).unwrap();
        let sink: Arc<dyn Sink> = Arc::new(sink);
        let open = || sink.open(TOPIC, lasting(0)).unwrap();
        let (mut desk, assigned) = (desk(Arc::clone(&sink)), Assigned::new(0));
        let mut partition = Partition::new(Arc::clone(&assigned), open());
        let queue = Budget::new(MIB);
        for offset in [5, 6, 71, 72] {
            partition.process(&Fetched::of(offset, b"1", &queue), &mut desk).unwrap();
        }
        let next = Fetched::of(9, b"1", &queue);
        assert!(partition.is_filled_by(&next) && partition.is_behind(&next));
        partition.go_back(&next).unwrap();
        assert!(assigned.done() < 9, "not all is durable yet");
        partition.finish(&desk);
        assert_eq!((assigned.done(), open().resume_at()), (9, Some(9)));
        assert_eq!(desk.shared.ledger.snapshot().delivered, 4);
    }
}

/// A disk has turned the last bit of an offset: the record batch of two that begins at 8 says 9.
#[test]
fn a_message_at_the_offset_of_another_one_is_not_taken_for_it() {
    let mut desk = desk(Arc::new(BlackholeSink));
    let (assigned, written) = (Assigned::new(0), Arc::new(AtomicU32::new(0)));
    let mut partition = Partition::new(Arc::clone(&assigned), Box::new(Counting(written)));
    let queue = Budget::new(MIB);
    partition.process(&Fetched::of(7, b"1", &queue), &mut desk).unwrap();
    assert!(!partition.is_filled_by(&Fetched::of(7, b"2", &queue)), "nothing was left out");
    for (offset, value) in [(9, b"2"), (10, b"3")] {
        partition.process(&Fetched::of(offset, value, &queue), &mut desk).unwrap();
    }
    assert!(!partition.is_filled_by(&Fetched::of(10, b"3", &queue)), "it came twice");
    assert!(!partition.is_filled_by(&Fetched::unreadable(10, &queue)), "nobody knows what it is");
    assert!(!partition.is_filled_by(&Fetched::of(11, b"4", &queue)));
    let next = Fetched::of(10, b"4", &queue);
    assert!(partition.is_filled_by(&next));
    partition.go_back(&next).unwrap();
    assert_eq!(assigned.done(), 10);
}

/// A file may be open for hours.
#[test]
fn of_messages_that_wait_for_one_file_little_is_remembered_and_each_is_counted() {
    for (max_bytes, delivered) in [(u64::MAX, 0), (1, 999)] {
        let folder = tempfile::tempdir().unwrap();
        let roll = Roll { max_bytes, interval: Duration::MAX };
        let sink = FileSink::new(FileOptions { path: folder.path().to_owned(), roll }).unwrap();
        let sink: Arc<dyn Sink> = Arc::new(sink);
        let (mut desk, assigned) = (desk(Arc::clone(&sink)), Assigned::new(0));
        let writer = sink.open(TOPIC, lasting(0)).unwrap();
        let mut partition = Partition::new(Arc::clone(&assigned), writer);
        let queue = Budget::new(MIB);
        for offset in 0..2000 {
            let mut message = Fetched::of(offset, b"1", &queue);
            message.value = message.value.filter(|_| offset % 2 == 0); // else a tombstone
            partition.process(&message, &mut desk).unwrap();
            assert!(partition.pending() <= 2, "{}", partition.pending());
        }
        assert_eq!(desk.shared.ledger.snapshot().delivered, delivered);
        partition.finish(&desk);
        let counts = desk.shared.ledger.snapshot();
        assert_eq!((counts.delivered, counts.batches, counts.tombstones), (1000, 1000, 1000));
        assert_eq!(assigned.done(), 2000);
    }
}
