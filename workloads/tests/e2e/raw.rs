//! Topics with messages that are made by hand, among them such that no producer of ours would send.

use std::time::Duration;

use batchpipe_testbed::{Kafka, shared_kafka};
use rdkafka::{
    ClientConfig,
    message::{Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer as _},
};

const PATIENCE: Duration = Duration::from_secs(30);

/// The broker that all tests share.
pub(crate) fn kafka() -> &'static Kafka {
    shared_kafka().unwrap()
}

/// A topic with a producer that sends whatever it is given.
pub(crate) struct Topic {
    pub(crate) name: String,
    producer: BaseProducer,
}

/// A message.
#[derive(Clone, Default)]
pub(crate) struct Message {
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Topic {
    /// A new topic.
    pub(crate) fn new(name: &str, partitions: u32) -> Self {
        Self::with_settings(name, partitions, &[])
    }

    /// A new topic whose messages come in transactions.
    pub(crate) fn transactional(name: &str, partitions: u32) -> Self {
        let topic = Self::with_settings(name, partitions, &[("transactional.id", name)]);
        topic.producer.init_transactions(PATIENCE).unwrap();
        topic
    }

    fn with_settings(name: &str, partitions: u32, settings: &[(&str, &str)]) -> Self {
        kafka().create_topic(name, partitions, &[]).unwrap();
        Self::existing(name, settings)
    }

    /// A producer that knows nothing of the topic yet.
    pub(crate) fn existing(name: &str, settings: &[(&str, &str)]) -> Self {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", kafka().bootstrap_servers());
        for (key, value) in settings {
            config.set(*key, *value);
        }
        Self { name: name.to_owned(), producer: config.create().unwrap() }
    }

    /// Sends messages to a partition, in order, and waits until they are there.
    pub(crate) fn send(&self, partition: i32, messages: &[Message]) {
        for message in messages {
            let mut headers = OwnedHeaders::new();
            for (key, value) in &message.headers {
                headers = headers.insert(Header { key, value: Some(value) });
            }
            let mut record: BaseRecord<'_, [u8], Vec<u8>> =
                BaseRecord::to(&self.name).partition(partition).headers(headers);
            if let Some(value) = &message.value {
                record = record.payload(value);
            }
            self.producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        self.producer.flush(PATIENCE).unwrap();
    }

    /// Sends messages in one transaction, and commits or aborts it.
    pub(crate) fn transact(&self, partition: i32, messages: &[Message], commits: bool) {
        self.producer.begin_transaction().unwrap();
        self.send(partition, messages);
        if commits {
            self.producer.commit_transaction(PATIENCE).unwrap();
        } else {
            self.producer.abort_transaction(PATIENCE).unwrap();
        }
    }
}

/// A batch of records `{"n":S}`, not compressed, from record number `sequence` on.
pub(crate) fn batch(incarnation: u64, sequence: u64, records: u64) -> Message {
    let lines: Vec<_> = (sequence..sequence + records).map(|n| format!("{{\"n\":{n}}}")).collect();
    let text = lines.join("\n");
    let (bytes, crc) = (text.len(), crc32c::crc32c(text.as_bytes()));
    let envelope =
        format!("v=1;n={records};b={bytes};c={crc:08x};p={incarnation:016x};s={sequence};j=1");
    Message { value: Some(text.into_bytes()), headers: vec![("batchpipe", envelope)] }
}

/// What stands for records that were dead-lettered.
pub(crate) fn marker(incarnation: u64, sequence: u64, records: u64) -> Message {
    let envelope =
        format!("v=1;n={records};b=0;p={incarnation:016x};s={sequence};x=record_too_large");
    Message { value: Some(Vec::new()), headers: vec![("batchpipe", envelope)] }
}

/// A value without any header.
pub(crate) fn foreign(value: &[u8]) -> Message {
    Message { value: Some(value.to_vec()), headers: Vec::new() }
}

/// A message with a value that does not fit its checksum any more.
pub(crate) fn damaged(mut message: Message) -> Message {
    let value = message.value.as_mut().unwrap();
    value[2] ^= 1;
    message
}
