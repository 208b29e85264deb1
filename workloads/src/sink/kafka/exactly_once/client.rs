//! A transactional client: made, asked, and judged by its answers. Every call waits, but not for long.

use std::{
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use batchpipe_api::conditions::reasons;
use rdkafka::{
    TopicPartitionList,
    consumer::ConsumerGroupMetadata,
    error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code},
    message::{Header, OwnedHeaders},
    producer::{BaseRecord, Producer as _, ThreadedProducer},
};

use super::{
    Settings,
    parcel::Outgoing,
    reports::{Reports, Told},
    sizes::Batches,
};
use crate::kafka::{
    outbox::{MessageHeader, is_size},
    renewal::Renewal,
    topics::{self, Admin},
    waiting::Waiting,
};

/// When brokers give up a transaction whose process does not end it: readers of the topic, and whoever gets its partitions
/// next, wait so long for one that was killed.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a record may wait for its acknowledgement; less than the transaction may.
const RECORD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one call may take.
const CALL: Duration = Duration::from_secs(2);
/// How often it is asked how many partitions there are.
const LOOK_PERIOD: Duration = Duration::from_secs(10);
/// How long to wait for room in librdkafka's queue.
const ROOM: Duration = Duration::from_millis(10);

/// Why a transaction, or the client, cannot go on.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// The transaction has to be aborted: the group was joined anew, so that its offsets are not taken.
    Rejoined(String),
    /// It has to be aborted, and what stands in the way has to change outside.
    Waiting(Waiting),
    /// It has to be aborted: a broker refused sizes. Whether it was found of which records or letters.
    TooLarge { is_found: bool },
    /// The client is of no use any more, and whether the transaction was committed is not known.
    Lost(String),
}

/// A client that can begin transactions.
pub(super) struct Client {
    producer: ThreadedProducer<Reports>,
    /// How it puts messages into record batches.
    pub(super) batches: Batches,
    /// How many partitions the topic has.
    pub(super) partitions: u32,
    /// Watches over its credentials.
    pub(super) renewal: Renewal,
    looked: Instant,
}

impl Client {
    /// Connects, and ends what an earlier client with the same id left open. Brokers know our transactions by this id.
    pub(super) fn connect(
        settings: &Settings,
        transactional_id: &str,
        batches: Batches,
    ) -> Result<Self, Waiting> {
        let access = settings.cluster.access().map_err(|error| Waiting::from(&error))?;
        let topic = &settings.topic;
        let partitions = Admin::new(&access).and_then(|admin| admin.ensure(topic));
        let partitions = partitions.map_err(|error| Waiting::from(&error))?;
        let largest = settings.largest_batch.max(settings.largest_letter);
        let mut config =
            access.producer_config(&"none".to_owned(), largest, super::window(settings));
        config
            .set("transactional.id", transactional_id)
            .set("transaction.timeout.ms", TRANSACTION_TIMEOUT.as_millis().to_string())
            .set("message.timeout.ms", RECORD_TIMEOUT.as_millis().to_string())
            // A transaction with a gap is aborted, which is less than a client that is of no use any more.
            .set("enable.gapless.guarantee", "false")
            .set("batch.size", batches.bytes.to_string());
        if batches.is_alone {
            config.set("batch.num.messages", "1");
        }
        let reports = Reports::new(servers(settings));
        let made = config.create_with_context(reports);
        let producer: ThreadedProducer<_> =
            made.map_err(|error| Waiting::from(&topics::refused(&error)))?;
        let renewal = Renewal::new(&settings.cluster, &topic.name, access.revision());
        let looked = Instant::now();
        let client = Self { producer, batches, partitions, renewal, looked };
        client.producer.init_transactions(CALL).map_err(|error| client.why(&error, settings))?;
        Ok(client)
    }

