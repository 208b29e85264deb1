//! A pipeline with a Kafka source, and what is in its topic of single records.

use std::{fs, time::Duration};

use batchpipe_testbed::Kafka;
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseProducer, BaseRecord, Producer as _},
};
use serde_json::json;

use crate::faults::support::{Child, Records, Scene, Tally, read_topic, until};

/// Partitions of the topic of single records.
pub(super) const PARTITIONS: u32 = 4;
const TIMEOUT: Duration = Duration::from_mins(1);
/// How many keys records have.
pub(super) const KEYS: usize = 500;

/// A pipeline from a topic of single records, which is there.
pub(super) struct Stage<'a> {
    pub(super) scene: Scene,
    /// Where the single records are.
    pub(super) kafka: &'a Kafka,
    /// The topic and the group.
    pub(super) raw: String,
}

/// A message: key and value.
pub(super) type Pair = (Option<String>, Option<Vec<u8>>);

impl<'a> Stage<'a> {
    pub(super) fn new(kafka: &'a Kafka, topic: &str) -> Self {
        let stage = Self::without_topic(kafka, topic);
        kafka.create_topic(&stage.raw, PARTITIONS, &[]).unwrap();
        stage
    }

    pub(super) fn without_topic(kafka: &'a Kafka, topic: &str) -> Self {
        let mut scene = Scene::new(kafka, topic);
        let raw = format!("{topic}.raw");
        scene.spec["producer"]["source"] = json!({"kafka": {"topic": raw, "group": raw}});
        Self { scene, kafka, raw }
    }

    /// Records with keys, in order.
    pub(super) fn records(&self, total: usize) -> (Records, Vec<Pair>) {
        let records = self.scene.write_input(total);
        let text = fs::read(self.scene.input()).unwrap();
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let pairs =
            lines.enumerate().map(|(number, line)| (Some(key(number)), Some(line.to_vec())));
        (records, pairs.collect())
    }

    /// Puts messages into the topic, as any program would.
    pub(super) fn send(&self, pairs: &[Pair]) {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", self.kafka.bootstrap_servers())
            .set("partitioner", "murmur2_random")
            .set("queue.buffering.max.messages", "200000")
            .create()
            .unwrap();
        for (key, value) in pairs {
            let mut record = BaseRecord::<String, Vec<u8>>::to(&self.raw);
            record.key = key.as_ref();
            record.payload = value.as_ref();
            while let Err((error, again)) = producer.send(record) {
                let full = KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
                assert_eq!(error, full);
                producer.poll(Duration::from_millis(10));
                record = again;
            }
        }
        producer.flush(TIMEOUT).unwrap();
    }

    /// What the group has committed, with its metadata.
    pub(super) fn committed(&self) -> Vec<(Option<i64>, String)> {
        let mut list = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            list.add_partition(&self.raw, partition.try_into().unwrap());
        }
        let list = self.group().committed_offsets(list, TIMEOUT).unwrap();
        let elements = list.elements();
        let offset = |offset| if let Offset::Offset(offset) = offset { Some(offset) } else { None };
        elements.iter().map(|it| (offset(it.offset()), it.metadata().to_owned())).collect()
    }

    /// Sets what the group, which has no members, has committed.
    pub(super) fn commit(&self, partition: i32, offset: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.raw, partition, Offset::Offset(offset)).unwrap();
        self.group().commit(&list, CommitMode::Sync).unwrap();
    }

    /// The group, for somebody who does not join it.
    fn group(&self) -> BaseConsumer {
        ClientConfig::new()
            .set("bootstrap.servers", self.kafka.bootstrap_servers())
            .set("group.id", &self.raw)
            .create()
            .unwrap()
    }

    /// The sum of all that.
    pub(super) fn committed_sum(&self) -> i64 {
        self.committed().iter().filter_map(|(offset, _)| *offset).sum()
    }

    /// Waits until the group knows everything that is in the topic now.
    pub(super) fn await_committed(&self) {
        let ends: i64 = self.kafka.end_offsets(&self.raw).unwrap().iter().sum();
        until("everything is committed", || self.committed_sum() == ends);
    }

    /// Starts the producer, and waits until so many records were sent.
    pub(super) fn produce_until(&self, records: usize) -> Child {
        let producer = self.scene.produce();
        producer.await_delivered(records as u64);
        producer
    }

    /// Counts what is in the topic of batches.
    pub(super) fn tally(&self, kafka: &Kafka, records: &Records) -> Tally {
        let mut tally = Tally::new(records);
        for message in read_topic(kafka, &self.scene.topic) {
            tally.text(&message.open().1);
        }
        tally
    }
}

/// The key of a record.
pub(super) fn key(number: usize) -> String {
    format!("key-{}", number % KEYS)
}
