//! What librdkafka tells the consumer in callbacks: partitions come and go, and what it logs.
//!
//! Callbacks run in the poll thread.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use batchpipe_api::conditions::reasons;
use crossbeam_channel::Sender;
use rdkafka::{
    ClientContext, Offset, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance, RebalanceProtocol},
    error::{KafkaError, RDKafkaErrorCode},
    topic_partition_list::TopicPartitionListElem,
    types::RDKafkaRespErr,
};

use super::{
    Config,
    assignment::{Assigned, Assignments},
    commits::commit,
    membership::Membership,
};
use crate::{
    admin::{Gate, Side},
    kafka::log::{self, Remark},
};

/// How long the message at hand may take when a partition is taken away; the group waits meanwhile.
const REVOCATION_PATIENCE: Duration = Duration::from_secs(4);

/// The consumer's side of the callbacks.
pub(super) struct Context {
    pub(super) topic: String,
    pub(super) assignments: Arc<Assignments>,
    pub(super) membership: Arc<Membership>,
    /// Held while the group is told how far we are.
    pub(super) committing: Mutex<()>,
    /// What we had when we began to leave the group.
    leaving: Mutex<Vec<Arc<Assigned>>>,
    side: Arc<Side>,
    /// Wakes the watch up: something was assigned, or it is over.
    wake: Sender<()>,
    /// Counts changes of the assignment.
    changes: AtomicU64,
    /// Set when librdkafka found another topic of the same name.
    began_anew: AtomicBool,
    /// Set when the group may hold an offset of an earlier topic: what is assigned next begins at its start.
    from_start: AtomicBool,
    ended: AtomicBool,
    servers: String,
    remark: Remark,
    /// Whether the log says that no broker answers.
    is_unreachable: AtomicBool,
}

impl Context {
    pub(super) fn new(
        config: &Config,
        assignments: Arc<Assignments>,
        side: Arc<Side>,
        wake: Sender<()>,
    ) -> Self {
        Self {
            topic: config.topic.name.clone(),
            servers: config.cluster.bootstrap_servers.clone(),
            assignments,
            membership: Arc::default(),
            committing: Mutex::default(),
            leaving: Mutex::default(),
            side,
            wake,
            changes: AtomicU64::new(0),
            began_anew: AtomicBool::new(false),
            from_start: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            remark: Remark::default(),
            is_unreachable: AtomicBool::new(false),
        }
    }

    /// How often the assignment changed; 0 until the group is joined.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Has the first assignment begin at the start of its partitions, whatever the group has committed.
    pub(super) fn begin_at_start(&self) {
        self.from_start.store(true, Ordering::Release);
    }

    /// Whether the topic was made again since this was last asked.
    pub(super) fn take_began_anew(&self) -> bool {
        self.began_anew.swap(false, Ordering::AcqRel)
    }

    /// Tells the watch that it is over.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.wake();
    }

    /// Whether it is over.
    pub(super) fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// We are leaving the group, and these partitions with it.
    pub(super) fn set_leaving(&self, left: &[Arc<Assigned>]) {
        *self.leaving.lock().unwrap_or_else(PoisonError::into_inner) = left.to_vec();
    }

    fn leaving_of(&self, partitions: &[i32]) -> Vec<Arc<Assigned>> {
        let mut leaving = self.leaving.lock().unwrap_or_else(PoisonError::into_inner).clone();
        leaving.retain(|assigned| partitions.contains(&assigned.partition));
        leaving
    }

    /// The group does not take how far we are.
    pub(super) fn tell_uncommitted(&self, problem: &str) {
        self.side.error(&format!("offsets cannot be committed: {problem}; trying again"));
    }

    /// Makes the watch ask now.
    pub(super) fn wake(&self) {
        let _ = self.wake.try_send(()); // a wake-up that is on its way already is enough
    }

    /// No broker answers; says why, in librdkafka's words or else in these.
    pub(super) fn tell_unreachable(&self, otherwise: &str) {
        let what = self.remark.unreachable(&self.servers, otherwise);
        self.side.gate(Gate::Brokers).close(reasons::BROKERS_UNREACHABLE, &what);
        if !self.is_unreachable.swap(true, Ordering::AcqRel) {
            tracing::warn!("{what}; trying again");
        }
    }

    /// A broker answers.
    pub(super) fn tell_reachable(&self) {
        self.side.gate(Gate::Brokers).open();
        if self.is_unreachable.swap(false, Ordering::AcqRel) {
            tracing::info!("a broker answers again");
        }
    }

    /// The group takes partitions away, or we leave it.
    fn give_back(&self, consumer: &BaseConsumer<Self>, partitions: &[i32]) {
        let is_lost = consumer.assignment_lost();
        tracing::info!(?partitions, is_lost, "partitions are taken away");
        let leaving = self.leaving_of(partitions);
        if is_lost {
            self.assignments.lose(partitions);
            leaving.iter().for_each(|assigned| assigned.lose());
        }
        let mut left = self.assignments.finish(partitions, Instant::now() + REVOCATION_PATIENCE);
        for partition in partitions {
            self.side.forget_lag(*partition);
        }
        left.extend_from_slice(&leaving);
        // A member that the group has given up on may not commit: others are at work there already.
        if is_lost {
            return;
        }
        if let Err(error) = commit(consumer, &left) {
            tracing::warn!(%error, ?partitions, "offsets could not be committed; others deliver again what was \
                 delivered since the last time");
        }
        // From now on it is for others to tell how far these are.
        leaving.iter().for_each(|assigned| assigned.lose());
    }

    fn numbers(&self, list: &TopicPartitionList) -> Vec<i32> {
        list.elements_for_topic(&self.topic).iter().map(TopicPartitionListElem::partition).collect()
    }
}

