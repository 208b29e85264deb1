//! A message between being settled and being durable: what is counted then, or given back. Pure.

use batchpipe_api::reason::Reason;

use crate::ledger::Counts;

/// A message that was settled but for the sink's durability.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) offset: i64,
    /// What the sink got of it, if anything.
    pub(super) written: Option<Sizes>,
    /// Records that the sink stores as dead letters together with the message.
    pub(super) carried: Vec<(Reason, u64)>,
}

/// What was written of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub(super) records: u64,
    pub(super) raw_bytes: u64,
    pub(super) wire_bytes: u64,
}

impl Pending {
    /// It became durable.
    pub(super) fn count(self, counts: &mut Counts) {
        if let Some(Sizes { records, raw_bytes, wire_bytes }) = self.written {
            counts.delivered += records;
            counts.batches += 1;
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
        let written = Some(Sizes { records: 5, raw_bytes: 50, wire_bytes: 20 });
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
}
