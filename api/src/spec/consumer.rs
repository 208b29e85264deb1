//! `spec.consumer`: the side that fetches, decompresses, splits and delivers.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::{patterns, pod::Pod, rules, sink::Sink, topic::Provision};
use crate::units::{ByteSize, Timespan};

/// Fetches batches, takes them apart and delivers the records.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.sink.file) || self.replicas <= 1")
        .message("a folder has one writer; set replicas to 1 or 0").field_path(".replicas"),
    validation = Rule::new("!has(self.sink.file) || !has(self.scaling) || self.scaling.maxReplicas <= 1")
        .message("a folder has one writer; remove scaling").field_path(".scaling"),
)]
pub struct Consumer {
    /// Number of consumer pods; 0 to 1000, default 1. More than the topic has partitions are idle. With scaling, this is
    /// overridden.
    #[serde(default = "replicas")]
    #[schemars(range(min = 0, max = 1000))]
    pub replicas: i32,
    /// Consumer group; default: the pipeline's name. It cannot be changed later, because a new group begins anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), regex(pattern = patterns::GROUP))]
    pub group: Option<String>,
    /// Where records go; exactly one kind.
    pub sink: Sink,
    /// Where records go that cannot be processed.
    #[serde(default)]
    pub dead_letter: DeadLetter,
    /// Largest batch that is accepted; larger ones are dead-lettered.
    #[serde(default)]
    pub limits: Limits,
    /// Number of pods by lag. Absent: replicas rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<Scaling>,
    /// How the pods are run.
    #[serde(default, skip_serializing_if = "Pod::is_default")]
    pub pod: Pod,
}

const fn replicas() -> i32 {
    1
}

/// Where records go that cannot be processed.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// The dead-letter topic; default: the topic's name and `.dlq`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 249), regex(pattern = patterns::TOPIC))]
    pub topic: Option<String>,
    /// Auto (default): the topic is created when it is missing. Never: it must be there; partitions with something to
    /// dead-letter wait for it.
    #[serde(default)]
    pub provision: Provision,
}

/// Largest batch that is accepted.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Most bytes of a batch after decompression; 1Ki to 1Gi, default 16Mi.
    #[serde(default = "max_batch_bytes")]
    #[x_kube(validation = rules::size_between("1Ki", "1Gi"))]
    pub max_batch_bytes: ByteSize,
    /// Most records of a batch; 1 to 10000000, default 100000.
    #[serde(default = "max_batch_records")]
    #[schemars(range(min = 1, max = 10_000_000))]
    pub max_batch_records: i32,
}

const fn max_batch_bytes() -> ByteSize {
    ByteSize::from_mib(16)
}

const fn max_batch_records() -> i32 {
    100_000
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_batch_bytes: max_batch_bytes(), max_batch_records: max_batch_records() }
    }
}

/// Number of consumer pods by lag.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.minReplicas <= self.maxReplicas")
        .message("must not be more than maxReplicas").field_path(".minReplicas"),
)]
pub struct Scaling {
    /// Fewest pods; 1 to 1000, default 1.
    #[serde(default = "min_replicas")]
    #[schemars(range(min = 1, max = 1000))]
    pub min_replicas: i32,
    /// Most pods; 1 to 1000. Never more than the topic has partitions.
    #[schemars(range(min = 1, max = 1000))]
    pub max_replicas: i32,
    /// Time in which a lag should be worked off; 1s to 24h, default 30s.
    #[serde(default = "target_lag")]
    #[x_kube(validation = rules::time_between("1s", "24h"))]
    pub target_lag: Timespan,
}

const fn min_replicas() -> i32 {
    1
}

const fn target_lag() -> Timespan {
    Timespan::from_secs(30)
}
