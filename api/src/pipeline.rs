//! `BatchPipeline`: the root of the contract, the rules about several blocks, and the names that follow from others.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    spec::{
        batch::Batch, compression::Compression, consumer::Consumer, kafka::Kafka, patterns,
        producer::Producer, topic::Topic,
    },
    status::BatchPipelineStatus,
};

/// Group, version and kind as a file names them.
pub const API_VERSION: &str = "batchpipe.dev/v1alpha1";
/// The kind.
pub const KIND: &str = "BatchPipeline";
/// The longest name of a pipeline: its children's names and label values have at most 63 characters.
pub const MAX_NAME: u32 = 52;

/// The topic's name in CEL, defaults applied.
macro_rules! topic {
    ($object:literal) => {
        concat!(
            "(has(",
            $object,
            ".spec.topic) && has(",
            $object,
            ".spec.topic.name) ? ",
            $object,
            ".spec.topic.name : ",
            $object,
            ".metadata.name)"
        )
    };
}

/// The group's name in CEL, defaults applied.
macro_rules! group {
    ($object:literal) => {
        concat!(
            "(has(",
            $object,
            ".spec.consumer.group) ? ",
            $object,
            ".spec.consumer.group : ",
            $object,
            ".metadata.name)"
        )
    };
}

/// Whether the dead-letter topic has a name of its own, in CEL.
macro_rules! names_dead_letter {
    () => {
        "has(self.spec.consumer) && has(self.spec.consumer.deadLetter) && has(self.spec.consumer.deadLetter.topic)"
    };
}

/// What should run.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DesiredState {
    /// Both sides run.
    #[default]
    Running,
    /// Neither side runs.
    Paused,
    /// The producer stops, and the consumer stops when nothing is left.
    Drained,
}

