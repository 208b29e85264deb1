//! Telling a group how far its partitions were read: what is told, when a refusal is worth another try, and when it says
//! nothing. Who commits knows how far it is, and that one commit at a time is on its way.

use std::time::{Duration, Instant};

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code},
};

use super::resume::beyond;

/// How long to wait before a commit is tried again.
const RETRY_WAIT: Duration = Duration::from_millis(50);

/// An offset that the group is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) partition: i32,
    /// The next one to read.
    pub(crate) offset: i64,
    /// The id of the topic that it is of, if it is known.
    pub(crate) topic_id: Option<String>,
}

/// Tells the group, and waits for its answer.
pub(crate) fn commit<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    topic: &str,
    due: &[Due],
) -> KafkaResult<()> {
    if due.is_empty() {
        return Ok(());
    }
    let mut list = TopicPartitionList::new();
    for Due { partition, offset, topic_id } in due {
        let mut element = list.add_partition(topic, *partition);
        element.set_offset(Offset::Offset(*offset))?;
        // With it, whoever comes next knows an offset of a topic that is gone; see `resume`.
        if let Some(id) = topic_id {
            element.set_metadata(id);
        }
    }
    client.commit(&list, CommitMode::Sync)
}

/// Has the group remember that an offset of it is behind the end, for whoever comes when the log has grown past it.
pub(crate) fn mark_beyond<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    topic: &str,
    partition: i32,
    offset: i64,
    topic_id: Option<&str>,
) {
    if let Err(error) = commit(client, topic, &[beyond(partition, offset, topic_id)]) {
        tracing::warn!(partition, %error, "the group cannot be told that its offset is behind the end");
    }
}

/// Commits before partitions are given back: tried again until `deadline` while the group is merely not ready for it.
/// With the group protocol `consumer`, a new epoch may be on its way to us.
pub(crate) fn commit_by<C: ConsumerContext>(
    deadline: Instant,
    client: &BaseConsumer<C>,
    commit: impl Fn() -> KafkaResult<()>,
) -> KafkaResult<()> {
    loop {
        let Err(error) = commit() else { return Ok(()) };
        let passes = error.rdkafka_error_code().is_some_and(passes_soon);
        if !passes || client.assignment_lost() || Instant::now() >= deadline {
            return Err(error);
        }
        std::thread::sleep(RETRY_WAIT);
    }
}

const fn passes_soon(code: Code) -> bool {
    matches!(
        code,
        Code::StaleMemberEpoch
            | Code::RebalanceInProgress
            | Code::CoordinatorLoadInProgress
            | Code::CoordinatorNotAvailable
            | Code::NotCoordinator
    )
}

/// Whether a commit failed because the group was joined anew meanwhile: nothing is wrong then.
pub(crate) fn is_rejoining(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(Code::IllegalGeneration | Code::RebalanceInProgress | Code::StaleMemberEpoch)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_that_is_being_joined_anew_is_asked_again_when_that_passes_by_itself() {
        assert!(passes_soon(Code::StaleMemberEpoch) && !passes_soon(Code::IllegalGeneration));
    }
}
