//! What librdkafka tells the source in callbacks: partitions come and go, and what it logs.
//!
//! Callbacks run in the poll thread.

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rdkafka::{
    ClientContext, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext, Rebalance, RebalanceProtocol},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code},
    topic_partition_list::TopicPartitionListElem,
    types::RDKafkaRespErr,
};

use super::{KafkaOptions, desk::Desk, words};
use crate::{
    kafka::{
        answers::REQUEST_TIMEOUT,
        commits::{self, Due, commit_by},
        damage::Damage,
        log::{self, Remark},
        membership::Membership,
        topic_id::{NewId, new_id},
    },
    produce::Shared,
};

/// How long acknowledgements are awaited when a partition is taken away; the group waits meanwhile.
pub(super) const REVOCATION_PATIENCE: Duration = Duration::from_secs(4);
/// How long a topic's id is listened for.
const ID_PATIENCE: Duration = Duration::from_secs(2);
/// How long one poll listens for it.
const ID_POLL: Duration = Duration::from_millis(20);

/// The source's side of the callbacks.
pub(super) struct Context {
    pub(super) options: KafkaOptions,
    pub(super) desk: Arc<Desk>,
    pub(super) shared: Shared,
    pub(super) membership: Membership,
    /// Counts changes of the assignment.
    changes: AtomicU64,
    /// Set when librdkafka found another topic of the same name.
    began_anew: AtomicBool,
    /// Set when it could not be decided where a partition is begun.
    is_undecided: AtomicBool,
    /// Held while the group is told how far we are: an earlier commit must not come later.
    pub(super) committing: Mutex<()>,
    /// Set when nothing is to be read any more.
    is_leaving: AtomicBool,
    is_unreachable: AtomicBool,
    /// The id of the topic when it was first heard of.
    pub(super) topic_id: OnceLock<String>,
    remark: Remark,
}

impl Context {
    pub(super) fn new(options: KafkaOptions, desk: Arc<Desk>, shared: Shared) -> Self {
        Self {
            options,
            desk,
            shared,
            membership: Membership::default(),
            changes: AtomicU64::new(0),
            began_anew: AtomicBool::new(false),
            is_undecided: AtomicBool::new(false),
            committing: Mutex::default(),
            is_leaving: AtomicBool::new(false),
            is_unreachable: AtomicBool::new(false),
            topic_id: OnceLock::new(),
            remark: Remark::default(),
        }
    }

    /// How often the assignment changed.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Whether the topic was made again since this was last asked.
    pub(super) fn take_began_anew(&self) -> bool {
        self.began_anew.swap(false, Ordering::AcqRel)
    }

    /// Whether a partition came of which nobody could say where to begin.
    pub(super) fn is_undecided(&self) -> bool {
        self.is_undecided.load(Ordering::Acquire)
    }

    /// Asks for the topic's id before the group is joined: librdkafka tells it in its log, and that only while it is
    /// polled, so that it would not be heard in the callback that needs it.
    pub(super) fn learn_id(&self, consumer: &BaseConsumer<Self>) {
        let deadline = Instant::now() + ID_PATIENCE;
        if let Err(error) = consumer.fetch_metadata(Some(&self.options.topic), REQUEST_TIMEOUT) {
            tracing::debug!(%error, "the brokers do not tell the topic's id");
        }
        // Brokers before 2.8 tell none.
        while self.topic_id.get().is_none() && Instant::now() < deadline {
            drop(consumer.poll(ID_POLL));
        }
    }

    /// Whether the brokers tell the topic's id.
    pub(super) fn has_topic_id(&self) -> bool {
        self.topic_id.get().is_some()
    }

    /// Nothing is to be read any more.
    pub(super) fn leave(&self) {
        self.is_leaving.store(true, Ordering::Release);
    }

    /// Whether no broker answered when last heard.
    pub(super) fn is_unreachable(&self) -> bool {
        self.is_unreachable.load(Ordering::Acquire)
    }

