//! How far each partition of the dead-letter topic was sent back, as the group knows it.

use std::collections::BTreeMap;

use super::{Options, RedriveError, progress::Progress};
use crate::kafka::{
    client::Cluster,
    group_offsets::{GroupOffsets, Stored},
    reader::Watermarks,
};

/// The group's knowledge, and ours.
pub(super) struct Bookmarks {
    group: GroupOffsets,
    name: String,
    partitions: BTreeMap<i32, Progress>,
    /// What the group has, as far as we know.
    known: BTreeMap<i32, Stored>,
    /// What we tried to give it last; an answer may have been lost.
    tried: BTreeMap<i32, Stored>,
}

impl Bookmarks {
    /// Asks the group.
    pub(super) fn read(
        cluster: &Cluster,
        options: &Options,
        at_start: &BTreeMap<i32, Watermarks>,
    ) -> Result<Self, RedriveError> {
        let name = options.group();
        let group = GroupOffsets::new(cluster, &name, &options.from)?;
        let ids: Vec<_> = at_start.keys().copied().collect();
        let known = group.read(&ids)?;
        let of = |(id, marks): (&i32, &Watermarks)| (*id, begin(known.get(id), *marks));
        let partitions = at_start.iter().map(of).collect();
        Ok(Self { group, name, partitions, tried: known.clone(), known })
    }

    /// Where each partition has to be read from.
    pub(super) fn starts(
        &self,
        options: &Options,
        at_start: &BTreeMap<i32, Watermarks>,
    ) -> BTreeMap<i32, i64> {
        let (reasons, below) = (options.wanted(), options.max_attempts);
        let start = |(id, marks): (&i32, &Watermarks)| {
            let known = self.partitions.get(id);
            let start = known.map_or(0, |known| known.start(reasons.iter().copied(), below));
            (*id, start.clamp(marks.low, marks.high))
        };
        at_start.iter().map(start).collect()
    }

    /// What was sent back before in a partition.
    pub(super) fn of(&self, partition: i32) -> Option<&Progress> {
        self.partitions.get(&partition)
    }

    /// Tells the group how far it is now, unless it knows.
    pub(super) fn write(
        &mut self,
        options: &Options,
        positions: &BTreeMap<i32, i64>,
    ) -> Result<(), RedriveError> {
        let mut news = BTreeMap::new();
        for (id, position) in positions {
            let Some(progress) = self.partitions.get(id) else { continue };
            let mut progress = progress.clone();
            progress.advance(options.wanted(), options.max_attempts, *position);
            let stored = Stored { offset: *position, metadata: progress.to_string() };
            if self.known.get(id) != Some(&stored) {
                news.insert(*id, stored);
            }
        }
        if news.is_empty() {
            return Ok(());
        }
        self.check_alone(&news)?;
        self.tried.extend(news.clone());
        self.group.write(&news)?;
        self.known.extend(news);
        Ok(())
    }

    /// Two runs at a time would send everything twice.
    fn check_alone(&self, news: &BTreeMap<i32, Stored>) -> Result<(), RedriveError> {
        let ids: Vec<_> = news.keys().copied().collect();
        let found = self.group.read(&ids)?;
        let is_ours = |id: &i32| {
            let found = found.get(id);
            found == self.known.get(id) || found == self.tried.get(id)
        };
        if ids.iter().all(is_ours) {
            return Ok(());
        }
        Err(RedriveError::Moved { group: self.name.clone() })
    }
}

/// What a group's offset says of a partition. One behind its end is of a topic that was deleted.
fn begin(stored: Option<&Stored>, marks: Watermarks) -> Progress {
    let known = stored.map(|stored| Progress::read(stored.offset, &stored.metadata));
    known.filter(|progress| progress.highest() <= marks.high).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(offset: i64, metadata: &str) -> Stored {
        Stored { offset, metadata: metadata.to_owned() }
    }

    #[test]
    fn offsets_of_a_topic_that_was_made_again_count_for_nothing() {
        let marks = Watermarks { low: 0, high: 7 };
        assert_eq!(begin(Some(&stored(7, "")), marks), Progress::at(7));
        assert_eq!(begin(Some(&stored(8, "")), marks), Progress::default());
        let text = "batchpipe-redrive=1;base=0;corrupt=3@9";
        assert_eq!(begin(Some(&stored(5, text)), marks), Progress::default());
        assert_eq!(begin(None, marks), Progress::default());
    }
}
