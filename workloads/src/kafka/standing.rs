//! Which partitions stand still from one look to the next, and whose turn it is to be looked at. Pure.

use std::{collections::BTreeMap, mem};

/// What is remembered from one look to the next.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// Where partitions were at the look before.
    before: BTreeMap<i32, i64>,
    /// The partition that had its turn last.
    turn: i32,
}

impl Standing {
    /// Those that are where they were at the look before, with their positions.
    pub(crate) fn still(&mut self, now: impl IntoIterator<Item = (i32, i64)>) -> Vec<(i32, i64)> {
        let before = mem::replace(&mut self.before, now.into_iter().collect());
        let is_still = |(partition, position): &(i32, i64)| before.get(partition) == Some(position);
        let now = self.before.iter().map(|(partition, position)| (*partition, *position));
        now.filter(is_still).collect()
    }

    /// One of them: the next one behind that which had its turn last.
    pub(crate) fn take_turn(&mut self, still: &[(i32, i64)]) -> Option<(i32, i64)> {
        let next = still.iter().find(|(partition, _)| *partition > self.turn);
        let next = next.or_else(|| still.first()).copied()?;
        self.turn = next.0;
        Some(next)
    }

    /// A partition was sent on to this offset: whether it gets behind it is what the next look is for.
    pub(crate) fn sent_on(&mut self, partition: i32, to: i64) {
        self.before.insert(partition, to);
    }

    /// The next look is the first one again.
    pub(crate) fn forget(&mut self) {
        self.before.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_that_stands_still_has_its_turn() {
        let mut standing = Standing::default();
        assert_eq!(standing.still([(0, 5), (1, 5), (2, 5)]), []);
        let still = standing.still([(0, 5), (1, 6), (2, 5)]);
        assert_eq!(still, [(0, 5), (2, 5)]);
        let turns: Vec<_> = (0..3).filter_map(|_| standing.take_turn(&still)).collect();
        assert_eq!(turns, [(2, 5), (0, 5), (2, 5)]);
        assert_eq!(standing.take_turn(&[]), None);
        standing.sent_on(1, 9);
        assert_eq!(standing.still([(0, 6), (1, 9)]), [(1, 9)]);
        standing.forget();
        assert_eq!(standing.still([(0, 5)]), []);
    }
}
