//! What librdkafka tells the source in callbacks: partitions come and go, and what it logs.
//!
//! Callbacks run in the poll thread. Where a partition is begun is decided before it is fetched, in the callback that
//! brings it: from what the group has committed, the topic's id, and the start of the log.

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use batchpipe_api::conditions::reasons;
use rdkafka::{
    ClientContext, Offset, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext, Rebalance, RebalanceProtocol},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code},
    topic_partition_list::TopicPartitionListElem,
    types::RDKafkaRespErr,
};

use super::{KafkaOptions, desk::Desk, words};
use crate::{
    kafka::{
        answers::{REQUEST_TIMEOUT, ask_committed, ask_offsets},
        commits::{self, Due, commit_by},
        damage::Damage,
        log::{self, Remark},
        membership::Membership,
        resume::{Resume, beyond_the_end, resume},
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
    options: KafkaOptions,
    desk: Arc<Desk>,
    shared: Shared,
    pub(super) membership: Membership,
    /// Counts changes of the assignment.
    changes: AtomicU64,
    /// Set when librdkafka found another topic of the same name.
    began_anew: AtomicBool,
    /// Set when it could not be decided where a partition is begun.
    is_undecided: AtomicBool,
    /// Held while the group is told how far we are: an earlier commit must not come later.
    committing: Mutex<()>,
    /// Set when nothing is to be read any more.
    is_leaving: AtomicBool,
    is_unreachable: AtomicBool,
    /// The id of the topic when it was first heard of.
    topic_id: OnceLock<String>,
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

    /// Decides where partitions that come to us are begun, and notes it in the list from which they are fetched.
    fn begin(
        &self,
        consumer: &BaseConsumer<Self>,
        list: &mut TopicPartitionList,
    ) -> KafkaResult<()> {
        let partitions = self.numbers(list);
        if partitions.is_empty() {
            return Ok(());
        }
        let topic = &self.options.topic;
        let starts = ask_offsets(consumer, topic, &partitions, Offset::Beginning)?;
        let committed = ask_committed(consumer, topic, &partitions)?;
        let ends = ask_offsets(consumer, topic, &partitions, Offset::End)?;
        let id = self.topic_id.get();
        for partition in partitions {
            let Some(log_start) = starts.get(&partition).copied() else {
                return Err(KafkaError::OffsetFetch(Code::LeaderNotAvailable));
            };
            let of_group = committed.get(&partition);
            let start = match resume(log_start, of_group, id.map(String::as_str)) {
                Resume::Start => log_start,
                Resume::Beyond(offset) => return Err(self.beyond_the_end(partition, offset)),
                Resume::Committed { offset, expired } => {
                    self.check_end(consumer, partition, offset, ends.get(&partition).copied())?;
                    if expired > 0 {
                        self.report_expired(partition, offset, expired);
                    }
                    offset.max(log_start)
                }
                Resume::Anew => {
                    tracing::warn!(
                        partition,
                        "topic {topic} was made again; reading it from its start"
                    );
                    log_start
                }
            };
            list.set_partition_offset(topic, partition, Offset::Offset(start))?;
            self.desk.offsets().begin(partition, start, id.cloned());
        }
        Ok(())
    }

    /// Refuses an offset of the group that is behind all there is, and has the group remember it.
    fn check_end(
        &self,
        consumer: &BaseConsumer<Self>,
        partition: i32,
        committed: i64,
        end: Option<i64>,
    ) -> KafkaResult<()> {
        let Some(end) = end else { return Err(KafkaError::OffsetFetch(Code::LeaderNotAvailable)) };
        if committed <= end {
            return Ok(());
        }
        let _turn = self.committing.lock().unwrap_or_else(PoisonError::into_inner);
        let (topic, id) = (&self.options.topic, self.topic_id.get().map(String::as_str));
        commits::mark_beyond(consumer, topic, partition, committed, id);
        Err(self.beyond_the_end(partition, committed))
    }

    /// To go on there would leave out what comes until then.
    fn beyond_the_end(&self, partition: i32, committed: i64) -> KafkaError {
        let KafkaOptions { group, topic, .. } = &self.options;
        let problem = beyond_the_end(group, topic, partition, committed);
        tracing::warn!("{problem}");
        self.shared.side.error(&problem);
        KafkaError::OffsetFetch(Code::OffsetOutOfRange)
    }

    pub(super) fn report_expired(&self, partition: i32, position: i64, expired: u64) {
        let topic = &self.options.topic;
        tracing::error!(
            partition,
            position,
            expired,
            "retention removed messages of topic {topic} before they were read"
        );
        self.shared.ledger.update(|counts| counts.expired_messages += expired);
        self.shared.side.error(&format!(
            "{}: {expired} messages of partition {partition} of topic {topic} were removed by retention before they \
             were read; raise its retention.ms or the number of producers",
            reasons::DATA_EXPIRED,
        ));
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

    fn numbers(&self, list: &TopicPartitionList) -> Vec<i32> {
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
            self.shared.side.error(&format!("the Kafka source: rebalance failed: {error}"));
        }
        self.changes.fetch_add(1, Ordering::AcqRel);
    }

    fn pre_rebalance(&self, _: &BaseConsumer<Self>, _: &Rebalance<'_>) {}
}