impl ClientContext for Context {
    /// Sent on as usual, after looking for what librdkafka tells nowhere else: that a topic was deleted and made
    /// again, and how far it is in joining or leaving the group.
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        if matches!(level, RDKafkaLogLevel::Debug) {
            self.membership.note(facility, text);
            if is_another_topic(text, &self.topic) {
                self.began_anew.store(true, Ordering::Release);
            }
        } else {
            log::line(level, facility, text);
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.remark.note(&error, reason);
        if let KafkaError::Global(RDKafkaErrorCode::AllBrokersDown) = error {
            self.tell_unreachable(reason);
        }
    }
}

impl ConsumerContext for Context {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        event: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let is_assigning = event == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if is_assigning && list.count() > 0 && self.from_start.swap(false, Ordering::AcqRel) {
            list.set_all_offsets(Offset::Beginning).expect("the beginning is an offset everywhere");
        }
        let rebalance = match event {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Rebalance::Assign(list),
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS => Rebalance::Revoke(list),
            other => Rebalance::Error(KafkaError::Rebalance(other.into())),
        };
        self.pre_rebalance(consumer, &rebalance);
        let is_cooperative =
            matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
        let outcome = match (is_assigning, is_cooperative) {
            (true, true) => consumer.incremental_assign(list),
            (true, false) => consumer.assign(list),
            (false, true) => consumer.incremental_unassign(list),
            (false, false) => consumer.unassign(),
        };
        let outcome = outcome.and_then(|()| {
            // Whoever is leaving has to take what comes, but does not read it.
            if is_assigning && self.is_ended() { consumer.pause(list) } else { Ok(()) }
        });
        if let Err(error) = outcome {
            self.side.error(&format!("rebalance failed: {error}"));
        }
        self.post_rebalance(consumer, &rebalance);
    }

    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Revoke(list) => self.give_back(consumer, &self.numbers(list)),
            Rebalance::Error(error) => self.side.error(&format!("rebalance failed: {error}")),
            Rebalance::Assign(_) => {}
        }
    }

    fn post_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(list) = rebalance {
            let partitions = self.numbers(list);
            tracing::info!(?partitions, "partitions are assigned");
            if !self.is_ended() {
                partitions.into_iter().for_each(|partition| self.assignments.add(partition));
            }
            self.side.gate(Gate::Group).open();
            self.wake();
        }
        self.changes.fetch_add(1, Ordering::AcqRel);
    }
}

/// Whether librdkafka says that a topic's id changed from one to another. The first time it changes from nothing.
fn is_another_topic(message: &str, topic: &str) -> bool {
    const NOTHING: &str = "AAAAAAAAAAAAAAAAAAAAAA";
    let change = message.split_once(&format!("Topic {topic} changed id from "));
    change.is_some_and(|(_, ids)| !ids.starts_with(NOTHING))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_another_id_is_another_topic() {
        let change =
            |from: &str| format!("[thrd:main]: Topic t changed id from {from} to 2ZyTNZuOTZGI");
        assert!(is_another_topic(&change("mH3EKcxJRPmBOVR7jK0zhQ"), "t"));
        assert!(!is_another_topic(&change("AAAAAAAAAAAAAAAAAAAAAA"), "t"));
        assert!(!is_another_topic(&change("mH3EKcxJRPmBOVR7jK0zhQ"), "other"));
    }
}
