//! What librdkafka tells the consumer in callbacks: partitions come and go, and what it logs.
//!
//! Callbacks run in the poll thread.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crossbeam_channel::Sender;
use rdkafka::{
    ClientContext, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance, RebalanceProtocol},
    error::{KafkaError, RDKafkaErrorCode},
    topic_partition_list::TopicPartitionListElem,
    types::RDKafkaRespErr,
};

use super::{Config, assignment::Assigned, assignments::Assignments, commits::commit};
use crate::{
    admin::{Gate, Side},
    kafka::{
        commits::commit_by,
        damage::Damage,
        log::{self, Remark},
        membership::Membership,
        topic_id::{NewId, new_id},
        waiting::Waiting,
    },
};

/// How long the message at hand may take when a partition is taken away; the group waits meanwhile.
const REVOCATION_PATIENCE: Duration = Duration::from_secs(4);

/// The consumer's side of the callbacks.
pub(super) struct Context {
    pub(super) topic: String,
    /// Whether the sink tells the group how far we are, so that nobody else may.
    pub(super) sink_keeps_offsets: bool,
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
    /// Why an assignment could not be taken or given back: partitions would be ours that nobody fetches.
    broken: OnceLock<String>,
    /// Whether something came that cannot be read.
    suspicion: AtomicBool,
    was_suspected: AtomicBool,
    /// The id of the topic when it was first heard of; absent until then, and when the brokers tell none.
    topic_id: OnceLock<String>,
    ended: AtomicBool,
    servers: String,
    remark: Remark,
    /// Why no broker can be used, as the log says.
    unreachable: Mutex<Option<Waiting>>,
}

impl Context {
    pub(super) fn new(
        config: &Config,
        sink_keeps_offsets: bool,
        assignments: Arc<Assignments>,
        side: Arc<Side>,
        wake: Sender<()>,
    ) -> Self {
        Self {
            topic: config.topic.name.clone(),
            sink_keeps_offsets,
            servers: config.cluster.bootstrap_servers.clone(),
            assignments,
            membership: Arc::default(),
            committing: Mutex::default(),
            leaving: Mutex::default(),
            side,
            wake,
            changes: AtomicU64::new(0),
            began_anew: AtomicBool::new(false),
            broken: OnceLock::new(),
            suspicion: AtomicBool::new(false),
            was_suspected: AtomicBool::new(false),
            topic_id: OnceLock::new(),
            ended: AtomicBool::new(false),
            remark: Remark::default(),
            unreachable: Mutex::default(),
        }
    }

    /// How often the assignment changed; 0 until the group is joined.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Kafka's id of the topic, if it is known. It stays that of the topic that this member began with.
    pub(super) fn topic_id(&self) -> Option<&str> {
        self.topic_id.get().map(String::as_str)
    }

    /// Whether the topic was made again since this was last asked.
    pub(super) fn take_began_anew(&self) -> bool {
        self.began_anew.swap(false, Ordering::AcqRel)
    }

    /// Why the assignment is not what the group says, if it is not.
    pub(super) fn broken(&self) -> Option<&str> {
        self.broken.get().map(String::as_str)
    }

    /// Something came that cannot be read: the watch finds out what.
    pub(super) fn suspect(&self) {
        self.suspicion.store(true, Ordering::Release);
        self.was_suspected.store(true, Ordering::Release);
    }

    /// Whether anything ever came that cannot be read.
    pub(super) fn was_suspected(&self) -> bool {
        self.was_suspected.load(Ordering::Acquire)
    }

    /// What cannot be read, if the error that a poll has just returned is about that.
    pub(super) fn take_damage(&self) -> Option<Damage> {
        self.remark.take_damage()
    }