    /// What cannot be read, if the error that a poll has just returned is about that.
    pub(super) fn take_damage(&self) -> Option<Damage> {
        self.remark.take_damage()
    }

    /// A broker answers.
    pub(super) fn tell_reachable(&self) {
        self.remark.forget();
        self.is_unreachable.store(false, Ordering::Release);
        self.desk.go_on();
    }

    /// Tells the group how far all partitions are, and waits for its answer: in a thread that may wait.
    pub(super) fn commit_all(&self, consumer: &BaseConsumer<Self>) {
        // While the group is joined anew a commit is refused, and whoever leaves does it then.
        if self.membership.is_joining() || self.is_leaving.load(Ordering::Acquire) {
            return;
        }
        if let Err(error) = self.commit_due(consumer, || self.desk.due()) {
            self.tell_uncommitted(&error);
        }
    }

    /// The same for these partitions.
    pub(super) fn commit(
        &self,
        consumer: &BaseConsumer<Self>,
        partitions: &[i32],
    ) -> KafkaResult<()> {
        self.commit_due(consumer, || self.desk.offsets().due(partitions))
    }

    /// What is due is looked up once nobody else commits: it may have been given back while we waited.
    fn commit_due(
        &self,
        consumer: &BaseConsumer<Self>,
        due: impl FnOnce() -> Vec<Due>,
    ) -> KafkaResult<()> {
        let _turn = self.committing.lock().unwrap_or_else(PoisonError::into_inner);
        let due = due();
        commits::commit(consumer, &self.options.topic, &due)?;
        let mut offsets = self.desk.offsets();
        for Due { partition, offset, .. } in due {
            offsets.commit(partition, offset);
        }
        Ok(())
    }

    fn tell_uncommitted(&self, error: &KafkaError) {
        if commits::is_rejoining(error) {
            tracing::debug!(%error, "offsets were not committed; trying again");
        } else {
            self.shared.side.error(&format!(
                "the Kafka source: offsets cannot be committed: {error}; trying again"
            ));
        }
    }

    /// The group takes partitions away, or we leave it: what was handed over is awaited and committed.
    fn give_back(&self, consumer: &BaseConsumer<Self>, partitions: &[i32]) {
        let is_lost = consumer.assignment_lost();
        tracing::info!(?partitions, is_lost, "partitions of the source are taken away");
        self.desk.offsets().leave(partitions);
        // A member that the group has given up on may not commit: others are at work there already.
        if !is_lost {
            let deadline = Instant::now() + REVOCATION_PATIENCE;
            self.desk.settle(partitions, deadline);
            let commit = || self.commit(consumer, partitions);
            if let Err(error) = commit_by(deadline, consumer, commit) {
                tracing::warn!(%error, ?partitions, "offsets could not be committed; others send again what was sent \
                     since the last time");
            }
        }
        self.desk.offsets().forget(partitions);
    }

    fn assign(
        &self,
        consumer: &BaseConsumer<Self>,
        list: &mut TopicPartitionList,
        is_cooperative: bool,
    ) -> KafkaResult<()> {
        let is_leaving = self.is_leaving.load(Ordering::Acquire);
        let begun = if is_leaving { Ok(()) } else { self.begin(consumer, list) };
        if let Err(error) = &begun {
            tracing::warn!(%error, "the group does not say where to begin; joining it anew");
            self.desk.offsets().forget(&self.numbers(list));
            self.is_undecided.store(true, Ordering::Release);
        }
        if is_cooperative {
            consumer.incremental_assign(list)?;
        } else {
            consumer.assign(list)?;
        }
        if is_leaving || begun.is_err() {
            // It has to be taken, but is not read.
            return consumer.pause(list);
        }
        tracing::info!(partitions = ?self.numbers(list), "partitions of the source are assigned");
        self.desk.go_on();
        Ok(())
    }

