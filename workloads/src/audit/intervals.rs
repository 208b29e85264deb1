//! Sets of numbers as disjoint ranges: memory grows with the number of holes, not of numbers. Pure.

use std::{collections::BTreeMap, ops::Range};

/// A set of numbers. Ranges that touch are one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Intervals {
    /// Start and end (exclusive) of each range, none of them empty.
    ranges: BTreeMap<u64, u64>,
}

impl Intervals {
    /// Adds a range; returns how many of its numbers were in the set already.
    pub(super) fn insert(&mut self, range: Range<u64>) -> u64 {
        if range.is_empty() {
            return 0;
        }
        let (mut start, mut end, mut known) = (range.start, range.end, 0);
        // From the right: the last range that begins at or before our end may overlap or touch, and so on.
        while let Some((&its_start, &its_end)) = self.ranges.range(..=end).next_back() {
            if its_end < start {
                break;
            }
            known += its_end.min(range.end).saturating_sub(its_start.max(range.start));
            self.ranges.remove(&its_start);
            start = start.min(its_start);
            end = end.max(its_end);
        }
        self.ranges.insert(start, end);
        known
    }

    /// Adds all ranges of another set.
    pub(super) fn insert_all(&mut self, other: &Self) {
        for range in other.iter() {
            self.insert(range);
        }
    }

    /// The ranges in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Range<u64>> {
        self.ranges.iter().map(|(start, end)| *start..*end)
    }

    /// What lies between the ranges, in order.
    pub(super) fn holes(&self) -> impl Iterator<Item = Range<u64>> {
        let starts = self.ranges.keys().skip(1);
        self.ranges.values().zip(starts).map(|(end, start)| *end..*start)
    }

    /// From the smallest number to the largest one; `None` when there are none.
    pub(super) fn span(&self) -> Option<Range<u64>> {
        let start = *self.ranges.first_key_value()?.0;
        let end = *self.ranges.last_key_value()?.1;
        Some(start..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(ranges: &[(u64, u64)]) -> Intervals {
        let mut set = Intervals::default();
        for (start, end) in ranges {
            set.insert(*start..*end);
        }
        set
    }

    fn pairs(ranges: impl Iterator<Item = Range<u64>>) -> Vec<(u64, u64)> {
        ranges.map(|range| (range.start, range.end)).collect()
    }

    fn ranges(set: &Intervals) -> Vec<(u64, u64)> {
        pairs(set.iter())
    }

    #[test]
    fn ranges_that_touch_become_one() {
        assert_eq!(ranges(&of(&[(0, 5), (5, 10)])), [(0, 10)]);
        assert_eq!(ranges(&of(&[(5, 10), (0, 5)])), [(0, 10)]);
        assert_eq!(ranges(&of(&[(0, 3), (7, 9), (3, 7)])), [(0, 9)]);
    }

    #[test]
    fn empty_ranges_change_nothing() {
        assert_eq!(of(&[(3, 3)]), Intervals::default());
        let mut set = of(&[(0, 5)]);
        assert_eq!(set.insert(2..2), 0);
        assert_eq!(ranges(&set), [(0, 5)]);
    }

    #[test]
    fn what_was_there_already_is_counted() {
        let mut set = of(&[(0, 5), (10, 15), (20, 25)]);
        assert_eq!(set.insert(5..10), 0);
        assert_eq!(set.insert(12..22), 5);
        assert_eq!(ranges(&set), [(0, 25)]);
        assert_eq!(set.insert(0..25), 25);
        assert_eq!(set.insert(24..30), 1);
        assert_eq!(set.insert(100..200), 0);
        assert_eq!(set.insert(120..130), 10);
        assert_eq!(ranges(&set), [(0, 30), (100, 200)]);
    }

    #[test]
    fn a_range_that_swallows_others_counts_each_of_them_once() {
        let mut set = of(&[(2, 4), (6, 8)]);
        assert_eq!(set.insert(0..10), 4);
        assert_eq!(ranges(&set), [(0, 10)]);
    }

    #[test]
    fn holes_lie_between_ranges_only() {
        let set = of(&[(10, 20), (30, 40), (41, 42)]);
        assert_eq!(pairs(set.holes()), [(20, 30), (40, 41)]);
        assert_eq!(set.span(), Some(10..42));
        assert_eq!(Intervals::default().holes().count(), 0);
        assert_eq!(Intervals::default().span(), None);
    }

    #[test]
    fn the_largest_numbers_are_taken() {
        let mut set = of(&[(u64::MAX - 1, u64::MAX)]);
        assert_eq!(set.insert(0..u64::MAX), 1);
        assert_eq!(ranges(&set), [(0, u64::MAX)]);
    }

    /// Against the obvious way, for many small pseudo-random sets.
    #[test]
    fn it_agrees_with_a_set_of_single_numbers() {
        let mut random = 1_u64;
        let mut draw = |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) % below
        };
        for _ in 0..2000 {
            let (mut set, mut single) = (Intervals::default(), std::collections::BTreeSet::new());
            for _ in 0..12 {
                let start = draw(40);
                let range = start..start + draw(8);
                let known = range.clone().filter(|number| !single.insert(*number)).count() as u64;
                assert_eq!(set.insert(range), known);
            }
            assert!(set.iter().flatten().eq(single.iter().copied()));
            let ranges = ranges(&set);
            assert!(ranges.windows(2).all(|pair| pair[0].1 < pair[1].0), "{ranges:?}");
        }
    }
}
