//! The sink that sends each record as a message of its own to a topic of the same cluster, at least once.
//!
//! All partitions share one producer, which a thread of its own looks after; it is the outbox that batches go through,
//! so what holds there holds here: every message acknowledged by all replicas, in order, without gaps, for ever. A
//! partition's writer hands over a bounded part of its message at a time and goes on when the broker has acknowledged
//! some of it; the message counts as written when the broker has all of it.

mod courier;
mod cursor;
pub mod exactly_once;
mod parcel;
mod writer;

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use batchpipe_api::{report::missing_topic, spec::sink::KafkaSink as Spec};

use self::{courier::Courier, writer::KafkaWriter};
use super::{Sink, WriteError, Writer, tenure::Tenure};
use crate::{
    kafka::{client::Cluster, outbox::Settings, topics::TopicSpec, waiting::Waiting},
    key::{KeyHash, Pointer, PointerError},
};

/// The most that librdkafka holds of records, in bytes, unless a single one is larger.
const WINDOW_BYTES: usize = 8 * 1024 * 1024;

/// Sends records to a topic.
pub struct KafkaSink {
    settings: Settings,
    key: Option<Arc<Pointer>>,
    /// Started for the first partition, so that nothing connects before.
    courier: OnceLock<Courier>,
}

impl KafkaSink {
    /// Nothing is connected to yet. No record is larger than `largest` bytes.
    pub fn new(spec: &Spec, cluster: Cluster, largest: usize) -> Result<Self, PointerError> {
        let key = spec.key.as_deref().map(Pointer::parse).transpose()?.map(Arc::new);
        let topic = TopicSpec::existing(&spec.topic);
        let settings = Settings {
            cluster,
            topic,
            transport: "none".to_owned(),
            max_message_bytes: largest,
            window_bytes: WINDOW_BYTES.max(largest),
        };
        Ok(Self { settings, key, courier: OnceLock::new() })
    }

    /// What it holds beside what each writer holds, in bytes.
    pub const fn bytes(&self) -> usize {
        self.settings.window_bytes
    }
}

impl fmt::Debug for KafkaSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaSink")
            .field("topic", &self.settings.topic.name)
            .finish_non_exhaustive()
    }
}

impl Sink for KafkaSink {
    fn name(&self) -> &'static str {
        "kafka"
    }

    fn open(&self, _: &str, _: Arc<dyn Tenure>) -> Result<Box<dyn Writer>, WriteError> {
        let courier = self.courier.get_or_init(|| Courier::start(self.settings.clone()));
        let topic = self.settings.topic.name.as_str().into();
        Ok(Box::new(KafkaWriter::new(courier.clone(), topic, self.key.clone())))
    }

    fn resent(&self) -> u64 {
        self.courier.get().map_or(0, Courier::resent)
    }

    fn check(&self) -> Result<(), WriteError> {
        let trouble = self.courier.get().and_then(Courier::trouble);
        trouble.map_or(Ok(()), |waiting| Err(WriteError::Topic(waiting)))
    }
}

/// Where a record belongs among so many partitions: by its key as the Java client has it, without a key where all of its
/// turn go that have none.
fn partition_of(key: Option<&[u8]>, partitions: u32, turn: u32) -> u32 {
    key.map_or(turn % partitions, |key| KeyHash::of(key).partition(partitions))
}

/// This topic has no `provision` that could be set.
fn in_our_words(mut waiting: Waiting, topic: &str) -> Waiting {
    let missing = missing_topic(topic);
    if waiting.what.starts_with(&missing) {
        waiting.what = format!("{missing}; create it: the topic of a sink is not made here");
    }
    waiting
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::topics::TopicError;

    #[test]
    fn a_topic_that_is_missing_is_to_be_created_and_nothing_else() {
        let missing = Waiting::from(&TopicError::Missing { topic: "t".to_owned() });
        let what = in_our_words(missing, "t").what;
        assert_eq!(what, "topic t does not exist; create it: the topic of a sink is not made here");
        let (servers, remark) = ("b:1".to_owned(), "refused".to_owned());
        let away = Waiting::from(&TopicError::Unreachable { servers, remark });
        assert_eq!(in_our_words(away.clone(), "t"), away);
    }

    #[test]
    fn keys_go_where_the_java_client_puts_them_and_others_by_turns() {
        // murmur2("21") is -973932308: toPositive, modulo 7.
        assert_eq!(partition_of(Some(b"21"), 7, 3), 1_173_551_340 % 7);
        assert_eq!(partition_of(None, 7, 9), 2);
    }
}