    pub(super) fn numbers(&self, list: &TopicPartitionList) -> Vec<i32> {
        let elements = list.elements_for_topic(&self.options.topic);
        elements.iter().map(TopicPartitionListElem::partition).collect()
    }
}

impl ClientContext for Context {
    /// Sent on as usual, after looking for what librdkafka tells nowhere else: that a topic was deleted and made
    /// again, and how far it is in joining or leaving the group.
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        if !matches!(level, RDKafkaLogLevel::Debug) {
            return log::line(level, facility, text);
        }
        self.membership.note(facility, text);
        match new_id(text, &self.options.topic) {
            // Said whenever librdkafka begins to work with the topic.
            Some(NewId::First(id)) if self.topic_id.get_or_init(|| id.to_owned()) == id => {}
            Some(NewId::First(_) | NewId::Other) => self.began_anew.store(true, Ordering::Release),
            None => {}
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.remark.note(&error, reason);
        if error == KafkaError::Global(Code::AllBrokersDown) {
            self.is_unreachable.store(true, Ordering::Release);
            let servers = &self.options.cluster.bootstrap_servers;
            let trouble = self.remark.trouble(servers, reason);
            self.desk.wait_for(words::explain(&trouble, &self.options));
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
        let is_cooperative =
            matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
        let outcome = match event {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                self.assign(consumer, list, is_cooperative)
            }
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS => {
                self.give_back(consumer, &self.numbers(list));
                if is_cooperative {
                    consumer.incremental_unassign(list)
                } else {
                    consumer.unassign()
                }
            }
            other => consumer.unassign().and(Err(KafkaError::Rebalance(other.into()))),
        };
        if let Err(error) = outcome {
            tracing::warn!(%error, "the assignment could not be changed; joining the group anew");
            self.is_undecided.store(true, Ordering::Release);
        }
        self.changes.fetch_add(1, Ordering::AcqRel);
    }

    fn pre_rebalance(&self, _: &BaseConsumer<Self>, _: &Rebalance<'_>) {}
}

#[cfg(test)]
mod tests {
    use batchpipe_api::report::Role;
    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

    use super::*;
    use crate::{
        admin::Side,
        budget::Budget,
        chunk::Rules,
        kafka::stand_in::{StandIn, TOPIC, cluster_of, stand_in},
        ledger::Ledger,
        shutdown::Shutdown,
    };

    const MIB: usize = 1024 * 1024;

    fn member(broker: &StandIn, desk: &Arc<Desk>) -> BaseConsumer<Context> {
        let options = KafkaOptions {
            cluster: cluster_of(broker),
            is_other_cluster: false,
            topic: TOPIC.to_owned(),
            group: "g".to_owned(),
            rules: Rules { validate: true, key: None },
            max_record_bytes: MIB,
        };
        let settings = options.cluster.access().unwrap().consumer_config(&options.group, MIB);
        let ledger = Arc::new(Ledger::new());
        let side = Side::new(Role::Producer, Arc::clone(&ledger));
        let (budget, shutdown) = (Budget::new(MIB), Shutdown::new());
        let shared = Shared { ledger, budget, share: MIB, side, shutdown };
        settings.create_with_context(Context::new(options, Arc::clone(desk), shared)).unwrap()
    }

    #[test]
    fn what_the_group_refuses_is_not_committed_and_is_told_again() {
        let (broker, desk) = (stand_in(), Arc::new(Desk::default()));
        let client = member(&broker, &desk);
        desk.offsets().begin(0, 0, None);
        let tenure = desk.offsets().fetch(0, 0).unwrap().tenure;
        assert!(desk.offsets().hand_over(0, tenure, 0));
        desk.acknowledge(desk.mark());
        let refusal = RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED;
        broker.request_errors(RDKafkaApiKey::OffsetCommit, &[refusal]);
        client.context().commit(&client, &[0]).unwrap_err();
        assert_eq!(desk.uncommitted(), [0]);
        client.context().commit(&client, &[0]).unwrap();
        assert!(desk.uncommitted().is_empty());
    }
}
