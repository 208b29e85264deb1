//! What was found of one incarnation in one partition, and what follows from it. Pure.
//!
//! Numbers of records are compared, never messages: a batch that was sent again in two parts covers the same
//! numbers. Three kinds of ranges are kept apart, because only records can be doubled, and because what is there
//! but cannot be read is not missing.

use std::ops::Range;

use batchpipe_api::envelope::Envelope;

use super::intervals::Intervals;

/// What was found of one incarnation in one partition.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Batches that were read.
    pub(super) batches: u64,
    /// Records in them, doubled ones too.
    pub(super) records: u64,
    /// Records that had been there before.
    pub(super) duplicated: u64,
    /// Batches that cannot be read.
    pub(super) corrupt: u64,
    /// Records that were dead-lettered after they had got their numbers.
    pub(super) dead_lettered: u64,
    read: Intervals,
    unreadable: Intervals,
    marked: Intervals,
}

/// What is not there.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Absent {
    /// Numbers that should be there.
    pub(super) missing: Vec<Range<u64>>,
    /// How many came before the log begins.
    pub(super) expired: u64,
}

fn numbers(envelope: &Envelope) -> Range<u64> {
    envelope.sequence..envelope.next_sequence()
}

impl Tally {
    /// A batch whose records were read and are what the envelope says.
    pub(super) fn add_batch(&mut self, envelope: &Envelope) {
        self.batches += 1;
        self.records += u64::from(envelope.records);
        self.duplicated += self.read.insert(numbers(envelope));
    }

    /// An empty message in the place of dead-lettered records.
    pub(super) fn add_marker(&mut self, envelope: &Envelope) {
        let numbers = numbers(envelope);
        let length = numbers.end - numbers.start;
        self.dead_lettered += length - self.marked.insert(numbers);
    }

    /// A batch that cannot be read, but says which numbers it has.
    pub(super) fn add_corrupt(&mut self, envelope: &Envelope) {
        self.corrupt += 1;
        self.unreadable.insert(numbers(envelope));
    }

    /// From the smallest number seen to the largest one.
    pub(super) fn span(&self) -> Option<Range<u64>> {
        self.seen().span()
    }

    /// What is not there. Numbers begin at 0 in every partition, so a hole at the head is a loss, unless the
    /// log has lost its own head to retention.
    pub(super) fn absent(&self, is_log_whole: bool) -> Absent {
        let seen = self.seen();
        let first = seen.span().map_or(0, |span| span.start);
        let head = (first > 0 && is_log_whole).then_some(0..first);
        let expired = if is_log_whole { 0 } else { first };
        Absent { missing: head.into_iter().chain(seen.holes()).collect(), expired }
    }

    fn seen(&self) -> Intervals {
        let mut seen = self.read.clone();
        seen.insert_all(&self.unreadable);
        seen.insert_all(&self.marked);
        seen
    }
}
