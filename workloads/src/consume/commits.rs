//! Committing: the group is told how far each partition was read, and its answer is waited for.
//!
//! A thread of its own does this once in a while, because an answer may take long; the poll thread and who leaves
//! the group do it themselves when partitions are given back. One commit is on its way at a time: an earlier one that
//! came later would set the next owner back.

use std::{
    sync::{Arc, PoisonError},
    thread::JoinHandle,
};

use crossbeam_channel::{Receiver, Sender};
use rdkafka::{
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code},
};

use super::{assignment::Assigned, group::Context};
use crate::kafka::{
    commits::{self, Due},
    resume::beyond,
};

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
    if commits::is_rejoining(error) {
        tracing::debug!(%error, "offsets were not committed; trying again");
    } else {
        context.tell_uncommitted(&error.to_string());
    }
}

/// Commits what these partitions have reached and the group does not know, and waits for the answer.
pub(super) fn commit(
    client: &BaseConsumer<Context>,
    partitions: &[Arc<Assigned>],
) -> KafkaResult<()> {
    commit_all(client, || partitions.to_vec())
}

fn commit_all(
    client: &BaseConsumer<Context>,
    partitions: impl FnOnce() -> Vec<Arc<Assigned>>,
) -> KafkaResult<()> {
    let context = client.context();
    let _turn = context.committing.lock().unwrap_or_else(PoisonError::into_inner);
    let mut told = partitions();
    if context.sink_keeps_offsets {
        // That nobody may go on from an offset is not for the sink to tell.
        told.retain(|assigned| assigned.is_beyond());
    }
    let told: Vec<_> = told.iter().filter_map(|it| Some((it, due(it)?))).collect();
    let (assigned, due): (Vec<_>, Vec<_>) = told.into_iter().unzip();
    commits::commit(client, &context.topic, &due)?;
    for (assigned, due) in assigned.into_iter().zip(due) {
        assigned.set_committed(due.offset);
    }
    Ok(())
}

/// What the group is to be told of a partition: nothing of one that it has given up on, where others are at work already.
fn due(assigned: &Assigned) -> Option<Due> {
    if assigned.is_lost() {
        return None;
    }
    let (partition, offset, id) =
        (assigned.partition, assigned.uncommitted()?, assigned.topic_id());
    if assigned.is_beyond() {
        return Some(beyond(partition, offset, id));
    }
    Some(Due { partition, offset, topic_id: id.map(str::to_owned) })
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
    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

    use super::{
        super::{
            assignment::UNKNOWN,
            assignments::Assignments,
            tests::{config_at, member},
        },
        *,
    };
    use crate::kafka::stand_in::stand_in;

    #[test]
    fn what_the_group_refuses_is_not_committed_and_is_told_again() {
        let broker = stand_in();
        let client = member(&config_at(&broker), &Arc::new(Assignments::new(Vec::new())));
        let assigned = [Assigned::new(0)];
        assigned[0].set_done(5);
        let refusal = RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED;
        broker.request_errors(RDKafkaApiKey::OffsetCommit, &[refusal]);
        commit(&client, &assigned).unwrap_err();
        assert_eq!((assigned[0].committed(), assigned[0].uncommitted()), (UNKNOWN, Some(5)));
        commit(&client, &assigned).unwrap();
        assert_eq!((assigned[0].committed(), assigned[0].uncommitted()), (5, None));
    }

    #[test]
    fn of_a_partition_that_was_lost_the_group_is_told_nothing() {
        let assigned = Assigned::new(0);
        assigned.set_done(5);
        assigned.abandon();
        assert_eq!(due(&assigned).map(|due| due.offset), Some(5), "it is being given back");
        assigned.lose();
        assert_eq!(due(&assigned), None);
    }

    #[test]
    fn of_a_log_that_went_back_the_group_is_told_that_nobody_may_go_on() {
        let assigned = Assigned::new(0);
        assigned.resume(5, 0);
        assigned.settle_on(Some("id".to_owned()));
        assert_eq!(due(&assigned), None, "it knows");
        assigned.go_beyond();
        assert_eq!(due(&assigned), Some(beyond(0, 5, Some("id"))));
        assigned.set_done(7);
        assert_eq!(due(&assigned), Some(beyond(0, 7, Some("id"))), "the sink has more by now");
    }

    #[test]
    fn a_group_that_is_being_joined_anew_is_asked_again_and_one_that_is_forbidden_is_not() {
        assert!(!is_final(Code::IllegalGeneration));
        assert!(!is_final(Code::RebalanceInProgress));
        assert!(!is_final(Code::StaleMemberEpoch));
        assert!(is_final(Code::GroupAuthorizationFailed));
    }
}
