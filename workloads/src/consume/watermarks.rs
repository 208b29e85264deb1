//! Where partitions begin and end, and how far the group is in them, as the brokers have said. Asks nobody.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use super::assignment::UNKNOWN;
use crate::kafka::resume::{Committed, Resume, resume};

/// First offset and end of each partition, as last heard.
#[derive(Debug, Default)]
pub(super) struct Watermarks {
    known: Mutex<BTreeMap<i32, Marks>>,
    /// Where the group goes on in each partition, with the number of the answer.
    group: Mutex<(u64, BTreeMap<i32, i64>)>,
    /// Number of answers that were asked for so far.
    asked: AtomicU64,
}

/// What the brokers said of one partition.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marks {
    pub(super) start: i64,
    pub(super) end: i64,
    /// Number of the answer.
    pub(super) answer: u64,
    /// When it was asked for, milliseconds since the epoch.
    pub(super) asked_at_ms: i64,
}

impl Watermarks {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<i32, Marks>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set(&self, partition: i32, marks: Marks) {
        self.lock().insert(partition, marks);
    }

    /// The number of an answer that is asked for now.
    pub(super) fn begin_answer(&self) -> u64 {
        self.asked.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// A number that answers reach which were asked for after this call.
    pub(super) fn next_answer(&self) -> u64 {
        self.asked.load(Ordering::Acquire) + 1
    }

    /// The offset that the partition's next message will get.
    pub(super) fn end(&self, partition: i32) -> Option<i64> {
        self.end_since(partition, 0)
    }

    /// The same, if it was heard in this answer or a later one.
    pub(super) fn end_since(&self, partition: i32, answer: u64) -> Option<i64> {
        self.lock().get(&partition).filter(|marks| marks.answer >= answer).map(|marks| marks.end)
    }

    /// Where the group goes on in each partition, if it was heard in this answer or a later one.
    pub(super) fn group_since(&self, answer: u64) -> Option<BTreeMap<i32, i64>> {
        let (heard, group) = &*self.group.lock().unwrap_or_else(PoisonError::into_inner);
        (*heard >= answer).then(|| group.clone())
    }

    pub(super) fn set_group(&self, answer: u64, group: BTreeMap<i32, i64>) {
        *self.group.lock().unwrap_or_else(PoisonError::into_inner) = (answer, group);
    }

    /// When the end was asked for, milliseconds since the epoch.
    pub(super) fn asked_at_ms(&self, partition: i32) -> Option<i64> {
        self.lock().get(&partition).map(|marks| marks.asked_at_ms)
    }

    /// The offset of the partition's first message.
    pub(super) fn start(&self, partition: i32) -> Option<i64> {
        self.start_since(partition, 0)
    }

    /// The same, if it was heard in this answer or a later one.
    pub(super) fn start_since(&self, partition: i32, answer: u64) -> Option<i64> {
        self.lock().get(&partition).filter(|marks| marks.answer >= answer).map(|marks| marks.start)
    }

    /// Where the group goes on in each of these partitions, by what it has committed. One that is not known is not far.
    pub(super) fn positions(
        &self,
        partitions: &[i32],
        committed: &BTreeMap<i32, Committed>,
        topic_id: Option<&str>,
    ) -> BTreeMap<i32, i64> {
        let position = |partition: &i32| {
            let start = self.start(*partition).unwrap_or(UNKNOWN);
            let position = match resume(start, committed.get(partition), topic_id) {
                Ok(Resume::Committed { offset, .. })
                    if self.end(*partition).is_none_or(|end| offset <= end) =>
                {
                    offset.max(start)
                }
                // Whoever is behind the end does not go on from there.
                Ok(Resume::Committed { .. } | Resume::Start | Resume::Anew) | Err(_) => start,
            };
            (*partition, position)
        };
        partitions.iter().map(position).collect()
    }

    /// Those of these positions at which the group stood before, although they are not the end; `ours` are not asked
    /// for.
    pub(super) fn stuck(&self, positions: &BTreeMap<i32, i64>, ours: &[i32]) -> BTreeMap<i32, i64> {
        let before = self.group_since(0).unwrap_or_default();
        let mut stuck = positions.clone();
        stuck.retain(|partition, position| {
            let is_behind = self.end(*partition).is_some_and(|end| *position < end);
            // Taken for the end before, or at the same place.
            let stands = before.get(partition).is_some_and(|before| before >= position);
            !ours.contains(partition) && is_behind && stands
        });
        stuck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard() -> Watermarks {
        let watermarks = Watermarks::default();
        for (partition, start, end) in [(0, 5, 20), (1, 5, 20), (2, 5, 20), (3, 5, 20)] {
            watermarks.set(partition, Marks { start, end, answer: 1, asked_at_ms: 0 });
        }
        watermarks
    }

    fn committed(offset: i64, topic_id: &str) -> Committed {
        Committed { offset, topic_id: topic_id.to_owned(), is_beyond: false }
    }

    #[test]
    fn the_group_is_where_it_committed_in_this_topic() {
        let committed = BTreeMap::from([
            (0, committed(20, "new")),
            (1, committed(20, "old")),
            (2, committed(3, "new")),
            (9, committed(7, "new")),
        ]);
        let found = heard().positions(&[0, 1, 2, 3, 9], &committed, Some("new"));
        let expected = [(0, 20), (1, 5), (2, 5), (3, 5), (9, 7)];
        assert_eq!(found, BTreeMap::from(expected), "an offset of an earlier topic is no end");
        let behind = Committed { offset: 9, topic_id: "new".to_owned(), is_beyond: true };
        let committed = BTreeMap::from([(0, self::committed(21, "new")), (1, behind)]);
        let found = heard().positions(&[0, 1], &committed, Some("new"));
        assert_eq!(found, BTreeMap::from([(0, 5), (1, 5)]), "nor is one that is behind the end");
    }

    #[test]
    fn others_are_stuck_where_they_stood_before_the_end() {
        let watermarks = heard();
        let positions = BTreeMap::from([(0, 20), (1, 8), (2, 8), (3, 8)]);
        assert!(watermarks.stuck(&positions, &[]).is_empty(), "nothing was heard before");
        watermarks.set_group(1, BTreeMap::from([(0, 20), (1, 8), (2, 7), (3, 20)]));
        let stuck = watermarks.stuck(&positions, &[]);
        assert_eq!(stuck, BTreeMap::from([(1, 8), (3, 8)]));
        assert_eq!(watermarks.stuck(&positions, &[1]), BTreeMap::from([(3, 8)]));
    }
}
