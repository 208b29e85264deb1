//! From what users write to what the data plane needs: flag > environment > file > default.
//!
//! Everything is checked here, before anything starts; whatever is refused is refused with its field.

mod consumer;
mod error;
mod load;
mod places;
mod producer;
mod reading;
mod redrive;

use std::path::PathBuf;

use batchpipe_api::{
    pipeline::BatchPipeline,
    spec::{kafka::SaslMechanism, topic::Provision},
};

pub use self::{
    consumer::{ConsumerFlags, ConsumerSetup, HTTP_TIMEOUT_VARIABLE, consumer},
    error::ConfigError,
    load::{Loaded, Overrides, STANDARD_INPUT, load},
    places::{check_brokers, check_topic},
    producer::{ProducerFlags, ProducerSetup, producer},
    reading::{ReadingSetup, reading},
    redrive::{RedriveSetup, redrive},
};
use crate::kafka::{
    client::Cluster,
    credentials::Credentials,
    topics::{self, TopicSpec},
};

/// The variable that may hold a whole pipeline.
pub const PIPELINE_VARIABLE: &str = "BATCHPIPE_PIPELINE";

/// The variable that may name another folder for the files of Secrets.
pub const SECRETS_VARIABLE: &str = "BATCHPIPE_SECRETS";
/// The folder in which Secrets are mounted, each in a folder of its name.
const SECRETS: &str = "/etc/batchpipe/secrets";

/// How to reach Kafka.
fn cluster(pipeline: &BatchPipeline) -> Result<Cluster, ConfigError> {
    let kafka = &pipeline.spec.kafka;
    let Some(bootstrap_servers) = kafka.bootstrap_servers.clone() else {
        let problem =
            "only the operator can look up a Strimzi cluster; give its address with --brokers or KAFKA_BROKER"
                .to_owned();
        return Err(ConfigError::Field { path: "spec.kafka.strimzi", problem });
    };
    let credentials = Credentials::new(kafka.tls.as_ref(), kafka.sasl.as_ref(), secrets());
    Ok(Cluster { bootstrap_servers, options: kafka.options.clone(), credentials })
}

/// Where the folders of Secrets are. An empty variable is what an unset one looks like in many tools.
fn secrets() -> PathBuf {
    let given = std::env::var_os(SECRETS_VARIABLE).filter(|path| !path.is_empty());
    given.map_or_else(|| PathBuf::from(SECRETS), PathBuf::from)
}

/// What a pipeline asks for that others could listen to.
fn insecurities(pipeline: &BatchPipeline) -> Vec<String> {
    let found = [
        login_in_clear(pipeline),
        source_in_clear(pipeline),
        source_login_in_clear(pipeline),
        sink_in_clear(pipeline),
    ];
    found.into_iter().flatten().collect()
}

fn source_in_clear(pipeline: &BatchPipeline) -> Option<String> {
    let http = pipeline.spec.producer.as_ref()?.source.http.as_ref()?;
    let is_insecure = http.bearer_token.is_some() && http.tls.is_none();
    is_insecure.then(|| {
        "insecure: spec.producer.source.http.bearerToken without tls has clients send records and the token in clear \
         text; set tls, unless something in front of it encrypts"
            .to_owned()
    })
}

fn login_in_clear(pipeline: &BatchPipeline) -> Option<String> {
    let kafka = &pipeline.spec.kafka;
    let sasl = kafka.sasl.as_ref().filter(|_| kafka.tls.is_none())?;
    let risk = risk_of_login(sasl.mechanism);
    Some(format!(
        "insecure: spec.kafka.sasl without spec.kafka.tls sends {risk} in clear text; use a listener with TLS"
    ))
}

fn source_login_in_clear(pipeline: &BatchPipeline) -> Option<String> {
    let kafka = pipeline.spec.producer.as_ref()?.source.kafka.as_ref()?;
    let sasl = kafka.sasl.as_ref().filter(|_| kafka.tls.is_none())?;
    let risk = risk_of_login(sasl.mechanism);
    Some(format!(
        "insecure: spec.producer.source.kafka.sasl without tls sends {risk} in clear text; use a listener with TLS"
    ))
}

const fn risk_of_login(mechanism: SaslMechanism) -> &'static str {
    match mechanism {
        SaslMechanism::Plain => "the password itself",
        SaslMechanism::ScramSha256 | SaslMechanism::ScramSha512 => {
            "records, and proofs of the password,"
        }
    }
}

fn sink_in_clear(pipeline: &BatchPipeline) -> Option<String> {
    let sink = pipeline.spec.consumer.as_ref()?.sink.http.as_ref()?;
    let risk = match (&sink.bearer_token, &sink.basic) {
        (Some(_), _) => "the token",
        (None, Some(_)) => "the password",
        (None, None) => return None,
    };
    (!sink.url.starts_with("https://")).then(|| {
        format!("insecure: spec.consumer.sink.http.url without https:// sends {risk} in clear text")
    })
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
