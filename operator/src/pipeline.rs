//! validate: from a spec and a resolved Kafka to a `Pipeline`, the value that all builders read. Pure.

use batchpipe_api::{
    pipeline::{BatchPipelineSpec, DesiredState},
    report::Role,
    validate::Violation,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use crate::resolve::ResolvedKafka;

/// A pipeline that can be carried out. Builders read this, never the raw spec.
#[derive(Clone, Debug, PartialEq)]
pub struct Pipeline {
    /// Its name, of at most 52 characters.
    pub name: String,
    /// Its namespace, and that of every child.
    pub namespace: String,
    /// The uid of the object: what tells our children from those of a namesake.
    pub uid: String,
    /// The reference that children carry.
    pub owner: OwnerReference,
    /// Where Kafka is.
    pub kafka: ResolvedKafka,
    /// The image of the pods.
    pub image: String,
    /// The topic of batches, default applied.
    pub topic: String,
    /// The dead-letter topic, default applied.
    pub dead_letter_topic: String,
    /// The spec with every default, and with Strimzi replaced by what it was resolved to.
    pub spec: BatchPipelineSpec,
}

impl Pipeline {
    /// Whether the pipeline has such a side.
    pub const fn has(&self, role: Role) -> bool {
        match role {
            Role::Producer => self.spec.producer.is_some(),
            Role::Consumer => self.spec.consumer.is_some(),
        }
    }

    /// What the user wants of it.
    pub const fn state(&self) -> DesiredState {
        self.spec.state
    }
}

/// Why a spec cannot be carried out. It waits for a change; trying again would not help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// Never empty.
    pub violations: Vec<Violation>,
}
