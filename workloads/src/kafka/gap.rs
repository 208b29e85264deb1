//! Offsets that were left out, for as long as they may turn out to be those of what came behind them: a disk has turned a
//! bit of an offset then. Pure.

use std::ops::Range;

/// The offsets of a partition that were left out last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gap(Range<i64>);

impl Gap {
    /// Those from `from` on were left out, and the message at `to` came next.
    pub const fn new(from: i64, to: i64) -> Self {
        Self(from..to)
    }

    /// Whether a message at this offset, after the one at `seen`, shows that what came behind the gap belongs into it: it
    /// lies in the gap, or it is what follows once all that came is moved there. The latter with a gap of one is what the
    /// last message would be too if it came twice, and shows nothing by itself: see [`Self::is_of_one`].
    pub(crate) const fn is_filled_by(&self, offset: i64, seen: i64) -> bool {
        let lies_in_it = self.0.start <= offset && offset < self.0.end;
        lies_in_it || (offset < seen && offset == self.closed(seen) + 1)
    }

    /// Whether one offset was left out. A message at the last one's offset that is another message belongs behind it then.
    pub(crate) const fn is_of_one(&self) -> bool {
        self.0.end - self.0.start == 1
    }

    /// What an offset is without the gap. What came behind it is truly there, or, where something else stands at the start
    /// of the gap (the end of a transaction), a little later: whoever goes on from here leaves nothing out.
    pub(crate) const fn closed(&self, offset: i64) -> i64 {
        if offset < self.0.end { offset } else { offset - (self.0.end - self.0.start) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_the_gap_what_came_behind_it_is_where_it_begins() {
        let gap = Gap::new(10, 74);
        assert!(gap.is_filled_by(10, 74) && gap.is_filled_by(73, 76));
        assert!(!gap.is_filled_by(9, 74) && !gap.is_filled_by(74, 74));
        assert_eq!([9, 10, 74, 76].map(|offset| gap.closed(offset)), [9, 10, 10, 12]);
        assert_eq!(Gap::default().closed(5), 5);
        assert!(!Gap::default().is_filled_by(0, 0) && !Gap::default().is_filled_by(5, 5));
    }

    #[test]
    fn a_gap_that_is_shorter_than_what_came_behind_it_is_filled_by_what_follows_that() {
        // Five messages at 103 to 107 instead of 100 to 104.
        let gap = Gap::new(100, 103);
        let filled: Vec<_> = (95..110).filter(|offset| gap.is_filled_by(*offset, 107)).collect();
        assert_eq!(filled, [100, 101, 102, 105]);
        assert!(!Gap::new(100, 101).is_filled_by(105, 105), "it may have come twice");
        assert!(Gap::new(100, 101).is_of_one() && !gap.is_of_one() && !Gap::default().is_of_one());
    }
}
