//! Up to which letter everything is settled: sent and acknowledged, or left by rule. Pure.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use super::letter::Place;
use crate::receipt::Receipt;

/// The letters that were read, in the order of their partitions.
#[derive(Debug, Default)]
pub(super) struct Tracker {
    partitions: BTreeMap<i32, Partition>,
}

#[derive(Debug)]
struct Partition {
    /// Everything before this offset is settled.
    position: i64,
    /// Letters that are not, and those behind them that nobody waits for.
    waiting: VecDeque<(i64, Option<Arc<Receipt>>)>,
}

impl Tracker {
    /// A partition is read from this offset on.
    pub(super) fn begin(&mut self, partition: i32, position: i64) {
        self.partitions.insert(partition, Partition { position, waiting: VecDeque::new() });
    }

    /// A letter was read; with a receipt it is settled when that is.
    pub(super) fn add(&mut self, place: Place, receipt: Option<Arc<Receipt>>) {
        if let Some(partition) = self.partitions.get_mut(&place.partition) {
            partition.waiting.push_back((place.offset, receipt));
        }
    }

    /// Nothing comes before this offset any more.
    pub(super) fn reach(&mut self, partition: i32, end: i64) {
        if let Some(partition) = self.partitions.get_mut(&partition) {
            partition.settle();
            if partition.waiting.is_empty() {
                partition.position = end.max(partition.position);
            }
        }
    }

    /// Up to where each partition is settled.
    pub(super) fn positions(&mut self) -> BTreeMap<i32, i64> {
        let settled = self.partitions.iter_mut().map(|(id, partition)| {
            partition.settle();
            (*id, partition.position)
        });
        settled.collect()
    }

    /// How many letters were sent and are not acknowledged.
    pub(super) fn unsettled(&self) -> usize {
        let all = self.partitions.values().flat_map(|partition| &partition.waiting);
        all.filter(|(_, receipt)| receipt.as_ref().is_some_and(|it| !it.is_settled())).count()
    }
}

impl Partition {
    fn settle(&mut self) {
        let is_settled = |receipt: &Option<Arc<Receipt>>| {
            receipt.as_ref().is_none_or(|receipt| receipt.is_settled())
        };
        while self.waiting.front().is_some_and(|(_, receipt)| is_settled(receipt)) {
            if let Some((offset, _)) = self.waiting.pop_front() {
                self.position = offset + 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: i64) -> Place {
        Place { partition: 0, offset }
    }

    #[test]
    fn the_position_stands_before_the_first_letter_that_is_not_acknowledged() {
        let mut tracker = Tracker::default();
        tracker.begin(0, 5);
        let (first, first_share) = Receipt::new();
        let (second, second_share) = Receipt::new();
        tracker.add(at(5), None);
        tracker.add(at(6), Some(first));
        tracker.add(at(8), Some(second));
        tracker.add(at(9), None);
        assert_eq!(tracker.positions()[&0], 6);
        second_share.settle();
        assert_eq!((tracker.positions()[&0], tracker.unsettled()), (6, 1));
        tracker.reach(0, 20);
        assert_eq!(tracker.positions()[&0], 6, "the end does not count while one is on its way");
        first_share.settle();
        assert_eq!((tracker.positions()[&0], tracker.unsettled()), (10, 0));
        tracker.reach(0, 20);
        assert_eq!(tracker.positions()[&0], 20);
    }

    #[test]
    fn a_letter_that_is_lost_on_its_way_holds_the_position() {
        let mut tracker = Tracker::default();
        tracker.begin(0, 0);
        let (receipt, share) = Receipt::new();
        tracker.add(at(0), Some(receipt));
        drop(share);
        assert_eq!(tracker.positions()[&0], 0);
    }
}
