//! Committing: the group is told how far each partition was read, and its answer is waited for.
//!
//! A thread of its own does this once in a while, because an answer may take long; the poll thread and who leaves
//! the group do it themselves when partitions are given back. One commit is on its way at a time: an earlier one that
//! came later would set the next owner back.

use std::{
    sync::{Arc, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender};
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code},
};

use super::{assignment::Assigned, group::Context};

/// How long to wait before a commit is tried again.
const RETRY_WAIT: Duration = Duration::from_millis(50);

/// The thread that commits what workers reached.
pub(super) struct Committer {
    wake: Sender<()>,
    thread: JoinHandle<()>,
}

impl Committer {
    pub(super) fn start(client: &Arc<BaseConsumer<Context>>) -> Self {
        let (wake, woken) = crossbeam_channel::bounded(1);
        let client = Arc::clone(client);
        let thread = std::thread::Builder::new()
            .name("commits".to_owned())
            .spawn(move || run(&client, &woken))
            .expect("the system can start a thread");
        Self { wake, thread }
    }

    /// Has it commit soon.
    pub(super) fn wake(&self) {
        let _ = self.wake.try_send(()); // busy: it takes the newest offsets when it comes to it
    }

    /// Ends the thread, which holds the client, and waits for that.
    pub(super) fn end(self) {
        drop(self.wake);
        let _ = self.thread.join(); // a panic there is nothing that can be mended here
    }
}

fn run(client: &BaseConsumer<Context>, woken: &Receiver<()>) {
    while woken.recv().is_ok() {
        let context = client.context();
        if context.membership.is_joining() || context.is_ended() {
            continue; // in vain now, and done by others at the end
        }
        // What is ours is looked up once nobody else commits: it may have been given back while we waited.
        let outcome = commit_all(client, || context.assignments.all());
        if let Err(error) = outcome {
            tell(context, &error);
        }
    }
}

fn tell(context: &Context, error: &KafkaError) {
    match error.rdkafka_error_code() {
        // The group was joined anew meanwhile; nothing is wrong.
        Some(Code::IllegalGeneration | Code::RebalanceInProgress | Code::StaleMemberEpoch) => {
            tracing::debug!(%error, "offsets were not committed; trying again");
        }
        _ => context.tell_uncommitted(&error.to_string()),
    }
}

/// Commits what these partitions have reached and the group does not know, and waits for the answer.
pub(super) fn commit(
    client: &BaseConsumer<Context>,
    partitions: &[Arc<Assigned>],
) -> KafkaResult<()> {
    commit_all(client, || partitions.to_vec())
}

/// The same before partitions are given back: tried again until `deadline` while the group is merely not ready for it.
/// With the group protocol `consumer`, a new epoch may be on its way to us.
pub(super) fn commit_by(
    client: &BaseConsumer<Context>,
    partitions: &[Arc<Assigned>],
    deadline: Instant,
) -> KafkaResult<()> {
    loop {
        let Err(error) = commit(client, partitions) else { return Ok(()) };
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

fn commit_all(
    client: &BaseConsumer<Context>,
    partitions: impl FnOnce() -> Vec<Arc<Assigned>>,
) -> KafkaResult<()> {
    let context = client.context();
    let _turn = context.committing.lock().unwrap_or_else(PoisonError::into_inner);
    let mut list = TopicPartitionList::new();
    let mut told = Vec::new();
    for assigned in partitions() {
        if let Some(offset) = assigned.uncommitted() {
            let mut element = list.add_partition(&context.topic, assigned.partition);
            element
                .set_offset(Offset::Offset(offset))
                .expect("the offset of a message is not negative");
            // With it, whoever comes next knows an offset of a topic that is gone; see `resume`.
            if let Some(id) = assigned.topic_id() {
                element.set_metadata(id);
            }
            told.push((assigned, offset));
        }
    }
    if told.is_empty() {
        return Ok(());
    }
    client.commit(&list, CommitMode::Sync)?;
    for (assigned, offset) in told {
        assigned.set_committed(offset);
    }
    Ok(())
}

/// Whether asking again would bring the same answer.
pub(super) const fn is_final(code: Code) -> bool {
    matches!(
        code,
        Code::Fatal
            | Code::GroupAuthorizationFailed
            | Code::TopicAuthorizationFailed
            | Code::UnknownTopicOrPartition
            | Code::InvalidCommitOffsetSize
            | Code::OffsetMetadataTooLarge
            | Code::FencedInstanceId
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_that_is_being_joined_anew_is_asked_again_and_one_that_is_forbidden_is_not() {
        assert!(!is_final(Code::IllegalGeneration));
        assert!(!is_final(Code::RebalanceInProgress));
        assert!(!is_final(Code::StaleMemberEpoch));
        assert!(is_final(Code::GroupAuthorizationFailed));
        assert!(passes_soon(Code::StaleMemberEpoch) && !passes_soon(Code::IllegalGeneration));
    }
}
