//! Messages between being settled and being durable: what is counted then, or given back. Pure.

use batchpipe_api::reason::Reason;

use crate::ledger::Counts;

/// Messages that were settled but for the sink's durability, and become durable in one.
#[derive(Debug)]
pub(super) struct Pending {
    /// The offset of the last of them.
    pub(super) offset: i64,
    /// What the sink got of it, if anything.
    pub(super) written: Option<Sizes>,
    /// Records that the sink stores as dead letters together with the message.
    pub(super) carried: Vec<(Reason, u64)>,
}

/// What was written of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) messages: u64,
    pub(super) records: u64,
    pub(super) raw_bytes: u64,
    pub(super) wire_bytes: u64,
}

impl Pending {
    /// Whether nothing is counted when it becomes durable.
    pub(super) fn is_empty(&self) -> bool {
        self.written.is_none() && self.carried.is_empty()
    }

    /// Takes those that come next and become durable together with it.
    pub(super) fn join(&mut self, next: Self) {
        let Self { offset, written, carried } = next;
        self.offset = offset;
        if let Some(more) = written {
            let written = self.written.get_or_insert_default();
            written.messages += more.messages;
            written.records += more.records;
            written.raw_bytes += more.raw_bytes;
            written.wire_bytes += more.wire_bytes;
        }
        self.carried.extend(carried);
    }

    /// It became durable.
    pub(super) fn count(self, counts: &mut Counts) {
        if let Some(Sizes { messages, records, raw_bytes, wire_bytes }) = self.written {
            counts.delivered += records;
            counts.batches += messages;
            counts.raw_bytes += raw_bytes;
            counts.wire_bytes += wire_bytes;
        }
        for (reason, records) in self.carried {
            counts.add_dead_letters(reason, records);
        }
    }

    /// How many records are not accounted for until then.
    pub(super) fn records(&self) -> u64 {
        let carried: u64 = self.carried.iter().map(|(_, records)| records).sum();
        self.written.map_or(0, |written| written.records) + carried
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_carried_counts_as_a_dead_letter_and_only_what_was_written_as_delivered() {
        let carried = vec![(Reason::Corrupt, 3), (Reason::InvalidJson, 1)];
        let written = Some(Sizes { messages: 1, records: 5, raw_bytes: 50, wire_bytes: 20 });
        let both = Pending { offset: 7, written, carried: carried.clone() };
        assert_eq!(both.records(), 9);
        let mut counts = Counts::default();
        both.count(&mut counts);
        assert_eq!((counts.delivered, counts.batches, counts.wire_bytes), (5, 1, 20));
        assert_eq!(counts.dead_letters(), 4);
        let letters = Pending { offset: 8, written: None, carried };
        assert_eq!(letters.records(), 4);
        letters.count(&mut counts);
        assert_eq!((counts.delivered, counts.batches, counts.dead_letters()), (5, 1, 8));
    }

    #[test]
    fn what_becomes_durable_together_counts_as_each_would() {
        let empty = |offset| Pending { offset, written: None, carried: Vec::new() };
        let written = Some(Sizes { messages: 1, records: 5, raw_bytes: 50, wire_bytes: 20 });
        let carried = vec![(Reason::Corrupt, 3)];
        let mut all = empty(1);
        assert!(all.is_empty());
        all.join(Pending { offset: 2, written, carried });
        all.join(empty(3));
        all.join(Pending { offset: 4, written, carried: Vec::new() });
        assert!(!all.is_empty());
        assert_eq!((all.offset, all.records()), (4, 13));
        let mut counts = Counts::default();
        all.count(&mut counts);
        assert_eq!((counts.delivered, counts.batches, counts.dead_letters()), (10, 2, 3));
        assert_eq!((counts.raw_bytes, counts.wire_bytes), (100, 40));
    }
}
