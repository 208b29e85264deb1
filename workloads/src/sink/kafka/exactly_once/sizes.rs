//! How large record batches may be, which brokers tell only by refusing them, and every refusal costs a transaction. Pure.

use std::time::{Duration, Instant};

/// The most and the least bytes of a record batch of several messages.
const BATCH: (usize, usize) = (1_000_000, 1000);
/// By how much record batches become smaller when one was refused. Four refusals tell one size of a thousand.
const STEP: usize = 8;
/// The most bytes of a transaction: while sizes are looked for, little is lost with one.
const TRANSACTION: (usize, usize) = (32 * 1024 * 1024, 4 * 1024 * 1024);
/// How long record batches stay small before larger ones are tried.
const BOUNDED: Duration = Duration::from_mins(10);
/// How long those are waited for that may have gone to another member of the group, since one of them came last.
const SUSPICION: Duration = Duration::from_secs(30);

/// How messages are put into record batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Batches {
    /// The most bytes of a record batch of several messages.
    pub(super) bytes: usize,
    /// Each message has one of its own.
    pub(super) is_alone: bool,
}

impl Batches {
    /// Whether a message with a value and a key of so many bytes has a record batch of its own, so that a refusal is its own:
    /// librdkafka puts no other to it that would make it larger than `batch.size`.
    pub(super) const fn is_alone(self, bytes: usize) -> bool {
        self.is_alone || bytes >= self.bytes
    }

    const fn smaller(self) -> Self {
        let bytes = self.bytes / STEP;
        if bytes < BATCH.1 {
            Self { bytes: BATCH.1, is_alone: true }
        } else {
            Self { bytes, is_alone: false }
        }
    }
}

/// What is known of sizes, and what is tried.
#[derive(Debug)]
pub(super) struct Sizes {
    /// What is taken, as far as anybody knows.
    usual: Batches,
    /// What is tried now.
    tried: Batches,
    /// Messages of transactions that were refused and are not stored yet: partition and offset.
    suspects: Vec<(i32, i64)>,
    /// When there were more of them.
    suspected: Instant,
    /// When smaller record batches were last found to be needed, or larger ones tried.
    bounded: Instant,
}

impl Sizes {
    /// When nothing was refused yet.
    pub(super) fn new(now: Instant) -> Self {
        let usual = Batches { bytes: BATCH.0, is_alone: false };
        Self { usual, tried: usual, suspects: Vec::new(), suspected: now, bounded: now }
    }

    /// How to send what comes next.
    pub(super) const fn batches(&self) -> Batches {
        self.tried
    }

    /// How many bytes end a transaction.
    pub(super) const fn transaction_bytes(&self) -> usize {
        if self.suspects.is_empty() { TRANSACTION.0 } else { TRANSACTION.1 }
    }

    /// A transaction with these messages was refused. `is_found`: it is known which of its records or letters have to be sent
    /// in another way.
    pub(super) fn refuse(&mut self, places: &[(i32, i64)], is_found: bool, now: Instant) {
        if is_found {
            self.tried = self.usual;
            self.suspects.clear();
        } else {
            self.tried = self.tried.smaller();
            self.suspects = places.to_vec();
            self.suspected = now;
        }
    }

    /// Tries larger ones again, once in a while: somebody may have raised what is taken.
    fn grow(&mut self, now: Instant) {
        if self.usual.bytes < BATCH.0 && now.duration_since(self.bounded) >= BOUNDED {
            self.usual.bytes = (STEP * self.usual.bytes).min(BATCH.0);
            self.tried = self.usual;
            self.bounded = now;
        }
    }

