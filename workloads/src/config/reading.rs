//! What reading a topic without a group takes: where Kafka is, and which topic. From a pipeline, or from flags alone.

use std::path::Path;

use super::{ConfigError, Overrides, check_brokers, check_topic, cluster, load};
use crate::kafka::client::Cluster;

/// A topic that is to be read.
pub struct ReadingSetup {
    /// The cluster.
    pub cluster: Cluster,
    /// The topic.
    pub topic: String,
}

/// Sets it up from a pipeline, which may be in the environment, or else from address and topic alone. What is given is
/// stronger than the pipeline; its topic may then be any, as that of the dead letters.
pub fn reading(
    file: Option<&Path>,
    brokers: Option<&str>,
    topic: Option<&str>,
) -> Result<ReadingSetup, ConfigError> {
    let topic = topic.map(check_topic).transpose().map_err(ConfigError::Topic)?;
    let overrides = Overrides { brokers: brokers.map(str::to_owned), ..Overrides::default() };
    let pipeline = match load(file, &overrides) {
        Err(ConfigError::None) => {
            let cluster = cluster_at(brokers)?;
            return Ok(ReadingSetup { cluster, topic: topic.ok_or(ConfigError::NoTopic)? });
        }
        loaded => loaded?.for_this_process()?,
    };
    let topic = topic.unwrap_or_else(|| pipeline.topic_name().to_owned());
    Ok(ReadingSetup { cluster: cluster(&pipeline)?, topic })
}

/// A cluster of which only addresses are known: without TLS and SASL.
pub(super) fn cluster_at(brokers: Option<&str>) -> Result<Cluster, ConfigError> {
    let Some(brokers) = brokers else { return Err(ConfigError::NoBrokers) };
    let bootstrap_servers = check_brokers(brokers).map_err(ConfigError::Brokers)?;
    Ok(Cluster { bootstrap_servers, ..Cluster::default() })
}
