//! How far each partition was read, and whether that is as far as was asked for. Pure.

use std::collections::BTreeMap;

/// Where a partition began and ended when it was first asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermarks {
    /// Offset of the oldest message.
    pub low: i64,
    /// Offset that the next message will get.
    pub high: i64,
}

/// The partitions of a topic on their way.
#[derive(Debug)]
pub(super) struct Positions {
    /// Whether partitions are done at the end that they had at the start.
    is_bounded: bool,
    partitions: BTreeMap<i32, Partition>,
}

#[derive(Clone, Copy, Debug)]
struct Partition {
    at_start: Watermarks,
    /// Offset of the next message.
    position: i64,
    is_done: bool,
}

impl Positions {
    pub(super) fn new(is_bounded: bool) -> Self {
        Self { is_bounded, partitions: BTreeMap::new() }
    }

    /// A partition is going to be read from `position` on; true when there is something to read.
    pub(super) fn add(&mut self, id: i32, at_start: Watermarks, position: i64) -> bool {
        let is_done = self.is_bounded && position >= at_start.high;
        self.partitions.insert(id, Partition { at_start, position, is_done });
        !is_done
    }

    pub(super) fn is_empty(&self) -> bool {
        self.partitions.is_empty()
    }

    pub(super) fn contains(&self, id: i32) -> bool {
        self.partitions.contains_key(&id)
    }

    /// The partitions, with what they held at the start.
    pub(super) fn at_start(&self) -> impl Iterator<Item = (i32, Watermarks)> {
        self.partitions.iter().map(|(id, partition)| (*id, partition.at_start))
    }

    /// Whether nothing more is wanted of any partition.
    pub(super) fn is_finished(&self) -> bool {
        self.is_bounded && self.partitions.values().all(|partition| partition.is_done)
    }

    /// Whether a message is to be handed out: nothing is that came after the start of a bounded reading.
    pub(super) fn is_wanted(&self, id: i32, offset: i64) -> bool {
        let is_new = |partition: &Partition| offset >= partition.at_start.high;
        !self.is_bounded || !self.partitions.get(&id).is_none_or(is_new)
    }

    /// The message at `offset` was read; true when its partition is done by that.
    pub(super) fn advance(&mut self, id: i32, offset: i64) -> bool {
        let Some(partition) = self.partitions.get_mut(&id) else { return false };
        partition.position = offset + 1;
        partition.position >= partition.at_start.high && self.finish(id)
    }

    /// The partition was read to its present end; true when it is done by that.
    pub(super) fn finish(&mut self, id: i32) -> bool {
        let Some(partition) = self.partitions.get_mut(&id) else { return false };
        let becomes_done = self.is_bounded && !partition.is_done;
        partition.is_done |= becomes_done;
        becomes_done
    }

    /// Where a partition is.
    pub(super) fn position(&self, id: i32) -> Option<i64> {
        self.partitions.get(&id).map(|partition| partition.position)
    }

    /// The partitions that are not done, and the offsets that they are at.
    pub(super) fn open(&self) -> impl Iterator<Item = (i32, i64)> {
        let open = self.partitions.iter().filter(|(_, partition)| !partition.is_done);
        open.map(|(id, it)| (*id, it.position))
    }

    /// A partition that is not done, and the offset that it is at.
    pub(super) fn first_open(&self) -> Option<(i32, i64)> {
        self.open().next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn positions(is_bounded: bool) -> Positions {
        let mut positions = Positions::new(is_bounded);
        positions.add(0, Watermarks { low: 0, high: 3 }, 0);
        positions
    }

    #[test]
    fn a_partition_is_done_at_the_end_that_it_had_at_the_start() {
        let mut positions = positions(true);
        assert!(!positions.advance(0, 1));
        assert!(positions.is_wanted(0, 2));
        assert!(positions.advance(0, 2));
        assert!(positions.is_finished());
        assert!(!positions.is_wanted(0, 3), "it came later");
    }

    #[test]
    fn the_end_can_be_reached_without_a_message() {
        let mut positions = positions(true);
        assert_eq!(positions.first_open(), Some((0, 0)));
        assert!(positions.finish(0));
        assert!(!positions.finish(0), "it is told once");
        assert!(positions.is_finished());
        assert_eq!(positions.first_open(), None);
    }

    #[test]
    fn where_nothing_lies_there_is_nothing_to_read() {
        let mut positions = Positions::new(true);
        assert!(!positions.add(0, Watermarks { low: 7, high: 7 }, 7));
        assert!(positions.is_finished());
        assert!(positions.add(1, Watermarks { low: 7, high: 8 }, 7));
        assert!(!positions.is_finished());
    }

    #[test]
    fn an_unbounded_reading_is_never_finished() {
        let mut positions = positions(false);
        assert!(!positions.advance(0, 9));
        assert!(!positions.finish(0));
        assert!(positions.is_wanted(0, 10));
        assert!(positions.is_wanted(5, 0), "a partition that is not known yet");
        assert!(!positions.is_finished());
    }
}
