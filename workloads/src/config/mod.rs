//! From what users write to what the data plane needs: flag > environment > file > default.
//!
//! Everything is checked here, before anything starts; whatever is refused is refused with its field.

mod consumer;
mod producer;

use std::{fmt::Write as _, path::PathBuf};

use batchpipe_api::{
    pipeline::BatchPipeline,
    spec::{compression::Transport, topic::Provision},
    validate::{Violation, check, check_text},
};

pub use self::{
    consumer::{ConsumerFlags, ConsumerSetup, consumer},
    producer::{ProducerFlags, ProducerSetup, producer},
};
use crate::kafka::{
    client::Cluster,
    topics::{self, TopicSpec},
};

/// The variable that may hold a whole pipeline.
pub const PIPELINE_VARIABLE: &str = "BATCHPIPE_PIPELINE";

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is none.
    #[error("no pipeline given: name a file with -f, or put the pipeline into {PIPELINE_VARIABLE}")]
    None,
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It breaks rules.
    #[error("{origin} is not a valid pipeline:{}", list(.violations))]
    Invalid {
        /// Where it came from.
        origin: String,
        /// What is wrong.
        violations: Vec<Violation>,
    },
    /// A flag or a variable that overrides a field has an impossible value.
    #[error("{name} is {found:?}: {expected}")]
    Override {
        /// The flag or variable.
        name: &'static str,
        /// What it holds.
        found: String,
        /// What it may hold.
        expected: String,
    },
    /// A field asks for something that cannot be had here.
    #[error("{path}: {problem}")]
    Field {
        /// The field.
        path: &'static str,
        /// Why not, and what to do.
        problem: String,
    },
}

fn list(violations: &[Violation]) -> String {
    violations.iter().fold(String::new(), |mut text, violation| {
        write!(text, "\n  {violation}").expect("a String takes everything");
        text
    })
}

/// What flags and variables put in the place of the file's fields.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `kafka.bootstrapServers`.
    pub brokers: Option<String>,
    /// `topic.name`.
    pub topic: Option<String>,
    /// `compression.transport`.
    pub transport: Option<String>,
}

/// Reads a pipeline from a file, or else from the environment, and applies the overrides.
pub fn load(file: Option<&PathBuf>, overrides: &Overrides) -> Result<BatchPipeline, ConfigError> {
    let (origin, text) = match (file, std::env::var(PIPELINE_VARIABLE)) {
        (Some(path), _) => {
            let text = std::fs::read_to_string(path)
                .map_err(|source| ConfigError::Read { path: path.clone(), source })?;
            (path.display().to_string(), text)
        }
        (None, Ok(text)) => (PIPELINE_VARIABLE.to_owned(), text),
        (None, Err(_)) => return Err(ConfigError::None),
    };
    let mut pipeline = check_text(&text)
        .map_err(|violations| ConfigError::Invalid { origin: origin.clone(), violations })?;
    apply(&mut pipeline, overrides)?;
    let violations = check(&pipeline);
    if violations.is_empty() {
        Ok(pipeline)
    } else {
        let origin = format!("{origin}, with what flags and the environment put into it,");
        Err(ConfigError::Invalid { origin, violations })
    }
}

fn apply(pipeline: &mut BatchPipeline, overrides: &Overrides) -> Result<(), ConfigError> {
    let spec = &mut pipeline.spec;
    if let Some(brokers) = &overrides.brokers {
        spec.kafka.bootstrap_servers = Some(brokers.clone());
        spec.kafka.strimzi = None;
    }
    if let Some(topic) = &overrides.topic {
        spec.topic.name = Some(topic.clone());
    }
    if let Some(found) = &overrides.transport {
        spec.compression.transport = Transport::from_name(found).ok_or_else(|| {
            let names = Transport::ALL.map(Transport::name).join(", ");
            ConfigError::Override {
                name: "COMPRESSION_CODEC",
                found: found.clone(),
                expected: format!("must be one of {names}"),
            }
        })?;
    }
    Ok(())
}

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
            "only the operator can look up a Strimzi cluster; give its address with --brokers or \
                       KAFKA_BROKER"
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
