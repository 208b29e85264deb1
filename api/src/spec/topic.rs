//! `spec.topic`: the topic of batches.

use std::collections::BTreeMap;

use kube::{KubeSchema, core::Rule};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::patterns;

/// Whether a topic is created.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Provision {
    /// Created when it is missing; never altered, never deleted.
    #[default]
    Auto,
    /// Somebody else creates it; the pipeline waits until it is there.
    Never,
}

/// The topic that carries the batches.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Topic {
    /// Name of the topic; default: the pipeline's name. It cannot be changed later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 249), regex(pattern = patterns::TOPIC))]
    pub name: Option<String>,
    /// Number of partitions when the topic is created; 1 to 10000, default 6. At most so many consumers work in parallel.
    #[serde(default = "partitions")]
    #[schemars(range(min = 1, max = 10_000))]
    pub partitions: i32,
    /// Number of copies of each partition when the topic is created; 1 to 100, default 1. Use 3 where records matter.
    #[serde(default = "replication_factor")]
    #[schemars(range(min = 1, max = 100))]
    pub replication_factor: i32,
    /// Settings of the topic when it is created, by Kafka's names, for example retention.ms; at most 64.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "config_schema")]
    pub config: BTreeMap<String, String>,
    /// Auto (default): the topic is created when it is missing, as a KafkaTopic with Strimzi, else by the producer. Never:
    /// it must be there. An existing topic is never altered or deleted.
    #[serde(default)]
    pub provision: Provision,
}

const fn partitions() -> i32 {
    6
}

const fn replication_factor() -> i32 {
    1
}

impl Default for Topic {
    fn default() -> Self {
        Self {
            name: None,
            partitions: partitions(),
            replication_factor: replication_factor(),
            config: BTreeMap::new(),
            provision: Provision::Auto,
        }
    }
}

fn config_schema(_: &mut SchemaGenerator) -> Schema {
    let mut schema = json_schema!({
        "type": "object",
        "maxProperties": 64,
        "additionalProperties": {"type": "string", "maxLength": 1024},
    });
    let rules = [
        Rule::new("self.all(k, k.matches('^[a-z][a-z.]{0,99}$'))")
            .message("names of topic settings are lower-case letters and '.', for example retention.ms"),
        Rule::new("!('cleanup.policy' in self) || !self['cleanup.policy'].contains('compact')")
            .message("cleanup.policy: compact would delete batches, because messages have no key; use delete"),
    ];
    for rule in rules {
        kube::core::validate(&mut schema, rule).expect("a rule of strings is valid JSON");
    }
    schema
}
