//! Watching the sequence numbers of one partition go by: a hole between two batches of one incarnation means
//! that records are missing from the topic. Pure.

use std::collections::BTreeMap;

use batchpipe_api::envelope::{Envelope, Incarnation};

/// How many incarnations are remembered: one for each producer that sends to the partition, and some that ended.
const REMEMBERED: usize = 64;

/// What was seen of each incarnation.
#[derive(Debug, Default)]
pub(super) struct Sequences {
    /// The number that comes next, and when it was last looked at.
    next: BTreeMap<Incarnation, (u64, u64)>,
    seen: u64,
    /// Whether everything from the start of the log on was seen and remembered: then an incarnation that is new
    /// must begin with its first record.
    is_whole: bool,
}

impl Sequences {
    /// Reading begins with the first message that the partition ever had.
    pub(super) fn begin_at_start(&mut self) {
        self.is_whole = true;
    }

    /// Takes note of a batch; returns how many records are missing before it. Unless reading began at the start,
    /// what came before the first batch of an incarnation is not known. A repeated batch is no hole.
    pub(super) fn observe(&mut self, envelope: &Envelope) -> u64 {
        self.seen += 1;
        let (next, seen) = (envelope.next_sequence(), self.seen);
        let Some(known) = self.next.get_mut(&envelope.incarnation) else {
            self.forget_oldest();
            self.next.insert(envelope.incarnation, (next, seen));
            return if self.is_whole { envelope.sequence } else { 0 };
        };
        let missing = envelope.sequence.saturating_sub(known.0);
        *known = (known.0.max(next), seen);
        missing
    }

    /// Something could not be read: what follows may seem to have a hole that is none.
    pub(super) fn forget(&mut self) {
        self.next.clear();
        self.is_whole = false;
    }

    fn forget_oldest(&mut self) {
        if self.next.len() < REMEMBERED {
            return;
        }
        let oldest = self
            .next
            .iter()
            .min_by_key(|(_, (_, seen))| *seen)
            .map(|(incarnation, _)| *incarnation);
        oldest.map(|incarnation| self.next.remove(&incarnation));
        self.is_whole = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(incarnation: u64, sequence: u64, records: u32) -> Envelope {
        Envelope {
            records,
            raw_bytes: 0,
            crc32c: Some(0),
            incarnation: Incarnation(incarnation),
            sequence,
            validated: true,
            dead_lettered: None,
        }
    }

    #[test]
    fn a_hole_is_counted_once() {
        let mut sequences = Sequences::default();
        let seen = [batch(1, 10, 5), batch(1, 15, 5), batch(1, 23, 1), batch(1, 24, 1)];
        assert_eq!(seen.map(|envelope| sequences.observe(&envelope)), [0, 0, 3, 0]);
    }

    #[test]
    fn repeated_batches_and_other_incarnations_are_no_holes() {
        let mut sequences = Sequences::default();
        let seen =
            [batch(1, 0, 5), batch(2, 70, 5), batch(1, 0, 5), batch(1, 5, 5), batch(2, 75, 1)];
        assert_eq!(seen.map(|envelope| sequences.observe(&envelope)), [0; 5]);
    }

    #[test]
    fn what_comes_once_more_late_does_not_set_the_count_back() {
        let mut sequences = Sequences::default();
        let seen = [batch(1, 0, 5), batch(1, 5, 5), batch(1, 0, 5), batch(1, 10, 5)];
        assert_eq!(seen.map(|envelope| sequences.observe(&envelope)), [0; 4]);
    }

    #[test]
    fn from_the_start_on_a_first_batch_that_is_not_the_first_is_a_hole() {
        let mut sequences = Sequences::default();
        sequences.begin_at_start();
        assert_eq!(
            [batch(1, 0, 5), batch(2, 7, 5), batch(1, 5, 5)].map(|it| sequences.observe(&it)),
            [0, 7, 0]
        );
        sequences.forget();
        assert_eq!(sequences.observe(&batch(3, 9, 1)), 0);
    }

    #[test]
    fn memory_is_bounded() {
        let mut sequences = Sequences::default();
        for incarnation in 0..1000 {
            sequences.observe(&batch(incarnation, 0, 1));
        }
        assert_eq!(sequences.next.len(), REMEMBERED);
        assert_eq!(sequences.observe(&batch(999, 3, 1)), 2);
    }
}
