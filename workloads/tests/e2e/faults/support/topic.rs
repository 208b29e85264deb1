//! Reading a topic without the product's consumer: every message that is in it, with what its headers say.

use std::time::{Duration, Instant};

use batchpipe_api::envelope::Envelope;
use batchpipe_testbed::Kafka;
use batchpipe_workloads::{
    dead_letter_header::DeadLetterHeader,
    decode::{Batch, Headers, Limits, Message as Content, Opened, Opener},
};
use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
    message::{BorrowedMessage, Header, Headers as _, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer as _},
};

use super::PATIENCE;

const LIMITS: Limits = Limits { max_bytes: 64 << 20, max_records: 1_000_000 };

/// One message of a topic.
pub(crate) struct TopicMessage {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) value: Vec<u8>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

impl TopicMessage {
    fn copy(message: &BorrowedMessage<'_>) -> Self {
        let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
        Self {
            partition: message.partition(),
            offset: message.offset(),
            value: message.payload().unwrap_or_default().to_vec(),
            headers: headers
                .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
                .collect(),
        }
    }

    /// The same for another topic.
    fn again<'a>(&'a self, topic: &'a str) -> BaseRecord<'a, (), Vec<u8>> {
        let headers = self.headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
            headers.insert(Header { key, value: value.as_ref() })
        });
        BaseRecord::to(topic).partition(self.partition).headers(headers).payload(&self.value)
    }

    /// Why it is a dead letter.
    pub(crate) fn dead_letter(&self) -> Option<DeadLetterHeader> {
        let (_, value) = self.headers.iter().find(|(name, _)| name == "batchpipe-dlq")?;
        Some(DeadLetterHeader::parse(value.as_ref()?).unwrap())
    }

    /// Its envelope and its text; a marker has none.
    pub(crate) fn open(&self) -> (Envelope, Vec<u8>) {
        let headers: Headers<'_> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
        let content = Content { value: Some(&self.value), headers };
        let mut batch = Batch::default();
        match Opener::new().open(&content, &LIMITS, true, &mut batch).unwrap() {
            Opened::Batch { envelope, .. } => (envelope.unwrap(), batch.text),
            Opened::Marker { envelope } => (envelope, Vec::new()),
            Opened::Tombstone => panic!("we write no tombstones"),
        }
    }
}

/// What is in one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transaction {
    /// A record batch.
    Batch,
    /// All there is.
    All,
}

/// Sends messages into another topic, into the partitions that they come from: so many at once, which make a record batch of
/// their own.
pub(crate) fn copy_topic(
    kafka: &Kafka,
    messages: &[TopicMessage],
    to: &str,
    at_once: usize,
    holds: Transaction,
) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", kafka.bootstrap_servers())
        .set("linger.ms", "10") // so that they are together
        .set("transactional.id", to)
        .create()
        .unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    producer.begin_transaction().unwrap();
    for same in messages.chunk_by(|one, next| one.partition == next.partition) {
        for batch in same.chunks(at_once) {
            for message in batch {
                producer.send(message.again(to)).map_err(|(error, _)| error).unwrap();
            }
            while producer.in_flight_count() > 0 {
                producer.poll(Duration::from_millis(1));
            }
            if holds == Transaction::Batch {
                producer.commit_transaction(PATIENCE).unwrap();
                producer.begin_transaction().unwrap();
            }
        }
    }
    producer.commit_transaction(PATIENCE).unwrap();
}

/// Every message that is in the topic now, partition by partition in order.
pub(crate) fn read_topic(kafka: &Kafka, topic: &str) -> Vec<TopicMessage> {
    let ends = kafka.end_offsets(topic).unwrap();
    let starts = kafka.begin_offsets(topic).unwrap();
    let mut all = Vec::new();
    for (partition, (start, end)) in (0..).zip(starts.into_iter().zip(ends)) {
        if start < end {
            read_partition(kafka, topic, partition, end, &mut all);
        }
    }
    all
}

fn read_partition(
    kafka: &Kafka,
    topic: &str,
    partition: i32,
    end: i64,
    all: &mut Vec<TopicMessage>,
) {
    let reader: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", kafka.bootstrap_servers())
        .set("group.id", "nobody")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true") // the last offset may be the end of a transaction
        .create()
        .unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    reader.assign(&list).unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < deadline, "{topic}/{partition} cannot be read to {end}");
        match reader.poll(Duration::from_millis(500)) {
            Some(Ok(message)) => {
                let is_last = message.offset() + 1 >= end;
                all.push(TopicMessage::copy(&message));
                if is_last {
                    return;
                }
            }
            Some(Err(KafkaError::PartitionEOF(_))) => return,
            Some(Err(_)) | None => {}
        }
    }
}
