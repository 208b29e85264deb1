//! How far each partition was fetched, handed over, acknowledged and committed, for as long as it is ours. Pure.
//!
//! Whenever a partition comes to us a new tenure of it begins. What is acknowledged late, of an earlier tenure, counts
//! for nothing: the partition may be another member's meanwhile.

use std::collections::{BTreeMap, VecDeque};

use super::super::Position;
use crate::kafka::{commits::Due, gap::Gap, resume::beyond};

/// What we know of the partitions that are ours.
#[derive(Debug, Default)]
pub(super) struct Offsets {
    tenures: u64,
    ours: BTreeMap<i32, Held>,
    position: u64,
    /// What was reached with each position that is not acknowledged yet.
    marks: VecDeque<(Position, Vec<Reached>)>,
}

#[derive(Debug)]
struct Held {
    tenure: u64,
    /// The id of the topic that the offsets are of.
    topic_id: Option<String>,
    /// Where it was begun.
    begun: i64,
    /// The next offset to come from the broker.
    fetched: i64,
    /// The offset behind the last message that was handed over.
    handed: Option<i64>,
    /// The same of what was marked with a position.
    marked: Option<i64>,
    /// The same of what is safe.
    acknowledged: Option<i64>,
    /// The same of what the group knows.
    committed: Option<i64>,
    is_leaving: bool,
    gap: Gap,
    /// Where it went back to, if it did: offsets behind the gap are not true then, and nothing more of it is handed over.
    stands_at: Option<i64>,
    /// Whether its log has gone back behind what was fetched, so that nobody may go on from what was reached.
    is_beyond: bool,
}

impl Held {
    /// Whether what comes of it is taken.
    const fn is_read(&self) -> bool {
        !self.is_leaving && self.stands_at.is_none() && !self.is_beyond
    }

    /// What the group may know.
    fn reached(&self) -> Option<i64> {
        let acknowledged = self.acknowledged?;
        Some(match self.stands_at {
            None => acknowledged,
            Some(offset) if acknowledged == self.fetched => offset,
            Some(_) => self.gap.closed(acknowledged),
        })
    }
}

#[derive(Debug)]
struct Reached {
    partition: i32,
    tenure: u64,
    next: i64,
}

/// A message that came from the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fetched {
    /// The tenure that it belongs to.
    pub(super) tenure: u64,
    /// The first offset that was left out before it, if any was.
    pub(super) leap_from: Option<i64>,
}

impl Offsets {
    /// A partition is ours from now on, and is fetched from `start` on.
    pub(super) fn begin(&mut self, partition: i32, start: i64, topic_id: Option<String>) {
        self.tenures += 1;
        let held = Held {
            tenure: self.tenures,
            topic_id,
            begun: start,
            fetched: start,
            handed: None,
            marked: None,
            acknowledged: None,
            committed: None,
            is_leaving: false,
            gap: Gap::default(),
            stands_at: None,
            is_beyond: false,
        };
        self.ours.insert(partition, held);
    }

    /// A message came; none when its partition is not ours, or not for long any more.
    pub(super) fn fetch(&mut self, partition: i32, offset: i64) -> Option<Fetched> {
        let held = self.ours.get_mut(&partition);
        let held = held.filter(|held| held.is_read())?;
        let leap_from = (offset > held.fetched).then_some(held.fetched);
        if let Some(from) = leap_from {
            held.gap = Gap::new(from, offset);
        }
        held.fetched = offset + 1;
        Some(Fetched { tenure: held.tenure, leap_from })
    }

    /// Where fetching is, if this offset fills what was left out before: then the offset of the message before it is not
    /// true, and nothing more of the partition is fetched.
    pub(super) fn stand_if_it_goes_back(&mut self, partition: i32, offset: i64) -> Option<i64> {
        let held = self.ours.get_mut(&partition).filter(|held| held.stands_at.is_none())?;
        let seen = held.fetched - 1;
        held.stands_at = Some(offset).filter(|offset| held.gap.is_filled_by(*offset, seen));
        held.stands_at.map(|_| held.fetched)
    }