/// Joins small JSON records into compressed batches, one Kafka message each, and delivers them record by record.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "batchpipe.dev",
    version = "v1alpha1",
    kind = "BatchPipeline",
    namespaced,
    derive = "PartialEq",
    status = "BatchPipelineStatus",
    shortname = "bp",
    category = "batchpipe",
    doc = "Joins small JSON records into compressed batches, one Kafka message each, and delivers them record by record.",
    scale(
        spec_replicas_path = ".spec.consumer.replicas",
        status_replicas_path = ".status.consumer.replicas",
        label_selector_path = ".status.consumer.selector"
    ),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Producers", type_ = "integer", json_path = ".status.producer.readyReplicas", description = "Producer pods that are ready."),
    printcolumn(name = "Consumers", type_ = "integer", json_path = ".status.consumer.readyReplicas", description = "Consumer pods that are ready."),
    printcolumn(name = "Rate", type_ = "integer", json_path = ".status.data.recordsPerSecond", description = "Records per second."),
    printcolumn(name = "Ratio", type_ = "string", json_path = ".status.data.ratio", description = "Bytes before compression to bytes on the topic."),
    printcolumn(name = "Lag", type_ = "integer", json_path = ".status.data.lagRecords", description = "Records that are not delivered yet."),
    printcolumn(name = "DLQ", type_ = "integer", json_path = ".status.data.deadLetters", description = "Records in the dead-letter topic."),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Topic", type_ = "string", json_path = ".status.topic", priority = 1),
    printcolumn(name = "Codec", type_ = "string", json_path = ".spec.compression.codec", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].message"#, priority = 1),
    validation = Rule::new("self.metadata.name.size() <= 52 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')")
        .message("must have at most 52 characters, only a-z, 0-9 and '-', begin with a letter and not end with '-': Services and pods are named after it").field_path(".metadata.name"),
    validation = Rule::new(concat!(topic!("self"), " == ", topic!("oldSelf")))
        .message("the topic cannot be changed: records in the old one would be left behind; make a new pipeline").field_path(".spec.topic.name"),
    validation = Rule::new(concat!("!has(self.spec.consumer) || !has(oldSelf.spec.consumer) || ", group!("self"), " == ", group!("oldSelf")))
        .message("the group cannot be changed: the new one would begin anew; make a new pipeline").field_path(".spec.consumer.group"),
    validation = Rule::new(concat!("!(", names_dead_letter!(), ") || self.spec.consumer.deadLetter.topic != ", topic!("self")))
        .message("the dead-letter topic must not be the topic itself").field_path(".spec.consumer.deadLetter.topic"),
    validation = Rule::new(concat!("(", names_dead_letter!(), ") || ", topic!("self"), ".size() <= 245"))
        .message("must have at most 245 characters, so that the dead-letter topic can have its name and .dlq; or set consumer.deadLetter.topic").field_path(".spec.topic.name"),
    validation = Rule::new(concat!("!has(self.spec.consumer) || !has(self.spec.consumer.sink.kafka) || self.spec.consumer.sink.kafka.topic != ", topic!("self")))
        .message("the sink's topic must not be the topic of batches: its records would come back").field_path(".spec.consumer.sink.kafka.topic"),
    validation = Rule::new(concat!("!has(self.spec.consumer) || !has(self.spec.consumer.sink.kafka) || self.spec.consumer.sink.kafka.topic != (", names_dead_letter!(), " ? self.spec.consumer.deadLetter.topic : ", topic!("self"), " + '.dlq')"))
        .message("the sink's topic must not be the dead-letter topic").field_path(".spec.consumer.sink.kafka.topic"),
    validation = Rule::new(concat!("!has(self.spec.producer) || !has(self.spec.producer.source.kafka) || has(self.spec.producer.source.kafka.bootstrapServers) || self.spec.producer.source.kafka.topic != ", topic!("self")))
        .message("the source's topic must not be the topic of batches: its batches would come back").field_path(".spec.producer.source.kafka.topic"),
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.producer) || has(self.consumer)").message("set producer, consumer or both"),
    validation = Rule::new("!has(self.producer) || !has(self.consumer) || quantity(self.batch.maxBytes).compareTo(quantity(self.consumer.limits.maxBatchBytes)) <= 0")
        .message("must not be more than consumer.limits.maxBatchBytes: the consumer would dead-letter full batches").field_path(".batch.maxBytes"),
    validation = Rule::new("!has(self.producer) || !has(self.consumer) || self.batch.maxRecords <= self.consumer.limits.maxBatchRecords")
        .message("must not be more than consumer.limits.maxBatchRecords: the consumer would dead-letter full batches").field_path(".batch.maxRecords"),
)]
pub struct BatchPipelineSpec {
    /// Running (default): both sides run. Paused: neither does. Drained: the producer stops, the consumer works off what is
    /// left and stops.
    #[serde(default)]
    pub state: DesiredState,
    /// Image of the pods; default (empty): the operator's. At most 512 characters.
    #[serde(default)]
    #[schemars(length(max = 512), regex(pattern = patterns::IMAGE))]
    pub image: String,
    /// Where Kafka is.
    pub kafka: Kafka,
    /// The topic that carries the batches.
    #[serde(default)]
    pub topic: Topic,
    /// When a batch is full: at the first limit that is reached.
    #[serde(default)]
    pub batch: Batch,
    /// How batches are compressed.
    #[serde(default)]
    pub compression: Compression,
    /// Collects records, joins them into batches and sends them. Absent: somebody else does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub producer: Option<Producer>,
    /// Fetches batches, takes them apart and delivers the records. Absent: somebody else does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumer: Option<Consumer>,
}

impl BatchPipeline {
    /// The pipeline's name; empty only in objects that no rule has seen.
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// The topic of batches.
    pub fn topic_name(&self) -> &str {
        self.spec.topic.name.as_deref().unwrap_or_else(|| self.name())
    }

    /// The consumer group, also what it would be if there were a consumer.
    pub fn group(&self) -> &str {
        self.spec
            .consumer
            .as_ref()
            .and_then(|it| it.group.as_deref())
            .unwrap_or_else(|| self.name())
    }

    /// The dead-letter topic, of both sides.
    pub fn dead_letter_topic(&self) -> String {
        let named = self.spec.consumer.as_ref().and_then(|it| it.dead_letter.topic.clone());
        named.unwrap_or_else(|| format!("{}.dlq", self.topic_name()))
    }

    /// The group that reads a Kafka source; `None` without such a source.
    pub fn source_group(&self) -> Option<String> {
        let source = self.spec.producer.as_ref()?.source.kafka.as_ref()?;
        Some(source.group.clone().unwrap_or_else(|| format!("{}.source", self.name())))
    }
}
