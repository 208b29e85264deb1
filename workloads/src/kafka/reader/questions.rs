//! What a reading asks the brokers: which partitions there are, and where they begin and end.

use std::time::Duration;

use rdkafka::{
    consumer::Consumer as _,
    error::{KafkaError, RDKafkaErrorCode as Code},
    metadata::MetadataPartition,
};

use super::{Reader, ReaderError, Watermarks};
use crate::kafka::jump::impossible;

/// How long one question to the brokers may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

impl Reader {
    pub(super) fn find_partitions(&self) -> Result<Vec<i32>, ReaderError> {
        let topic = || self.topic.clone();
        let metadata = self
            .client
            .fetch_metadata(Some(&self.topic), REQUEST_TIMEOUT)
            .map_err(|error| self.unreachable(&error))?;
        let Some(found) = metadata.topics().iter().find(|found| found.name() == self.topic) else {
            return Err(ReaderError::Missing { topic: topic() });
        };
        match found.error().map(Code::from) {
            None if found.partitions().is_empty() => Err(ReaderError::Missing { topic: topic() }),
            None => Ok(found.partitions().iter().map(MetadataPartition::id).collect()),
            Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => {
                Err(ReaderError::Missing { topic: topic() })
            }
            Some(Code::TopicAuthorizationFailed) => {
                Err(ReaderError::Unauthorized { topic: topic() })
            }
            Some(code) => Err(ReaderError::Unusable { topic: topic(), code }),
        }
    }

    pub(super) fn watermarks(&self, partition: i32) -> Result<Watermarks, ReaderError> {
        match self.client.fetch_watermarks(&self.topic, partition, REQUEST_TIMEOUT) {
            Ok((low, high)) => Ok(Watermarks { low, high }),
            Err(error) => match error.rdkafka_error_code() {
                Some(Code::TopicAuthorizationFailed) => {
                    Err(ReaderError::Unauthorized { topic: self.topic.clone() })
                }
                _ => Err(self.unreachable(&error)),
            },
        }
    }

    /// Whether there is a message at this offset, whatever it says of itself.
    pub(super) fn check_offset(&self, partition: i32, offset: i64) -> Result<(), ReaderError> {
        let end = self.watermarks(partition)?.high;
        if offset < end {
            return Ok(());
        }
        Err(ReaderError::Damaged(impossible(&self.topic, partition, offset, end)))
    }

    fn unreachable(&self, error: &KafkaError) -> ReaderError {
        // Why brokers do not answer comes to the client's context when it is polled. Before the first partition there
        // is nothing else that a poll could bring.
        while self.positions.is_empty() && self.client.poll(Duration::ZERO).is_some() {}
        let said = self.client.context().remark();
        let (servers, remark) = (self.servers.clone(), said.or(&error.to_string()));
        if said.is_about_trust() {
            ReaderError::LoginFailed { servers, remark }
        } else {
            ReaderError::Unreachable { servers, remark }
        }
    }
}