    /// Whether a message is before what was fetched, although nothing was left out: its log has gone back. Then nothing more of
    /// the partition is fetched, and the group is told that nobody may go on from where we are.
    pub(super) fn go_beyond(&mut self, partition: i32, offset: i64) -> bool {
        let held = self.ours.get_mut(&partition).filter(|held| held.is_read());
        let Some(held) = held.filter(|held| offset < held.fetched) else { return false };
        held.is_beyond = true;
        held.committed = None;
        true
    }

    /// Where fetching is in each partition that is ours and stays so.
    pub(super) fn positions(&self) -> Vec<(i32, i64)> {
        let ours = self.ours.iter().filter(|(_, held)| !held.is_leaving);
        ours.map(|(partition, held)| (*partition, held.fetched)).collect()
    }

    /// Where fetching is in a partition, if it is ours.
    pub(super) fn position(&self, partition: i32) -> Option<i64> {
        self.ours.get(&partition).map(|held| held.fetched)
    }

    /// Whether a message may be handed over; then it is.
    pub(super) fn hand_over(&mut self, partition: i32, tenure: u64, offset: i64) -> bool {
        let held = self.ours.get_mut(&partition);
        let Some(held) = held.filter(|held| held.tenure == tenure && !held.is_leaving) else {
            return false;
        };
        held.handed = Some(offset + 1);
        true
    }

    /// The position behind everything that was handed over.
    pub(super) fn mark(&mut self) -> Position {
        let mut reached = Vec::new();
        for (partition, held) in &mut self.ours {
            if let Some(next) = held.handed.filter(|_| held.handed != held.marked) {
                held.marked = held.handed;
                reached.push(Reached { partition: *partition, tenure: held.tenure, next });
            }
        }
        self.position += 1;
        self.marks.push_back((Position(self.position), reached));
        Position(self.position)
    }

    /// Everything up to `position` is safe.
    pub(super) fn acknowledge(&mut self, position: Position) {
        while self.marks.front().is_some_and(|(mark, _)| *mark <= position) {
            let Some((_, reached)) = self.marks.pop_front() else { return };
            for Reached { partition, tenure, next } in reached {
                let held = self.ours.get_mut(&partition);
                if let Some(held) = held.filter(|held| held.tenure == tenure) {
                    held.acknowledged = Some(next);
                }
            }
        }
    }

    /// Nothing more of these partitions is handed over.
    pub(super) fn leave(&mut self, partitions: &[i32]) {
        for held in self.of(partitions) {
            held.is_leaving = true;
        }
    }

    /// Whether all that was handed over of these partitions is safe.
    pub(super) fn is_settled(&mut self, partitions: &[i32]) -> bool {
        self.of(partitions).all(|held| held.handed == held.acknowledged)
    }

    /// What the group is to be told of these partitions.
    pub(super) fn due(&self, partitions: &[i32]) -> Vec<Due> {
        let due = |(partition, held): (&i32, &Held)| {
            let reached = held.reached().or_else(|| held.is_beyond.then_some(held.begun));
            let offset = reached.filter(|reached| held.committed != Some(*reached))?;
            if held.is_beyond {
                return Some(beyond(*partition, offset, held.topic_id.as_deref()));
            }
            Some(Due { partition: *partition, offset, topic_id: held.topic_id.clone() })
        };
        self.ours
            .iter()
            .filter(|(partition, _)| partitions.contains(partition))
            .filter_map(due)
            .collect()
    }

    /// The group knows this offset.
    pub(super) fn commit(&mut self, partition: i32, offset: i64) {
        if let Some(held) = self.ours.get_mut(&partition) {
            held.committed = Some(offset);
        }
    }

    /// The partitions that are ours.
    pub(super) fn partitions(&self) -> Vec<i32> {
        self.ours.keys().copied().collect()
    }

