//! Where a partition is gone on with: from what the group has committed and where its log starts. Pure.

use super::commits::Due;

/// What stands behind the topic's id with an offset that was found to be behind the end of its partition. It stays with the
/// group until somebody sets another offset: the log grows past it, and then nothing else would tell.
const BEYOND: &str = " beyond the end";

/// What the group has of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Committed {
    pub(crate) offset: i64,
    /// The id of the topic that the offset is of, which we commit along with it; empty when others have committed.
    pub(crate) topic_id: String,
    /// Whether it was behind the end of the partition.
    pub(crate) is_beyond: bool,
}

impl Committed {
    /// What the group has, by what was committed along with it.
    pub(crate) fn read(offset: i64, metadata: &str) -> Self {
        let beyond = metadata.strip_suffix(BEYOND);
        let topic_id = beyond.unwrap_or(metadata).to_owned();
        Self { offset, topic_id, is_beyond: beyond.is_some() }
    }
}

/// What is committed along with an offset, so that nobody goes on from it.
pub(crate) fn beyond(partition: i32, offset: i64, topic_id: Option<&str>) -> Due {
    let mark = format!("{}{BEYOND}", topic_id.unwrap_or_default());
    Due { partition, offset, topic_id: Some(mark) }
}

/// Where to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resume {
    /// At the start of the log: the group has nothing.
    Start,
    /// Where the group is, or at the start of the log when retention was faster.
    Committed {
        /// What the group has.
        offset: i64,
        /// Messages that retention removed before they were read.
        expired: u64,
    },
    /// At the start of the log: what the group has is an offset of an earlier topic of that name.
    Anew,
}

/// Nowhere: what the group has was behind the end of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Beyond(pub(crate) i64);

/// Decides by the first offset of the log and the id of the topic that it is of, if the brokers tell ids.
pub(crate) fn resume(
    start: i64,
    committed: Option<&Committed>,
    topic_id: Option<&str>,
) -> Result<Resume, Beyond> {
    let Some(Committed { offset, topic_id: of, is_beyond }) = committed else {
        return Ok(Resume::Start);
    };
    if topic_id.is_some_and(|id| !of.is_empty() && of != id) {
        return Ok(Resume::Anew);
    }
    if *is_beyond {
        return Err(Beyond(*offset));
    }
    Ok(Resume::Committed { offset: *offset, expired: (start - offset).max(0).unsigned_abs() })
}

/// That a group has committed more of a partition than there was.
pub(crate) fn beyond_the_end(group: &str, topic: &str, partition: i32, committed: i64) -> String {
    format!(
        "group {group} has committed offset {committed} of topic {topic}, partition {partition}, which was behind its end: \
         messages are lost in Kafka (an unclean leader election, or a damaged log), or the group has followed a damaged one; \
         the partition waits, because what comes until that offset would be left out: stop the members and set the group's \
         offset by hand (kafka-consumer-groups.sh --reset-offsets)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn committed(offset: i64, topic_id: &str) -> Committed {
        Committed { offset, topic_id: topic_id.to_owned(), is_beyond: false }
    }

    #[test]
    fn without_an_offset_the_log_is_read_from_its_start() {
        assert_eq!(resume(5, None, Some("a")), Ok(Resume::Start));
    }

    #[test]
    fn what_retention_removed_is_between_the_group_and_the_start_of_the_log() {
        let of = |offset| resume(10, Some(&committed(offset, "a")), Some("a"));
        assert_eq!(of(4), Ok(Resume::Committed { offset: 4, expired: 6 }));
        assert_eq!(of(12), Ok(Resume::Committed { offset: 12, expired: 0 }));
    }

    #[test]
    fn an_offset_of_an_earlier_topic_counts_for_nothing() {
        assert_eq!(resume(0, Some(&committed(7, "a")), Some("b")), Ok(Resume::Anew));
    }

    #[test]
    fn an_offset_counts_when_nobody_knows_which_topic_it_is_of() {
        let known = Ok(Resume::Committed { offset: 7, expired: 0 });
        assert_eq!(resume(0, Some(&committed(7, "")), Some("b")), known);
        assert_eq!(resume(0, Some(&committed(7, "a")), None), known);
    }

    #[test]
    fn an_offset_that_was_behind_the_end_is_not_gone_on_from_in_this_topic() {
        let read = |due: Due| Committed::read(due.offset, due.topic_id.as_deref().unwrap());
        let known = read(beyond(0, 7, Some("a")));
        assert_eq!(known, Committed { is_beyond: true, ..committed(7, "a") });
        assert_eq!(resume(0, Some(&known), Some("a")), Err(Beyond(7)));
        assert_eq!(resume(0, Some(&known), Some("b")), Ok(Resume::Anew));
        assert_eq!(resume(0, Some(&read(beyond(0, 7, None))), Some("b")), Err(Beyond(7)));
        assert_eq!(Committed::read(7, "a"), committed(7, "a"));
    }
}
