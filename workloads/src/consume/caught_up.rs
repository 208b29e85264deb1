//! Whether a consumer has caught up: every partition has passed the end that it had when this was first asked.
//! Pure; the session tells it what is seen.
//!
//! The end may stand behind something that is no message (the end of a transaction), so that no position ever
//! reaches it. Then having been told the end of the partition counts, if that was after the question and nothing
//! has come since; what was told before may be long past.

use std::collections::BTreeMap;

/// One partition, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) partition: i32,
    /// Of ours, the offset after the last message that was fetched, or where fetching begins; of others', where the
    /// group goes on.
    pub(super) position: i64,
    /// Where the log ends, if the brokers have said so after the question.
    pub(super) end: Option<i64>,
}

/// What is known of the way to the end.
#[derive(Debug, Default)]
pub(super) struct CaughtUp {
    /// How far each partition has to come.
    targets: BTreeMap<i32, i64>,
    /// The position at which the end of a partition was told, after its target was known.
    ends: BTreeMap<i32, i64>,
}

impl CaughtUp {
    /// librdkafka told that a partition's end is reached, at this position.
    pub(super) fn reach_end(&mut self, partition: i32, position: i64) {
        if self.targets.contains_key(&partition) {
            self.ends.insert(partition, position);
        }
    }

    /// Fetching of a partition begins somewhere else.
    pub(super) fn rewind(&mut self, partition: i32) {
        self.ends.remove(&partition);
    }

    /// Whether all of these partitions have come far enough.
    pub(super) fn is_complete(&mut self, seen: &[Seen]) -> bool {
        self.behind(seen).is_empty()
    }

    /// Those of these partitions that have not come far enough.
    pub(super) fn behind(&mut self, seen: &[Seen]) -> Vec<i32> {
        for partition in seen {
            if let Some(end) = partition.end {
                self.targets.entry(partition.partition).or_insert(end);
            }
        }
        let is_behind = |partition: &&Seen| {
            let target = self.targets.get(&partition.partition);
            !target.is_some_and(|target| {
                partition.position >= *target
                    || self.ends.get(&partition.partition) == Some(&partition.position)
            })
        };
        seen.iter().filter(is_behind).map(|partition| partition.partition).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(position: i64, end: Option<i64>) -> [Seen; 1] {
        [Seen { partition: 0, position, end }]
    }

    #[test]
    fn the_first_end_that_is_heard_counts() {
        let mut caught_up = CaughtUp::default();
        assert!(!caught_up.is_complete(&seen(5, None)));
        assert!(!caught_up.is_complete(&seen(5, Some(7))));
        assert!(caught_up.is_complete(&seen(7, Some(100))));
    }

    #[test]
    fn an_end_that_was_told_before_the_question_does_not_count() {
        let mut caught_up = CaughtUp::default();
        caught_up.reach_end(0, 5);
        assert!(!caught_up.is_complete(&seen(5, Some(7))));
    }

    #[test]
    fn an_end_behind_something_that_is_no_message_is_reached_when_it_is_told() {
        let mut caught_up = CaughtUp::default();
        assert!(!caught_up.is_complete(&seen(6, Some(7))));
        caught_up.reach_end(0, 6);
        assert!(caught_up.is_complete(&seen(6, Some(7))));
    }

    #[test]
    fn what_is_fetched_anew_has_to_arrive_again() {
        let mut caught_up = CaughtUp::default();
        caught_up.is_complete(&seen(6, Some(7)));
        caught_up.reach_end(0, 6);
        caught_up.rewind(0);
        assert!(!caught_up.is_complete(&seen(2, Some(7))));
    }

    #[test]
    fn every_partition_counts() {
        let mut caught_up = CaughtUp::default();
        let both = [
            Seen { partition: 0, position: 1, end: Some(1) },
            Seen { partition: 1, position: 0, end: Some(1) },
        ];
        assert_eq!(caught_up.behind(&both), [1]);
        assert!(!caught_up.is_complete(&both));
    }

    #[test]
    fn a_partition_that_was_given_to_another_member_keeps_its_target() {
        let mut caught_up = CaughtUp::default();
        assert!(!caught_up.is_complete(&seen(5, Some(7))));
        assert_eq!(caught_up.behind(&seen(6, Some(100))), [0]);
        assert!(caught_up.behind(&seen(7, Some(100))).is_empty());
    }
}
