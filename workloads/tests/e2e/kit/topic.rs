//! Topics as any Kafka client sees them: raw messages in, raw messages out.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use batchpipe_testbed::Kafka;
use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
    message::{Header, Headers as _, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer as _},
};

use super::broker;

const PATIENCE: Duration = Duration::from_mins(1);

/// One message, with everything that a client can see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Raw {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
}

impl Raw {
    /// A message with nothing but a value, for this partition.
    pub(crate) fn value(partition: i32, value: impl Into<Vec<u8>>) -> Self {
        Self { partition, value: Some(value.into()), ..Self::default() }
    }

    /// The text of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name)?;
        Some(std::str::from_utf8(&found.1).unwrap())
    }
}

/// All committed messages of a topic, partition by partition, once no transaction is open.
pub(crate) fn read(topic: &str) -> Vec<Raw> {
    read_at(broker(), topic)
}

/// The same at a broker of the test's own.
pub(crate) fn read_at(kafka: &Kafka, topic: &str) -> Vec<Raw> {
    let deadline = Instant::now() + PATIENCE;
    await_no_transaction(kafka, topic, deadline);
    let client = reader(kafka, "read_committed");
    let mut unread = BTreeSet::new();
    let mut wanted = TopicPartitionList::new();
    for partition in 0..partitions(kafka, topic) {
        wanted.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
        unread.insert(partition);
    }
    client.assign(&wanted).unwrap();
    let mut found = Vec::new();
    while !unread.is_empty() {
        assert!(Instant::now() < deadline, "{topic}: {unread:?} after {} messages", found.len());
        match client.poll(Duration::from_millis(100)) {
            Some(Err(KafkaError::PartitionEOF(partition))) => _ = unread.remove(&partition),
            Some(message) => found.push(own(&message.unwrap())),
            None => {}
        }
    }
    found.sort_by_key(|message| (message.partition, message.offset));
    found
}

/// A process that was killed leaves its transaction to the brokers, which end it after a while; until then nobody reads
/// what comes after it.
fn await_no_transaction(kafka: &Kafka, topic: &str, deadline: Instant) {
    let (committed, all) = (reader(kafka, "read_committed"), reader(kafka, "read_uncommitted"));
    for partition in 0..partitions(kafka, topic) {
        let end = |client: &BaseConsumer| {
            client.fetch_watermarks(topic, partition, Duration::from_secs(5)).unwrap().1
        };
        while end(&committed) < end(&all) {
            assert!(Instant::now() < deadline, "{topic} {partition}: a transaction stays open");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

fn partitions(kafka: &Kafka, topic: &str) -> i32 {
    i32::try_from(kafka.end_offsets(topic).unwrap().len()).unwrap()
}

fn reader(kafka: &Kafka, isolation: &str) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", kafka.bootstrap_servers())
        .set("group.id", "unused")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", isolation)
        .create()
        .unwrap()
}

fn own(message: &rdkafka::message::BorrowedMessage<'_>) -> Raw {
    let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
    Raw {
        partition: message.partition(),
        offset: message.offset(),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: headers
            .map(|header| (header.key.to_owned(), header.value.unwrap_or_default().to_vec()))
            .collect(),
    }
}

/// Writes messages to their partitions, in order.
pub(crate) fn write(topic: &str, messages: &[Raw]) {
    let client: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", broker().bootstrap_servers())
        .set("enable.idempotence", "true")
        .set("message.max.bytes", "100000000")
        .create()
        .unwrap();
    for message in messages {
        let mut headers = OwnedHeaders::new();
        for (name, value) in &message.headers {
            headers = headers.insert(Header { key: name, value: Some(value) });
        }
        let mut record = BaseRecord::<[u8], [u8]>::to(topic).partition(message.partition);
        record.key = message.key.as_deref();
        record.payload = message.value.as_deref();
        record.headers = (!message.headers.is_empty()).then_some(headers);
        client.send(record).map_err(|(error, _)| error).unwrap();
    }
    client.flush(PATIENCE).unwrap();
}

/// How many messages a topic has, among them the ends of transactions.
pub(crate) fn messages(topic: &str) -> i64 {
    broker().end_offsets(topic).unwrap().iter().sum()
}