    /// Notices new partitions, once in a while. Only between transactions: it waits for an answer.
    pub(super) fn look(&mut self, settings: &Settings) {
        if self.looked.elapsed() < LOOK_PERIOD {
            return;
        }
        self.looked = Instant::now();
        // What cannot be asked now is told by whatever is sent next.
        let found = topics::look(self.producer.client(), &servers(settings), &settings.topic.name);
        if let Ok(Some(seen)) = found {
            self.partitions = seen.partitions;
        }
    }

    fn reports(&self) -> &Arc<Reports> {
        self.producer.context()
    }

    /// Begins a transaction.
    pub(super) fn begin(&self, settings: &Settings) -> Result<(), Failure> {
        *self.reports().lock() = Told::default();
        self.producer.begin_transaction().map_err(|error| self.judge(&error, settings))
    }

    /// Sends a message with this number; waits while there is no room for it. False when something has failed, so that
    /// sending more is in vain.
    pub(super) fn send(&self, message: &Outgoing<'_>, number: usize) -> Result<bool, Code> {
        loop {
            let mut headers = OwnedHeaders::new_with_capacity(message.headers.len());
            for MessageHeader { name, value } in message.headers {
                headers = headers.insert(Header { key: name, value: value.as_deref() });
            }
            let mut record =
                BaseRecord::<'_, [u8], [u8], usize>::with_opaque_to(message.topic, number)
                    .partition(message.partition)
                    .timestamp(message.timestamp_ms)
                    .payload(message.value);
            record.key = message.key;
            if !message.headers.is_empty() {
                record = record.headers(headers);
            }
            match self.producer.send(record) {
                Ok(()) => return Ok(true),
                Err((KafkaError::MessageProduction(Code::QueueFull), _)) => {
                    let told = self.reports().lock();
                    if !told.failed.is_empty() {
                        return Ok(false);
                    }
                    let waited = self.reports().changed.wait_timeout(told, ROOM);
                    drop(waited.unwrap_or_else(PoisonError::into_inner));
                }
                Err((error, _)) => {
                    return Err(error.rdkafka_error_code().unwrap_or(Code::Unknown));
                }
            }
        }
    }

    /// Whether a message has failed already.
    pub(super) fn has_failed(&self) -> bool {
        !self.reports().lock().failed.is_empty()
    }

    /// Those that failed, when sending more is in vain: waits a while until there is one.
    pub(super) fn failed(&self) -> Vec<(usize, Code)> {
        let (told, changed) = (self.reports().lock(), &self.reports().changed);
        let waited = changed.wait_timeout_while(told, CALL, |told| told.failed.is_empty());
        std::mem::take(&mut waited.unwrap_or_else(PoisonError::into_inner).0.failed)
    }

    /// Waits until the fate of `sent` messages is known, or one has failed; `waits` is told what is waited for. Returns
    /// those that failed.
    pub(super) fn settle(
        &self,
        sent: usize,
        waits: impl Fn(Option<&Waiting>),
    ) -> Vec<(usize, Code)> {
        let mut told = self.reports().lock();
        while told.reported < sent && told.failed.is_empty() {
            let waited = self.reports().changed.wait_timeout(told, CALL);
            told = waited.unwrap_or_else(PoisonError::into_inner).0;
            waits(told.unreachable.as_ref());
        }
        std::mem::take(&mut told.failed)
    }

    /// Ends the transaction so that all of it counts, and with it the offsets.
    pub(super) fn commit(
        &self,
        offsets: &TopicPartitionList,
        member: &ConsumerGroupMetadata,
        settings: &Settings,
    ) -> Result<(), Failure> {
        let until = Instant::now() + TRANSACTION_TIMEOUT;
        // Until the end is asked for, giving up is safe.
        again(
            || self.producer.send_offsets_to_transaction(offsets, member, CALL),
            || Instant::now() < until,
        )
        .map_err(|error| self.judge(&error, settings))?;
        // From here on only an answer tells: also an error that asks for an abort may come after brokers have committed.
        again(|| self.producer.commit_transaction(CALL), || true)
            .map_err(|error| Failure::Lost(self.why(&error, settings).what))
    }

