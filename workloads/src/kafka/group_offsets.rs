//! Offsets of a group, read and written without joining it: for progress of which one process at a time takes care.
//!
//! Brokers take such offsets only while the group has no member, so a group in use by consumers is refused.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code},
};

use super::{client::Cluster, topics::QuietContext};
use crate::secrets::SecretError;

/// How long the group's coordinator is awaited.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long one question may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);
/// How long to wait before a question is asked again.
const RETRY_WAIT: Duration = Duration::from_millis(100);
/// No message is received through this client.
const SMALLEST: usize = 1;

/// What a group has of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The offset.
    pub offset: i64,
    /// What was written along with it.
    pub metadata: String,
}

/// Why a group's offsets cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GroupError {
    /// The credentials cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// librdkafka refuses the settings.
    #[error("librdkafka refuses the settings of the client for group {group}")]
    Settings {
        /// The group.
        group: String,
        /// What it says.
        #[source]
        source: KafkaError,
    },
    /// The broker refuses this client.
    #[error(
        "the broker does not authorize this client to use group {group}; grant it by an ACL, or name another group"
    )]
    Unauthorized {
        /// The group.
        group: String,
    },
    /// Consumers have joined it.
    #[error("group {group} has members that consume with it; name another group")]
    InUse {
        /// The group.
        group: String,
    },
    /// Something else failed.
    #[error("offsets of group {group} cannot be {action}")]
    Failed {
        /// The group.
        group: String,
        /// `read` or `written`.
        action: &'static str,
        /// What librdkafka says.
        #[source]
        source: KafkaError,
    },
}

/// Reads and writes the offsets that a group has of one topic.
pub struct GroupOffsets {
    client: BaseConsumer<QuietContext>,
    topic: String,
    group: String,
}

impl GroupOffsets {
    /// A client for this; nothing is asked yet.
    pub fn new(cluster: &Cluster, group: &str, topic: &str) -> Result<Self, GroupError> {
        let mut config = cluster.access()?.reader_config(SMALLEST);
        config.set("group.id", group);
        let client = config
            .create_with_context(QuietContext::default())
            .map_err(|source| GroupError::Settings { group: group.to_owned(), source })?;
        Ok(Self { client, topic: topic.to_owned(), group: group.to_owned() })
    }

    /// What the group has of these partitions; nothing is there for those of which it has nothing.
    pub fn read(&self, partitions: &[i32]) -> Result<BTreeMap<i32, Stored>, GroupError> {
        self.patiently("read", || self.ask(partitions))
    }

    fn ask(&self, partitions: &[i32]) -> KafkaResult<BTreeMap<i32, Stored>> {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition(&self.topic, *partition);
        }
        let answer = self.client.committed_offsets(list, REQUEST_TIMEOUT)?;
        let mut found = BTreeMap::new();
        for element in answer.elements_for_topic(&self.topic) {
            element.error()?;
            if let Offset::Offset(offset) = element.offset() {
                let metadata = element.metadata().to_owned();
                found.insert(element.partition(), Stored { offset, metadata });
            }
        }
        Ok(found)
    }

    /// Writes them, and waits for the answer.
    pub fn write(&self, offsets: &BTreeMap<i32, Stored>) -> Result<(), GroupError> {
        self.patiently("written", || {
            let mut list = TopicPartitionList::new();
            for (partition, Stored { offset, metadata }) in offsets {
                let mut element = list.add_partition(&self.topic, *partition);
                element.set_offset(Offset::Offset(*offset))?;
                element.set_metadata(metadata);
            }
            self.client.commit(&list, CommitMode::Sync)
        })
    }

    /// Tries again while the brokers have yet to agree on who coordinates the group.
    fn patiently<T>(
        &self,
        action: &'static str,
        work: impl Fn() -> KafkaResult<T>,
    ) -> Result<T, GroupError> {
        let begun = Instant::now();
        loop {
            let error = match work() {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            let passes = error.rdkafka_error_code().is_some_and(passes_soon);
            let failed = self.failed(action, error);
            if self.is_refused() {
                return Err(GroupError::Unauthorized { group: self.group.clone() });
            }
            if !passes || begun.elapsed() >= PATIENCE {
                return Err(failed);
            }
            std::thread::sleep(RETRY_WAIT);
        }
    }

    /// Whether brokers do not let us ask who coordinates the group: librdkafka says so aside, and lets what waits for the
    /// coordinator wait.
    fn is_refused(&self) -> bool {
        let mut said = std::iter::from_fn(|| self.client.poll(Duration::ZERO));
        said.any(|polled| {
            let code = polled.err().and_then(|error| error.rdkafka_error_code());
            code == Some(Code::GroupAuthorizationFailed)
        })
    }

    fn failed(&self, action: &'static str, source: KafkaError) -> GroupError {
        let group = self.group.clone();
        match source.rdkafka_error_code() {
            Some(Code::GroupAuthorizationFailed) => GroupError::Unauthorized { group },
            Some(Code::UnknownMemberId | Code::IllegalGeneration | Code::RebalanceInProgress) => {
                GroupError::InUse { group }
            }
            _ => GroupError::Failed { group, action, source },
        }
    }
}

/// Whether a failure is one of those that brokers have while they start or change.
const fn passes_soon(code: Code) -> bool {
    matches!(
        code,
        Code::NotCoordinator
            | Code::CoordinatorNotAvailable
            | Code::CoordinatorLoadInProgress
            | Code::WaitingForCoordinator
            | Code::OperationTimedOut
            | Code::RequestTimedOut
            | Code::BrokerTransportFailure
    )
}
