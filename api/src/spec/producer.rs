//! `spec.producer`: the side that collects, batches, compresses and sends.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{patterns, pod::Pod, source::Source};

/// What is checked before a record is taken in.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Validate {
    /// Each record is one JSON value; others are dead-lettered.
    #[default]
    Json,
    /// Nothing, except that a record is one line.
    None,
}

/// Collects records, joins them into batches and sends them.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.source.file) || self.replicas <= 1")
        .message("a file has one reader; set replicas to 1 or 0").field_path(".replicas"),
)]
pub struct Producer {
    /// Number of producer pods; 0 to 1000, default 1.
    #[serde(default = "replicas")]
    #[schemars(range(min = 0, max = 1000))]
    pub replicas: i32,
    /// Where records come from; exactly one kind.
    pub source: Source,
    /// JSON pointer to the value of a record that selects its partition, for example /device/id. Records with the same
    /// value go to the same partition and stay in order. Absent: batches go round the partitions. At most 256 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = patterns::JSON_POINTER))]
    pub key: Option<String>,
    /// Json (default): each record must be one JSON value; others go to the dead-letter topic. None: records are not
    /// looked at, which saves CPU when the source is known to be right.
    #[serde(default)]
    pub validate: Validate,
    /// How the pods are run.
    #[serde(default, skip_serializing_if = "Pod::is_default")]
    pub pod: Pod,
}

const fn replicas() -> i32 {
    1
}
