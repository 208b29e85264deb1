//! Finding record batches that nobody can read: damaged on a broker's disk, or compressed to more than may be received.
//! Asks brokers, and says what was found; who passes over them is the poll thread.

use std::{collections::BTreeMap, sync::Arc};

use super::{Config, assignment::Assigned, watermarks::Watermarks};
use crate::kafka::probe::Probe;

/// Messages that cannot be read.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub(super) assigned: Arc<Assigned>,
    /// The offset of the first one.
    pub(super) from: i64,
    /// The offset after the last one.
    pub(super) until: i64,
    pub(super) why: &'static str,
}

/// What is remembered from one look to the next.
#[derive(Debug, Default)]
pub(super) struct Examination {
    /// Where partitions were at the look before.
    before: BTreeMap<i32, i64>,
    /// The partition that was looked at last.
    turn: i32,
}

impl Examination {
    /// Looks at the first partition that has not moved since the look before, although there is more in it: one, because
    /// that takes a while.
    pub(super) fn look(
        &mut self,
        config: &Config,
        assigned: &[Arc<Assigned>],
        watermarks: &Watermarks,
    ) -> Result<Option<Unreadable>, String> {
        let waiting = self.waiting(assigned, |partition| watermarks.end(partition));
        // Those that were not looked at last come first.
        let turn = self.turn;
        let next = waiting.iter().find(|(it, _)| it.partition > turn).or_else(|| waiting.first());
        let Some((assigned, from)) = next.copied() else { return Ok(None) };
        self.turn = assigned.partition;
        let probe = Probe {
            cluster: &config.cluster,
            largest: config.largest_value(),
            topic: &config.topic.name,
            partition: assigned.partition,
        };
        let found = probe.unreadable(from).map_err(|problem| {
            format!(
                "something in topic {} cannot be read, and what it is cannot be found out: partition {}, offset {from}: \
                 {problem}; trying again",
                config.topic.name, assigned.partition
            )
        })?;
        Ok(found.map(|(until, why)| Unreadable {
            assigned: Arc::clone(assigned),
            from,
            until,
            why,
        }))
    }

    /// Nothing is suspected any more.
    pub(super) fn end(&mut self) {
        self.before.clear();
    }

    /// Partitions that stand still before their ends, with their positions.
    fn waiting<'a>(
        &mut self,
        assigned: &'a [Arc<Assigned>],
        end: impl Fn(i32) -> Option<i64>,
    ) -> Vec<(&'a Arc<Assigned>, i64)> {
        let is_at_work = |it: &&Arc<Assigned>| it.is_settled() && it.is_active();
        let mut now = BTreeMap::new();
        let mut waiting = Vec::new();
        for assigned in assigned.iter().filter(is_at_work) {
            let (partition, position) = (assigned.partition, assigned.position());
            if position < 0 || end(partition).is_none_or(|end| position >= end) {
                continue;
            }
            if self.before.get(&partition) == Some(&position) {
                waiting.push((assigned, position));
            }
            now.insert(partition, position);
        }
        self.before = now;
        waiting
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
        let mut look = || -> Vec<(i32, i64)> {
            let waiting = examination.waiting(&all, end);
            waiting.into_iter().map(|(it, from)| (it.partition, from)).collect()
        };
        assert_eq!(look(), []);
        assert_eq!(look(), [(0, 5), (2, 5)]);
        all[2].begin_at(6);
        assert_eq!(look(), [(0, 5)]);
        all[0].close();
        assert_eq!(look(), [(2, 6)]);
    }
}