    /// Whether something came that cannot be read since this was last asked.
    pub(super) fn take_suspicion(&self) -> bool {
        self.suspicion.swap(false, Ordering::AcqRel)
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

    /// Says what is wrong, without a change of readiness.
    pub(super) fn tell(&self, problem: &str) {
        self.side.error(problem);
    }

    /// The group does not take how far we are.
    pub(super) fn tell_uncommitted(&self, problem: &str) {
        self.side.error(&format!("offsets cannot be committed: {problem}; trying again"));
    }

    /// Makes the watch ask now.
    pub(super) fn wake(&self) {
        let _ = self.wake.try_send(()); // a wake-up that is on its way already is enough
    }

    /// No broker can be used; says why, in librdkafka's words or else in these.
    pub(super) fn tell_unreachable(&self, otherwise: &str) {
        let waiting = Waiting::from(&self.remark.trouble(&self.servers, otherwise));
        waiting.tell(&self.side);
        let before = self.lock_unreachable().replace(waiting.clone());
        if waiting.is_news_after(before.as_ref()) {
            tracing::warn!("{}; trying again", waiting.what);
        }
    }

    /// Whether no broker could be used when last heard.
    pub(super) fn is_unreachable(&self) -> bool {
        self.lock_unreachable().is_some()
    }

    /// A broker answers.
    pub(super) fn tell_reachable(&self) {
        self.side.gate(Gate::Brokers).open();
        self.remark.forget();
        if self.lock_unreachable().take().is_some() {
            tracing::info!("a broker answers again");
        }
    }

    /// Whether the brokers do not take our credentials any more.
    pub(super) fn is_refused(&self) -> bool {
        self.remark.is_about_trust()
    }

    fn lock_unreachable(&self) -> MutexGuard<'_, Option<Waiting>> {
        self.unreachable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The group takes partitions away, or we leave it.
    fn give_back(&self, consumer: &BaseConsumer<Self>, partitions: &[i32]) {
        let is_lost = consumer.assignment_lost();
        tracing::info!(?partitions, is_lost, "partitions are taken away");
        let leaving = self.leaving_of(partitions);
        if is_lost {
            self.assignments.lose(partitions);
            lose(&leaving);
        }
        let deadline = Instant::now() + REVOCATION_PATIENCE;
        let mut left = self.assignments.finish(partitions, deadline);
        for partition in partitions {
            self.side.forget_lag(*partition);
        }
        left.extend_from_slice(&leaving);
        // Of these there is nothing to commit, and what is being committed is not waited for.
        if is_lost {
            return;
        }
        if let Err(error) = commit_by(deadline, consumer, || commit(consumer, &left)) {
            tracing::warn!(%error, ?partitions, "offsets could not be committed; others deliver again what was \
                 delivered since the last time");
        }
        // From now on it is for others to tell how far these are.
        lose(&leaving);
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
            match new_id(text, &self.topic) {
                Some(NewId::First(id)) => _ = self.topic_id.set(id.to_owned()),
                Some(NewId::Other) => self.began_anew.store(true, Ordering::Release),
                None => {}
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
            let _ = self.broken.set(format!("the assignment could not be changed: {error}")); // the first one will do
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
                for partition in partitions {
                    self.assignments.add(partition);
                }
            }
            self.side.gate(Gate::Group).open();
            self.wake();
        }
        self.changes.fetch_add(1, Ordering::AcqRel);
    }
}

fn lose(partitions: &[Arc<Assigned>]) {
    for assigned in partitions {
        assigned.lose();
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

    use super::{
        super::{
            assignment::UNKNOWN,
            tests::{config_at, member},
        },
        *,
    };
    use crate::kafka::stand_in::{TOPIC, stand_in};

    const POLL: Duration = Duration::from_millis(20);

    #[test]
    fn a_member_that_the_group_has_given_up_on_loses_its_partitions_and_commits_nothing_of_them() {
        let broker = stand_in();
        let (worker, _) = crossbeam_channel::unbounded();
        let assignments = Arc::new(Assignments::new(vec![worker]));
        let client = member(&config_at(&broker), &assignments);
        client.subscribe(&[TOPIC]).unwrap();
        let deadline = Instant::now() + Duration::from_mins(1);
        let poll = || {
            assert!(Instant::now() < deadline);
            drop(client.poll(POLL));
        };
        let assigned = loop {
            poll();
            if let Some(assigned) = assignments.get(0) {
                break assigned;
            }
        };
        assigned.set_done(5);
        client.context().set_leaving(&[Arc::clone(&assigned)]);
        let dismissal = RDKafkaRespErr::RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION;
        broker.request_errors(RDKafkaApiKey::Heartbeat, &[dismissal]);
        while !assigned.is_lost() {
            poll();
        }
        assert_eq!(assigned.committed(), UNKNOWN);
        commit(&client, &[Arc::clone(&assigned)]).unwrap();
        assert_eq!((assigned.committed(), assigned.uncommitted()), (UNKNOWN, Some(5)));
    }
}
