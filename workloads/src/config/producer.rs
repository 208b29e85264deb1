//! The producer's part of a pipeline.

use std::{
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use batchpipe_api::{
    pipeline::BatchPipeline,
    spec::{
        batch::Batch,
        producer::Validate,
        source::{
            FileSource as FileSpec, Generator, HttpSource as HttpSpec, KafkaSource as KafkaSpec,
            SourceKind,
        },
    },
};

use super::{ConfigError, cluster, dead_letter, secrets, topic};
use crate::{
    batch::Limits,
    chunk::Rules,
    clock::unix_ms,
    kafka::{client::Cluster, credentials::Credentials},
    key::Pointer,
    produce,
    secrets::SecretFile,
    source::{
        Source, SourceError,
        file::{FileOptions, FileSource},
        generator::{Gate, GeneratorOptions, GeneratorSource, ProfileName},
        http::{HttpOptions, HttpSource, SecretOptions},
        kafka::{KafkaOptions, KafkaSource},
        stdin::StdinSource,
    },
};

/// A producer that can be started.
pub struct ProducerSetup {
    /// How it works.
    pub config: produce::Config,
    /// Where its records come from.
    pub source: Box<dyn Source>,
}

/// What a command says about a producer beyond the pipeline.
#[derive(Clone, Default)]
pub struct ProducerFlags {
    /// End after so many records.
    pub limit: Option<u64>,
    /// Records a second of the generator; 0 = as fast as possible.
    pub rate: Option<u64>,
    /// Holds the generator back.
    pub gate: Option<Gate>,
    /// How long acknowledgements are awaited after a request to stop.
    pub grace: Duration,
    /// Where a source that takes connections listens; by default only to this machine.
    pub listen: Option<IpAddr>,
}

/// Where a source listens that takes connections: nobody else should reach it by accident.
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// How long requests are still taken after a request to stop: so long may whoever routes them here take to learn of it.
const FAREWELL: Duration = Duration::from_secs(5);

/// Sets up the producer of a pipeline.
pub fn producer(
    pipeline: &BatchPipeline,
    flags: &ProducerFlags,
) -> Result<ProducerSetup, ConfigError> {
    let spec = &pipeline.spec;
    let Some(producer) = &spec.producer else {
        let problem =
            "is missing, so there is nothing to produce; add it, or use consume".to_owned();
        return Err(ConfigError::Field { path: "spec.producer", problem });
    };
    let limits = limits(&spec.batch);
    let kind = producer.source.kind().ok_or_else(|| ConfigError::Field {
        path: "spec.producer.source",
        problem: "must name exactly one source".to_owned(),
    })?;
    let mut config = produce::Config {
        cluster: cluster(pipeline)?,
        topic: topic(pipeline),
        dead_letter: dead_letter(pipeline),
        codec: spec.compression.codec,
        level: spec.compression.level,
        transport: spec.compression.transport.name().to_owned(),
        limits,
        rules: Rules {
            validate: producer.validate == Validate::Json,
            key: key(producer.key.as_deref())?,
        },
        grace: flags.grace,
        limit: flags.limit,
    };
    let group = pipeline.source_group().unwrap_or_default();
    let source = source(&kind, &config, flags, group)?;
    config.grace += source.after_stop();
    Ok(ProducerSetup { config, source })
}

/// When batches are closed.
pub(super) fn limits(batch: &Batch) -> Limits {
    Limits {
        max_records: batch.max_records.unsigned_abs(),
        max_bytes: batch.max_bytes.as_usize(),
        linger: batch.linger.as_duration(),
    }
}

/// Where the key stands.
pub(super) fn key(text: Option<&str>) -> Result<Option<Pointer>, ConfigError> {
    text.map(Pointer::parse).transpose().map_err(|error| ConfigError::Field {
        path: "spec.producer.key",
        problem: error.to_string(),
    })
}

fn source(
    kind: &SourceKind<'_>,
    config: &produce::Config,
    flags: &ProducerFlags,
    group: String,
) -> Result<Box<dyn Source>, ConfigError> {
    let max_record_bytes = config.limits.max_bytes;
    if flags.rate.is_some() && !matches!(kind, SourceKind::Generator(_)) {
        let problem =
            "is no generator, and --rate sets the pace of generators only; leave it out".to_owned();
        return Err(ConfigError::Field { path: "spec.producer.source", problem });
    }
    match kind {
        SourceKind::Generator(spec) => Ok(Box::new(generator(spec, flags))),
        SourceKind::Stdin => Ok(Box::new(StdinSource::of_process(max_record_bytes))),
        SourceKind::File(spec) => {
            file(spec, max_record_bytes).map(|source| Box::new(source) as Box<dyn Source>)
        }
        SourceKind::Http(spec) => {
            http(spec, config, flags).map(|source| Box::new(source) as Box<dyn Source>)
        }
        SourceKind::Kafka(spec) => Ok(Box::new(kafka(spec, config, group))),
    }
}

fn generator(spec: &Generator, flags: &ProducerFlags) -> GeneratorSource {
    GeneratorSource::new(GeneratorOptions {
        profile: ProfileName::from_name(spec.profile.name())
            .expect("both lists have the same names"),
        seed: 0,
        limit: flags.limit.unwrap_or_else(|| spec.limit.unsigned_abs()),
        records_per_second: flags
            .rate
            .unwrap_or_else(|| u64::from(spec.records_per_second.unsigned_abs())),
        start_ms: unix_ms().unsigned_abs(),
        gate: flags.gate.clone(),
    })
}

fn file(spec: &FileSpec, max_record_bytes: usize) -> Result<FileSource, ConfigError> {
    let mut options = FileOptions::new(&spec.path, max_record_bytes);
    options.follow = spec.follow;
    if !spec.checkpoint_path.is_empty() {
        options.checkpoint = spec.checkpoint_path.clone().into();
    }
    let path = "spec.producer.source.file";
    FileSource::open(options).map_err(|error| match error {
        SourceError::Locked { .. } => ConfigError::Taken { path, source: Box::new(error) },
        _ => ConfigError::Field { path, problem: crate::error::chain(&error) },
    })
}

fn http(
    spec: &HttpSpec,
    config: &produce::Config,
    flags: &ProducerFlags,
) -> Result<HttpSource, ConfigError> {
    let file = |secret: &str, key: &str| SecretFile::new(secret, key);
    let pair = |secret: &str| (file(secret, "tls.crt"), file(secret, "tls.key"));
    let options = HttpOptions {
        address: (flags.listen.unwrap_or(LOOPBACK), spec.port()).into(),
        rules: config.rules.clone(),
        max_record_bytes: config.limits.max_bytes,
        secrets: SecretOptions {
            root: secrets(),
            token: spec.bearer_token.as_ref().map(|token| file(&token.secret, &token.key)),
            certificate: spec.tls.as_ref().map(|certificate| pair(&certificate.secret)),
        },
        farewell: FAREWELL.min(flags.grace),
        limits: None,
    };
    let path = "spec.producer.source.http.port";
    HttpSource::open(options).map_err(|error| match &error {
        SourceError::Listen { source, .. } if source.kind() == ErrorKind::AddrInUse => {
            ConfigError::Taken { path, source: Box::new(error) }
        }
        _ => ConfigError::Field { path, problem: crate::error::chain(&error) },
    })
}

/// Another cluster has brokers, encryption and login of its own; the options of clients are the same for both.
fn kafka(spec: &KafkaSpec, config: &produce::Config, group: String) -> KafkaSource {
    let other = spec.bootstrap_servers.as_ref().map(|servers| Cluster {
        bootstrap_servers: servers.clone(),
        options: config.cluster.options.clone(),
        credentials: Credentials::new(spec.tls.as_ref(), spec.sasl.as_ref(), secrets()),
    });
    KafkaSource::new(KafkaOptions {
        is_other_cluster: other.is_some(),
        cluster: other.unwrap_or_else(|| config.cluster.clone()),
        topic: spec.topic.clone(),
        group,
        rules: config.rules.clone(),
        max_record_bytes: config.limits.max_bytes,
    })
}
