//! From what users write to what the data plane needs: flag > environment > file > default.
//!
//! Everything is checked here, before anything starts; whatever is refused is refused with its field.

mod consumer;
mod error;
mod load;
mod producer;

use batchpipe_api::{pipeline::BatchPipeline, spec::topic::Provision};

pub use self::{
    consumer::{ConsumerFlags, ConsumerSetup, consumer},
    error::ConfigError,
    load::{Loaded, Overrides, load},
    producer::{ProducerFlags, ProducerSetup, producer},
};
use crate::kafka::{
    client::Cluster,
    topics::{self, TopicSpec},
};

/// The variable that may hold a whole pipeline.
pub const PIPELINE_VARIABLE: &str = "BATCHPIPE_PIPELINE";

/// How to reach Kafka.
fn cluster(pipeline: &BatchPipeline) -> Result<Cluster, ConfigError> {
    let kafka = &pipeline.spec.kafka;
    let later = |path, what: &str| {
        let problem = format!("{what} is not supported by this version; use a listener without it");
        Err(ConfigError::Field { path, problem })
    };
    if kafka.tls.is_some() {
        return later("spec.kafka.tls", "TLS");
    }
    if kafka.sasl.is_some() {
        return later("spec.kafka.sasl", "SASL");
    }
    let Some(bootstrap_servers) = kafka.bootstrap_servers.clone() else {
        let problem =
            "only the operator can look up a Strimzi cluster; give its address with --brokers or KAFKA_BROKER"
                .to_owned();
        return Err(ConfigError::Field { path: "spec.kafka.strimzi", problem });
    };
    Ok(Cluster { bootstrap_servers, options: kafka.options.clone() })
}

/// The topic of batches.
fn topic(pipeline: &BatchPipeline) -> TopicSpec {
    let topic = &pipeline.spec.topic;
    TopicSpec {
        name: pipeline.topic_name().to_owned(),
        partitions: Some(topic.partitions),
        replication: Some(topic.replication_factor),
        config: topic.config.clone(),
        provision: provision(topic.provision),
    }
}

/// The dead-letter topic: one partition, because few letters are expected and their order helps people.
fn dead_letter(pipeline: &BatchPipeline) -> TopicSpec {
    let spec = pipeline.spec.consumer.as_ref().map(|consumer| consumer.dead_letter.provision);
    TopicSpec {
        name: pipeline.dead_letter_topic(),
        partitions: Some(1),
        replication: Some(pipeline.spec.topic.replication_factor),
        config: std::collections::BTreeMap::new(),
        provision: spec.map_or(topics::Provision::Auto, provision),
    }
}

const fn provision(provision: Provision) -> topics::Provision {
    match provision {
        Provision::Auto => topics::Provision::Auto,
        Provision::Never => topics::Provision::Never,
    }
}
