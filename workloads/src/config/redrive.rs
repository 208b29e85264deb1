//! What sending dead letters back takes of a pipeline, if there is one: where Kafka is, and how records are batched.

use std::path::Path;

use batchpipe_api::spec::{batch::Batch, compression::Compression};

use super::{ConfigError, Overrides, cluster, load, producer, reading::cluster_at};
use crate::{kafka::client::Cluster, redrive::Batching};

/// What sending back needs beside the letters.
pub struct RedriveSetup {
    /// The cluster.
    pub cluster: Cluster,
    /// How records are batched anew.
    pub batching: Batching,
    /// The pipeline's dead-letter topic, if there is a pipeline.
    pub dead_letter: Option<String>,
}

/// Sets it up from a pipeline, which may be in the environment, or else from the addresses alone.
pub fn redrive(file: Option<&Path>, brokers: Option<&str>) -> Result<RedriveSetup, ConfigError> {
    let overrides = Overrides { brokers: brokers.map(str::to_owned), ..Overrides::default() };
    let pipeline = match load(file, &overrides) {
        Err(ConfigError::None) => return without_pipeline(brokers),
        loaded => loaded?.for_this_process()?,
    };
    let spec = &pipeline.spec;
    let key = spec.producer.as_ref().and_then(|producer| producer.key.as_deref());
    let batching =
        Batching { key: producer::key(key)?, ..batching(&spec.batch, &spec.compression) };
    let dead_letter = Some(pipeline.dead_letter_topic());
    Ok(RedriveSetup { cluster: cluster(&pipeline)?, batching, dead_letter })
}

fn without_pipeline(brokers: Option<&str>) -> Result<RedriveSetup, ConfigError> {
    let batching = batching(&Batch::default(), &Compression::default());
    Ok(RedriveSetup { cluster: cluster_at(brokers)?, batching, dead_letter: None })
}

fn batching(batch: &Batch, compression: &Compression) -> Batching {
    Batching {
        codec: compression.codec,
        level: compression.level,
        transport: compression.transport.name().to_owned(),
        limits: producer::limits(batch),
        key: None,
    }
}