    /// These are not ours any more.
    pub(super) fn forget(&mut self, partitions: &[i32]) {
        self.ours.retain(|partition, _| !partitions.contains(partition));
    }

    fn of(&mut self, partitions: &[i32]) -> impl Iterator<Item = &mut Held> {
        let ours = self.ours.iter_mut();
        ours.filter(|(partition, _)| partitions.contains(partition)).map(|(_, held)| held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetch_and_hand_over(offsets: &mut Offsets, partition: i32, offset: i64) {
        let fetched = offsets.fetch(partition, offset).unwrap();
        assert!(offsets.hand_over(partition, fetched.tenure, offset));
    }

    fn due(partition: i32, offset: i64) -> Due {
        Due { partition, offset, topic_id: Some("id".to_owned()) }
    }

    fn two() -> Offsets {
        let mut offsets = Offsets::default();
        for partition in [0, 1] {
            offsets.begin(partition, 10, Some("id".to_owned()));
        }
        offsets
    }

    #[test]
    fn the_group_is_told_what_is_acknowledged_and_nothing_else() {
        let mut offsets = two();
        fetch_and_hand_over(&mut offsets, 0, 10);
        let first = offsets.mark();
        fetch_and_hand_over(&mut offsets, 0, 11);
        fetch_and_hand_over(&mut offsets, 1, 12);
        let second = offsets.mark();
        assert_eq!(offsets.due(&[0, 1]), []);
        offsets.acknowledge(first);
        assert_eq!(offsets.due(&[0, 1]), [due(0, 11)]);
        assert!(!offsets.is_settled(&[0]));
        offsets.acknowledge(second);
        assert_eq!(offsets.due(&[0, 1]), [due(0, 12), due(1, 13)]);
        assert_eq!(offsets.due(&[1]), [due(1, 13)]);
        assert!(offsets.is_settled(&[0, 1]));
        offsets.commit(0, 12);
        assert_eq!(offsets.due(&[0, 1]), [due(1, 13)]);
    }

    #[test]
    fn what_is_acknowledged_after_a_partition_was_given_back_is_not_committed_for_its_next_owner() {
        let mut offsets = two();
        fetch_and_hand_over(&mut offsets, 0, 10);
        let position = offsets.mark();
        offsets.forget(&[0]);
        offsets.acknowledge(position);
        assert_eq!(offsets.due(&[0, 1]), []);
        // Nor for ourselves, when it has come back: it is fetched from elsewhere.
        let mut offsets = two();
        fetch_and_hand_over(&mut offsets, 0, 10);
        let position = offsets.mark();
        offsets.forget(&[0]);
        offsets.begin(0, 5, None);
        offsets.acknowledge(position);
        assert_eq!(offsets.due(&[0]), []);
    }

    #[test]
    fn what_was_fetched_in_an_earlier_tenure_is_not_handed_over() {
        let mut offsets = two();
        let old = offsets.fetch(0, 10).unwrap();
        offsets.begin(0, 10, None);
        assert!(!offsets.hand_over(0, old.tenure, 10));
        let new = offsets.fetch(0, 10).unwrap();
        assert!(offsets.hand_over(0, new.tenure, 10));
    }

    #[test]
    fn nothing_more_is_handed_over_of_a_partition_that_leaves() {
        let mut offsets = two();
        let fetched = offsets.fetch(0, 10).unwrap();
        offsets.leave(&[0]);
        assert!(!offsets.hand_over(0, fetched.tenure, 10));
        assert_eq!(offsets.fetch(0, 11), None);
        assert!(offsets.is_settled(&[0]));
        assert!(offsets.fetch(1, 10).is_some());
        assert_eq!(offsets.fetch(7, 10), None, "it is not ours");
    }

    #[test]
    fn offsets_that_are_left_out_are_noticed() {
        let mut offsets = two();
        assert_eq!(offsets.fetch(0, 10).unwrap().leap_from, None);
        assert_eq!(offsets.fetch(0, 14).unwrap().leap_from, Some(11));
        assert_eq!(offsets.fetch(0, 15).unwrap().leap_from, None);
    }

    #[test]
    fn a_partition_that_goes_back_into_its_gap_stands_and_its_offset_goes_back_too() {
        let mut offsets = two();
        fetch_and_hand_over(&mut offsets, 0, 10);
        let before = offsets.mark();
        // Their true offsets are 11 and 12, and one bit is turned.
        fetch_and_hand_over(&mut offsets, 0, 75);
        let half = offsets.mark();
        fetch_and_hand_over(&mut offsets, 0, 76);
        let behind = offsets.mark();
        offsets.acknowledge(half);
        assert_eq!(offsets.due(&[0]), [due(0, 76)], "nobody knows yet");
        offsets.commit(0, 76);
        assert_eq!(offsets.stand_if_it_goes_back(0, 77), None);
        assert_eq!(offsets.stand_if_it_goes_back(0, 13), Some(77));
        assert_eq!((offsets.fetch(0, 13), offsets.fetch(0, 77)), (None, None));
        assert_eq!(offsets.due(&[0]), [due(0, 12)], "the second of them is not safe");
        offsets.acknowledge(behind);
        assert_eq!(offsets.due(&[0]), [due(0, 13)]);
        offsets.commit(0, 13);
        assert_eq!(offsets.due(&[0]), []);
        assert!(offsets.fetch(1, 10).is_some(), "the others go on");
        // The same before anything behind the gap is safe.
        let mut offsets = two();
        fetch_and_hand_over(&mut offsets, 0, 10);
        assert_eq!(offsets.mark(), before);
        fetch_and_hand_over(&mut offsets, 0, 75);
        offsets.mark();
        offsets.acknowledge(before);
        assert_eq!(offsets.stand_if_it_goes_back(0, 12), Some(76));
        assert_eq!(offsets.due(&[0]), [due(0, 11)]);
    }

    #[test]
    fn what_was_here_before_and_left_nothing_out_is_no_reason_to_stand() {
        let mut offsets = two();
        fetch_and_hand_over(&mut offsets, 0, 10);
        fetch_and_hand_over(&mut offsets, 0, 12);
        assert_eq!(offsets.stand_if_it_goes_back(0, 10), None);
        assert_eq!(offsets.stand_if_it_goes_back(0, 12), None);
        assert_eq!(offsets.stand_if_it_goes_back(7, 11), None, "it is not ours");
        assert!(offsets.fetch(0, 13).is_some());
    }

    #[test]
    fn where_the_log_went_back_nobody_may_go_on() {
        let mut offsets = two();
        fetch_and_hand_over(&mut offsets, 0, 10);
        let position = offsets.mark();
        offsets.acknowledge(position);
        offsets.commit(0, 11);
        assert!(!offsets.go_beyond(0, 11) && !offsets.go_beyond(0, 12) && !offsets.go_beyond(7, 0));
        assert!(offsets.go_beyond(0, 9));
        assert_eq!((offsets.fetch(0, 9), offsets.fetch(0, 11)), (None, None));
        assert!(!offsets.go_beyond(0, 9), "it is said once");
        assert_eq!(offsets.due(&[0, 1]), [beyond(0, 11, Some("id"))]);
        offsets.commit(0, 11);
        assert_eq!(offsets.due(&[0, 1]), []);
        // Before anything came.
        assert!(offsets.go_beyond(1, 0));
        assert_eq!(offsets.due(&[1]), [beyond(1, 10, Some("id"))]);
    }

    #[test]
    fn a_position_may_hold_nothing() {
        let mut offsets = two();
        let (first, second) = (offsets.mark(), offsets.mark());
        assert!(first < second);
        offsets.acknowledge(second);
        assert_eq!(offsets.due(&[0, 1]), []);
    }
}
