//! Whether messages come from where they are expected, after something came that cannot be read: librdkafka may have lost its
//! place then. Pure but for the clock.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// How long after that it may be anywhere.
const PERIOD: Duration = Duration::from_mins(1);
/// How long fetching goes on before it is begun anew again.
const PAUSE: Duration = Duration::from_millis(200);

/// What is known of something that cannot be read.
#[derive(Debug, Default)]
pub(crate) struct Suspicion {
    /// When it last came.
    at: Option<Instant>,
    /// Where we last asked for what comes next, by partition.
    asked: BTreeMap<i32, i64>,
    /// When fetching was last begun anew.
    begun: Option<Instant>,
    /// Whether it is to be begun anew.
    is_owed: bool,
}

impl Suspicion {
    /// Whether anything ever came that cannot be read.
    pub(crate) const fn has_arisen(&self) -> bool {
        self.at.is_some()
    }

    /// Something came that cannot be read.
    pub(crate) fn arise(&mut self, now: Instant) {
        self.at = Some(now);
        self.asked.clear();
        self.is_owed = true;
    }

    /// Whether to begin fetching anew now, because something came that cannot be read; not for each error of a storm, since it
    /// throws away what was fetched ahead. What is put off is due later.
    fn take_fresh_start(&mut self, now: Instant) -> bool {
        let is_due = self.is_owed && self.begun.is_none_or(|at| now.duration_since(at) >= PAUSE);
        if is_due {
            self.begun = Some(now);
            self.is_owed = false;
        }
        is_due
    }

    /// The same now, for whoever asks again and again.
    pub(crate) fn is_fresh_start_due(&mut self) -> bool {
        self.at.is_some() && self.take_fresh_start(Instant::now())
    }

    /// Where a partition has to be sent back to, if a message, or its end, is not what comes next at its `position`:
    /// librdkafka has lost its place.
    pub(crate) fn way_back(
        &mut self,
        partition: i32,
        offset: Option<i64>,
        position: impl FnOnce() -> Option<i64>,
    ) -> Option<i64> {
        // Asked for every message, before anything that costs more.
        self.at?;
        let expected = position()?;
        self.doubts(partition, offset, expected, Instant::now()).then_some(expected)
    }

    /// Whether a message, or the partition's end, is not what comes next, so that it has to be asked again for `expected`.
    /// Behind a damaged batch the end is told as if there had been nothing.
    fn doubts(&mut self, partition: i32, offset: Option<i64>, expected: i64, now: Instant) -> bool {
        // The end is behind every offset.
        self.is_astray(partition, offset.unwrap_or(i64::MAX), expected, now)
    }

    /// Whether a message is not to be taken, because it is not what is expected next: then it has to be asked again for
    /// `expected`. What is left out when that was asked for is not there.
    fn is_astray(&mut self, partition: i32, offset: i64, expected: i64, now: Instant) -> bool {
        let is_suspected = self.at.is_some_and(|at| now.duration_since(at) < PERIOD);
        if !is_suspected || expected < 0 || offset == expected {
            return false;
        }
        offset < expected || self.asked.insert(partition, expected) != Some(expected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_astray_while_nothing_is_suspected() {
        let (mut suspicion, now) = (Suspicion::default(), Instant::now());
        assert!(!suspicion.is_astray(0, 3, 7, now));
        suspicion.arise(now);
        assert!(suspicion.is_astray(0, 3, 7, now));
        assert!(!suspicion.is_astray(0, 3, 7, now + PERIOD));
        assert!(!suspicion.is_astray(0, 3, -1, now), "nothing is expected");
    }

    #[test]
    fn a_gap_is_believed_when_it_was_asked_for_what_is_in_it() {
        let (mut suspicion, now) = (Suspicion::default(), Instant::now());
        suspicion.arise(now);
        assert!(!suspicion.is_astray(0, 7, 7, now));
        assert!(suspicion.is_astray(0, 12, 8, now));
        assert!(!suspicion.is_astray(0, 12, 8, now));
        assert!(suspicion.is_astray(1, 12, 8, now), "of another partition");
        assert!(!suspicion.is_astray(0, 12, 8, now) && !suspicion.is_astray(1, 12, 8, now));
        suspicion.arise(now);
        assert!(suspicion.is_astray(1, 12, 8, now), "it came again");
    }

    #[test]
    fn an_end_is_believed_when_nothing_was_wrong_on_the_way_to_it() {
        let (mut suspicion, now) = (Suspicion::default(), Instant::now());
        assert!(!suspicion.doubts(0, None, 7, now));
        suspicion.arise(now);
        assert!(suspicion.doubts(0, None, 7, now));
        suspicion.arise(now);
        assert!(suspicion.doubts(0, None, 7, now), "it came again");
        assert!(!suspicion.doubts(0, None, 7, now));
    }

    #[test]
    fn a_storm_of_errors_does_not_throw_away_what_was_fetched_each_time() {
        let (mut suspicion, now) = (Suspicion::default(), Instant::now());
        assert!(!suspicion.take_fresh_start(now));
        suspicion.arise(now);
        assert!(suspicion.take_fresh_start(now));
        suspicion.arise(now);
        assert!(!suspicion.take_fresh_start(now + PAUSE / 2), "put off");
        assert!(suspicion.take_fresh_start(now + PAUSE), "and not forgotten");
        assert!(!suspicion.take_fresh_start(now + 2 * PAUSE));
    }
}