    /// Why the transaction cannot go on, when messages failed only because of that.
    pub(super) fn cause(&self, settings: &Settings) -> Option<Failure> {
        // It cannot begin inside of another one; after a failure the answer is what failed.
        let error = self.producer.begin_transaction().err()?;
        match error.rdkafka_error_code() {
            None | Some(Code::State) => None,
            Some(code) if is_size(code) => Some(Failure::TooLarge { is_found: false }),
            Some(_) => Some(Failure::Waiting(self.why(&error, settings))),
        }
    }

    /// Ends the transaction so that nothing of it counts. After an error nothing of it will count either, but only because
    /// the next client with its id, or time, ends it: this one is of no use any more.
    pub(super) fn abort(
        &self,
        settings: &Settings,
        waits: impl Fn(&Waiting),
    ) -> Result<(), String> {
        let tell = || {
            if let Some(waiting) = &self.reports().lock().unreachable {
                waits(waiting);
            }
            true
        };
        again(|| self.producer.abort_transaction(CALL), tell)
            .map_err(|error| self.why(&error, settings).what)
    }

    /// What an error of a transaction means.
    fn judge(&self, error: &KafkaError, settings: &Settings) -> Failure {
        let KafkaError::Transaction(found) = error else { return Failure::Lost(error.to_string()) };
        match found.code() {
            Code::IllegalGeneration
            | Code::UnknownMemberId
            | Code::RebalanceInProgress
            | Code::StaleMemberEpoch => {
                return Failure::Rejoined(format!("group {} was joined anew", settings.group));
            }
            _ => {}
        }
        if found.txn_requires_abort() || (found.is_retriable() && !found.is_fatal()) {
            return Failure::Waiting(self.why(error, settings));
        }
        Failure::Lost(self.why(error, settings).what)
    }

    /// What has to change for it to go on.
    fn why(&self, error: &KafkaError, settings: &Settings) -> Waiting {
        if let Some(waiting) = self.reports().lock().unreachable.clone() {
            return waiting;
        }
        let group = &settings.group;
        let (reason, what) = match error.rdkafka_error_code() {
            Some(Code::TopicAuthorizationFailed) => {
                return settings.refusal(Some(Code::TopicAuthorizationFailed), false);
            }
            Some(Code::TransactionalIdAuthorizationFailed) => (
                reasons::AUTHORIZATION_FAILED,
                format!(
                    "the broker does not authorize this client to use transactional ids that begin with {group}; \
                     grant it write and describe by an ACL"
                ),
            ),
            Some(Code::GroupAuthorizationFailed) => (
                reasons::AUTHORIZATION_FAILED,
                format!(
                    "the broker does not authorize this client to use group {group}; grant it by an ACL"
                ),
            ),
            Some(Code::OperationTimedOut | Code::RequestTimedOut) => {
                let trouble = self.reports().remark.trouble(&servers(settings), "timed out");
                return Waiting::from(&trouble);
            }
            _ => (reasons::SINK_UNAVAILABLE, format!("the transaction failed: {error}")),
        };
        Waiting { reason, what }
    }
}

fn servers(settings: &Settings) -> String {
    settings.cluster.bootstrap_servers.clone()
}

/// Calls again while librdkafka says that this helps, and `may_go_on`.
fn again(call: impl Fn() -> KafkaResult<()>, may_go_on: impl Fn() -> bool) -> KafkaResult<()> {
    loop {
        let Err(error) = call() else { return Ok(()) };
        let passes = match &error {
            KafkaError::Transaction(error) => error.is_retriable() && !error.is_fatal(),
            // What waits to be flushed comes to its end by itself.
            KafkaError::Flush(_) => true,
            _ => false,
        };
        if !passes || !may_go_on() {
            return Err(error);
        }
    }
}