    /// A transaction with these messages was stored.
    pub(super) fn store(&mut self, places: &[(i32, i64)], now: Instant) {
        let before = self.suspects.len();
        if before == 0 {
            return self.grow(now);
        }
        self.suspects.retain(|suspect| !places.contains(suspect));
        if self.suspects.is_empty() {
            // Nothing of it was too large for itself.
            self.usual = Batches { is_alone: false, ..self.tried };
            self.tried = self.usual;
            self.bounded = now;
        } else if self.suspects.len() < before {
            self.suspected = now;
        } else if now.duration_since(self.suspected) > SUSPICION {
            self.suspects.clear();
            self.tried = self.usual;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACES: [(i32, i64); 2] = [(0, 7), (1, 7)];

    fn batches(bytes: usize) -> Batches {
        Batches { bytes, is_alone: false }
    }

    #[test]
    fn record_batches_become_smaller_until_all_are_taken_and_stay_so() {
        let now = Instant::now();
        let mut sizes = Sizes::new(now);
        sizes.store(&PLACES, now);
        assert_eq!(sizes.batches(), batches(1_000_000));
        for bytes in [125_000, 15_625] {
            sizes.refuse(&PLACES, false, now);
            assert_eq!(sizes.batches(), batches(bytes));
        }
        assert_eq!(sizes.transaction_bytes(), TRANSACTION.1);
        sizes.store(&PLACES[..1], now);
        assert_eq!(sizes.transaction_bytes(), TRANSACTION.1, "one is missing yet");
        sizes.store(&PLACES[1..], now);
        assert_eq!((sizes.batches(), sizes.transaction_bytes()), (batches(15_625), TRANSACTION.0));
        sizes.refuse(&PLACES, true, now);
        assert_eq!(sizes.batches(), batches(15_625), "what was learned is not forgotten");
    }

    #[test]
    fn larger_ones_are_tried_again_after_a_while() {
        let now = Instant::now();
        let mut sizes = Sizes::new(now);
        sizes.refuse(&PLACES, false, now);
        sizes.refuse(&PLACES, false, now);
        sizes.store(&PLACES, now);
        sizes.store(&PLACES, now + BOUNDED / 2);
        assert_eq!(sizes.batches(), batches(15_625));
        sizes.store(&PLACES, now + BOUNDED);
        assert_eq!(sizes.batches(), batches(125_000));
        sizes.store(&PLACES, now + BOUNDED);
        assert_eq!(sizes.batches(), batches(125_000), "one step at a time");
        sizes.store(&PLACES, now + 2 * BOUNDED);
        assert_eq!(sizes.batches(), batches(1_000_000));
    }

    #[test]
    fn when_the_record_is_found_the_others_are_sent_as_before() {
        let now = Instant::now();
        let mut sizes = Sizes::new(now);
        for _ in 0..3 {
            sizes.refuse(&PLACES, false, now);
        }
        sizes.refuse(&PLACES, true, now);
        assert_eq!(
            (sizes.batches(), sizes.transaction_bytes()),
            (batches(1_000_000), TRANSACTION.0)
        );
        sizes.store(&PLACES, now);
        assert_eq!(sizes.batches(), batches(1_000_000));
    }

    #[test]
    fn each_is_sent_alone_only_when_nothing_else_is_left() {
        let now = Instant::now();
        let mut sizes = Sizes::new(now);
        for _ in 0..4 {
            assert!(!sizes.batches().is_alone);
            sizes.refuse(&PLACES, false, now);
        }
        assert_eq!(sizes.batches(), Batches { bytes: BATCH.1, is_alone: true });
        assert!(sizes.batches().is_alone(1));
        sizes.store(&PLACES, now);
        assert_eq!(sizes.batches(), batches(BATCH.1));
    }

    #[test]
    fn a_record_as_large_as_a_record_batch_may_be_is_alone_in_its_own() {
        assert!(batches(1000).is_alone(1000));
        assert!(!batches(1000).is_alone(999));
    }

    #[test]
    fn suspects_that_went_elsewhere_are_forgotten_and_nothing_is_learned() {
        let now = Instant::now();
        let mut sizes = Sizes::new(now);
        sizes.refuse(&PLACES, false, now);
        let later = now + SUSPICION;
        sizes.store(&PLACES[..1], later);
        sizes.store(&[(2, 0)], later + SUSPICION);
        assert_eq!(sizes.batches(), batches(125_000), "one has come in time");
        sizes.store(&[(2, 1)], later + 2 * SUSPICION);
        assert_eq!(sizes.batches(), batches(1_000_000));
        assert_eq!(sizes.transaction_bytes(), TRANSACTION.0);
    }
}
