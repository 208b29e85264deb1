//! Records on their way back, one open batch for each partition. Pure: full batches are handed to a function.
//!
//! All records of a batch were sent back equally often, because a message says that once for all of them. A record with
//! another number of attempts closes the batch before it, so the order within a partition stays.

use std::{collections::BTreeMap, time::Instant};

use super::letter::Place;
use crate::{
    batch::{Batch, Limits},
    chunk::Chunk,
};

/// A batch that takes records.
#[derive(Debug, Default)]
pub(super) struct Open {
    /// The records.
    pub(super) batch: Batch,
    /// How often they have been sent back, this time included.
    pub(super) attempts: u32,
    /// The letters that they come from, one for each.
    pub(super) places: Vec<Place>,
}

/// The open batches of a topic.
#[derive(Debug)]
pub(super) struct Batches {
    limits: Limits,
    open: BTreeMap<u32, Open>,
}

/// Takes a batch that was closed, with its partition.
pub(super) type Closed<'a> = dyn FnMut(u32, Open) + 'a;

impl Batches {
    pub(super) const fn new(limits: Limits) -> Self {
        Self { limits, open: BTreeMap::new() }
    }

    /// Whether no record waits.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// When the first batch must be closed.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.open.values().filter_map(|open| open.batch.deadline(&self.limits)).min()
    }

    /// Adds the one record of a chunk.
    pub(super) fn add(
        &mut self,
        (partition, attempts): (u32, u32),
        chunk: &Chunk,
        place: Place,
        closed: &mut Closed<'_>,
    ) {
        if self.open.get(&partition).is_some_and(|open| open.attempts != attempts) {
            self.close(partition, closed);
        }
        loop {
            let new = || Open { attempts, ..Open::default() };
            let open = self.open.entry(partition).or_insert_with(new);
            let (taken, full) = open.batch.take(chunk, 0, 1, &self.limits);
            open.places.extend((taken == 1).then_some(place));
            if full.is_some() {
                self.close(partition, closed);
            }
            if taken == 1 {
                return;
            }
        }
    }

    /// Closes the batch of a partition, if there is one.
    pub(super) fn close(&mut self, partition: u32, closed: &mut Closed<'_>) {
        if let Some(open) = self.open.remove(&partition) {
            closed(partition, open);
        }
    }

    /// Closes every batch whose time is up.
    pub(super) fn expire(&mut self, now: Instant, closed: &mut Closed<'_>) {
        let is_due = |open: &Open| open.batch.deadline(&self.limits).is_some_and(|at| at <= now);
        let due: Vec<_> = self.open.iter().filter(|it| is_due(it.1)).map(|it| *it.0).collect();
        for partition in due {
            self.close(partition, closed);
        }
    }

    /// Closes every batch.
    pub(super) fn close_all(&mut self, closed: &mut Closed<'_>) {
        let all: Vec<_> = self.open.keys().copied().collect();
        for partition in all {
            self.close(partition, closed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        budget::Budget,
        chunk::{Arrival, Records, Rules},
        receipt::Receipt,
        source::Block,
    };

    type Log = Vec<(u32, u32, String, usize)>;

    fn chunk(text: &str) -> Chunk {
        let mut records = Records::default();
        let rules = Rules { validate: false, key: None };
        records.fill(&mut Block { text: text.as_bytes().to_vec(), ..Block::default() }, &rules);
        let arrival = Arrival { instant: Instant::now(), unix_ms: 0 };
        Chunk { records, arrival, share: Receipt::new().1, charge: Budget::new(1).charge_now(0) }
    }

    fn batches(max_records: u32, max_bytes: usize) -> Batches {
        Batches::new(Limits { max_records, max_bytes, linger: Duration::from_millis(100) })
    }

    fn add(batches: &mut Batches, to: (u32, u32), text: &str, log: &mut Log) {
        let place = Place { partition: 0, offset: 0 };
        batches.add(to, &chunk(text), place, &mut |partition, open| note(log, partition, &open));
    }

    fn note(log: &mut Log, partition: u32, open: &Open) {
        let text = String::from_utf8(open.batch.text.clone()).unwrap();
        log.push((partition, open.attempts, text, open.places.len()));
    }

    #[test]
    fn records_of_a_partition_are_joined_until_a_limit_is_reached() {
        let (mut batches, mut log) = (batches(2, 5), Log::new());
        for (partition, text) in [(0, "1"), (1, "2"), (0, "3"), (1, "55555"), (1, "666666")] {
            add(&mut batches, (partition, 1), text, &mut log);
        }
        let text = |text: &str| text.to_owned();
        assert_eq!(log[..2], [(0, 1, text("1\n3"), 2), (1, 1, text("2"), 1)]);
        batches.close_all(&mut |partition, open| note(&mut log, partition, &open));
        assert_eq!(log[2..], [(1, 1, text("55555"), 1), (1, 1, text("666666"), 1)]);
        assert!(batches.is_empty());
    }

    #[test]
    fn another_number_of_attempts_begins_another_batch() {
        let (mut batches, mut log) = (batches(9, 99), Log::new());
        for (attempts, text) in [(1, "a"), (1, "b"), (2, "c"), (1, "d")] {
            add(&mut batches, (0, attempts), text, &mut log);
        }
        batches.close_all(&mut |partition, open| note(&mut log, partition, &open));
        let text = |text: &str| text.to_owned();
        assert_eq!(log, [(0, 1, text("a\nb"), 2), (0, 2, text("c"), 1), (0, 1, text("d"), 1)]);
    }

    #[test]
    fn a_batch_waits_no_longer_than_it_may() {
        let begun = Instant::now();
        let (mut batches, mut log) = (batches(9, 99), Log::new());
        assert_eq!(batches.deadline(), None);
        add(&mut batches, (0, 1), "a", &mut log);
        let deadline = batches.deadline().unwrap();
        batches.expire(begun, &mut |partition, open| note(&mut log, partition, &open));
        assert!(log.is_empty() && !batches.is_empty());
        batches.expire(deadline, &mut |partition, open| note(&mut log, partition, &open));
        assert_eq!(log.len(), 1);
    }
}
