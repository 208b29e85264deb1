//! The accounting of one side: what came in and what became of it.
//!
//! `accepted = delivered + deadLettered + released + inFlight` holds at every moment, because all counters
//! change together under one lock, once for each batch or chunk, never for each record.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use batchpipe_api::reason::Reason;

/// What became of the records of one side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records taken in.
    pub accepted: u64,
    /// Records acknowledged by the broker (producer) or by the sink (consumer).
    pub delivered: u64,
    /// Records kept in the dead-letter topic, by reason.
    pub dead_lettered: BTreeMap<Reason, u64>,
    /// Records given back undelivered, which are accepted again when they are fetched again: by others when a partition was
    /// revoked, by us when the sink lost or aborted what it had taken, by the next run when it was time to stop.
    pub released: u64,
    /// Batches delivered.
    pub batches: u64,
    /// Bytes of delivered batches before compression.
    pub raw_bytes: u64,
    /// Bytes of delivered message values.
    pub wire_bytes: u64,
    /// Messages handed to the broker a second time without knowing whether the first one had arrived.
    pub resent: u64,
    /// Messages without a value, skipped.
    pub tombstones: u64,
    /// Records in which a raw newline became a space.
    pub newlines_replaced: u64,
    /// Messages that retention removed before they were read.
    pub expired_messages: u64,
    /// Records that envelopes show to be missing from the topic.
    pub missing_records: u64,
}

impl Counts {
    /// All dead letters.
    pub fn dead_letters(&self) -> u64 {
        self.dead_lettered.values().sum()
    }

    /// Records that are neither delivered nor dead-lettered nor released yet.
    ///
    /// # Panics
    /// When more was settled than was accepted: the accounting itself is then wrong, and saying so loudly is
    /// better than a number.
    pub fn in_flight(&self) -> u64 {
        self.accepted
            .checked_sub(self.delivered + self.dead_letters() + self.released)
            .expect("no more records are settled than were accepted")
    }

    /// Counts dead letters.
    pub fn add_dead_letters(&mut self, reason: Reason, records: u64) {
        *self.dead_lettered.entry(reason).or_default() += records;
    }
}

/// The counters of one side, shared by its threads.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<Counts>);

impl Ledger {
    /// An empty ledger.
    pub fn new() -> Self {
        Self::default()
    }

    /// Changes several counters as one step.
    pub fn update(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// All counters at one moment.
    pub fn snapshot(&self) -> Counts {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_settled_is_in_flight() {
        let ledger = Ledger::new();
        ledger.update(|counts| {
            counts.accepted = 10;
            counts.delivered = 4;
            counts.released = 1;
            counts.add_dead_letters(Reason::InvalidJson, 2);
            counts.add_dead_letters(Reason::Corrupt, 1);
        });
        assert_eq!(ledger.snapshot().in_flight(), 2);
    }

    #[test]
    #[should_panic(expected = "no more records are settled")]
    fn settling_too_much_is_never_silent() {
        Counts { delivered: 1, ..Counts::default() }.in_flight();
    }
}
