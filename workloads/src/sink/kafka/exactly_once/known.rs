//! What is known of messages that a transaction was aborted for: records that the topic does not take, and dead letters
//! that have to be cut. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

/// How long a limit that was learned is relied on: somebody may have raised it.
const LIMIT_PERIOD: Duration = Duration::from_mins(1);

/// What a broker refused of one message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Refusals {
    /// Numbers of records, among those of the delivery.
    pub(super) records: BTreeSet<u32>,
    /// How often each dead letter has to be cut in half, by its place among the message's letters.
    pub(super) cuts: BTreeMap<u32, u32>,
}

/// Everything that is known.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Refusals by partition and offset.
    refusals: BTreeMap<i32, BTreeMap<i64, Refusals>>,
    /// The smallest record, with its key, that was refused, and until when that counts for others, in bytes.
    limit: Option<(usize, Instant)>,
}

impl Known {
    /// A record of so many bytes, with its key, was refused.
    pub(super) fn refuse(
        &mut self,
        (partition, offset): (i32, i64),
        record: u32,
        bytes: usize,
        now: Instant,
    ) {
        self.entry(partition, offset).records.insert(record);
        let until = now + LIMIT_PERIOD;
        let smaller = self.limit(now).filter(|known| *known < bytes);
        if smaller.is_none() {
            self.limit = Some((bytes, until));
        }
    }

    /// From which size on records, with their keys, are known to be refused, in bytes.
    pub(super) fn limit(&self, now: Instant) -> Option<usize> {
        self.limit.filter(|(_, until)| now < *until).map(|(bytes, _)| bytes)
    }

    /// A dead letter was refused, which had been cut as often as is known.
    pub(super) fn cut(&mut self, partition: i32, offset: i64, letter: u32) {
        *self.entry(partition, offset).cuts.entry(letter).or_default() += 1;
    }

    fn entry(&mut self, partition: i32, offset: i64) -> &mut Refusals {
        self.refusals.entry(partition).or_default().entry(offset).or_default()
    }

    /// What is known of the message, if anything.
    pub(super) fn of(&self, partition: i32, offset: i64) -> Option<&Refusals> {
        self.refusals.get(&partition)?.get(&offset)
    }

    /// Messages up to this offset are stored.
    pub(super) fn settle(&mut self, partition: i32, offset: i64) {
        if let Some(refusals) = self.refusals.get_mut(&partition) {
            *refusals = refusals.split_off(&(offset + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_add_up_until_their_message_is_stored() {
        let mut known = Known::default();
        let now = Instant::now();
        known.refuse((1, 7), 3, 100, now);
        known.refuse((1, 7), 1, 100, now);
        known.cut(1, 7, 0);
        known.cut(1, 7, 0);
        known.refuse((1, 9), 2, 100, now);
        assert_eq!(known.of(0, 7), None);
        let refusals = known.of(1, 7).unwrap();
        assert_eq!(refusals.records, BTreeSet::from([1, 3]));
        assert_eq!(refusals.cuts, BTreeMap::from([(0, 2)]));
        assert_eq!(known.of(1, 8), None);
        assert!(known.of(1, 7).is_some(), "asking for what is behind it settles nothing");
        known.cut(1, 7, 0);
        assert_eq!(known.of(1, 7).unwrap().cuts[&0], 3);
        known.settle(1, 8);
        assert_eq!(known.of(1, 7), None);
        assert!(known.of(1, 9).is_some());
    }

    #[test]
    fn what_is_as_large_as_a_refused_record_is_refused_for_a_while() {
        let (mut known, now) = (Known::default(), Instant::now());
        assert_eq!(known.limit(now), None);
        known.refuse((0, 0), 0, 100, now);
        known.refuse((0, 0), 1, 200, now);
        assert_eq!(known.limit(now), Some(100));
        known.refuse((0, 0), 2, 50, now);
        assert_eq!(known.limit(now), Some(50));
        let later = now + LIMIT_PERIOD;
        assert_eq!(known.limit(later), None);
        known.refuse((0, 0), 1, 200, later);
        assert_eq!(known.limit(later), Some(200), "the earlier one does not count any more");
    }
}
