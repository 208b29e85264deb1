//! Finding record batches that nobody can read: damaged on a broker's disk, or compressed to more than may be received.
//! Asks brokers, and says what was found; who passes over them is the poll thread.

use std::sync::Arc;

use super::{Config, assignment::Assigned, watermarks::Watermarks};
use crate::kafka::{
    probe::{Probe, Unreadable},
    standing::Standing,
};

/// Messages that cannot be read.
#[derive(Debug)]
pub(super) struct Passing {
    pub(super) assigned: Arc<Assigned>,
    /// Where the partition was when it was looked at.
    pub(super) position: i64,
    pub(super) unreadable: Unreadable,
}

/// What is remembered from one look to the next.
#[derive(Debug, Default)]
pub(super) struct Examination(Standing);

impl Examination {
    /// Looks at the first partition that has not moved since the look before, although there is more in it: one, because
    /// that takes a while.
    pub(super) fn look(
        &mut self,
        config: &Config,
        assigned: &[Arc<Assigned>],
        watermarks: &Watermarks,
        is_over: &dyn Fn() -> bool,
    ) -> Result<Option<Passing>, String> {
        let waiting = self.waiting(assigned, |partition| watermarks.end(partition));
        let Some((partition, position)) = self.0.take_turn(&waiting) else { return Ok(None) };
        let Some(assigned) = assigned.iter().find(|it| it.partition == partition) else {
            return Ok(None);
        };
        let probe = Probe {
            cluster: &config.cluster,
            largest: config.largest_value(),
            topic: &config.topic.name,
            partition,
            is_over,
        };
        let found = probe.unreadable(position)?;
        if let Some(unreadable) = &found {
            self.0.sent_on(partition, unreadable.until);
        }
        Ok(found.map(|unreadable| Passing { assigned: Arc::clone(assigned), position, unreadable }))
    }

    /// Nothing is suspected any more.
    pub(super) fn end(&mut self) {
        self.0.forget();
    }

    /// Partitions that stand still before their ends, with their positions.
    fn waiting(
        &mut self,
        assigned: &[Arc<Assigned>],
        end: impl Fn(i32) -> Option<i64>,
    ) -> Vec<(i32, i64)> {
        let at_work = assigned.iter().filter(|it| it.is_settled() && it.is_active());
        let positions = at_work.map(|it| (it.partition, it.position()));
        let is_before_its_end = |(partition, position): &(i32, i64)| {
            *position >= 0 && end(*partition).is_some_and(|end| *position < end)
        };
        self.0.still(positions.filter(is_before_its_end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_partitions_that_stand_still_before_their_ends_are_looked_at() {
        let all = [0, 1, 2, 3].map(Assigned::new);
        for assigned in &all[..3] {
            assigned.settle_on(None);
        }
        for assigned in &all {
            assigned.begin_at(5);
        }
        let end = |partition| Some(if partition == 1 { 5 } else { 9 });
        let mut examination = Examination::default();
        let mut look = || examination.waiting(&all, end);
        assert_eq!(look(), []);
        assert_eq!(look(), [(0, 5), (2, 5)]);
        all[2].begin_at(6);
        assert_eq!(look(), [(0, 5)]);
        all[0].close();
        assert_eq!(look(), [(2, 6)]);
    }
}
