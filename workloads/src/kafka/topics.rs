//! Topics: are they there, how many partitions have they, and making one that is missing.
//!
//! Topics are never altered and never deleted.

use std::{collections::BTreeMap, time::Duration};

use rdkafka::{
    ClientConfig, ClientContext,
    admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication},
    client::Client,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
    metadata::MetadataPartition,
    producer::{BaseProducer, DeliveryResult, NoCustomPartitioner, Producer as _, ProducerContext},
};

use super::{
    access::{Access, complaint},
    log::{self, Remark},
};
use crate::secrets::SecretError;

/// How long one question to the brokers may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// How long to collect what librdkafka has said meanwhile.
const REMARKS_WAIT: Duration = Duration::from_millis(20);

/// What to do about a topic that is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provision {
    /// Make it.
    Auto,
    /// Wait until somebody makes it.
    Never,
}

/// A topic as a pipeline describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSpec {
    /// Its name.
    pub name: String,
    /// Partitions of a new topic; the broker's default when absent.
    pub partitions: Option<i32>,
    /// Copies of each partition of a new topic; the broker's default when absent.
    pub replication: Option<i32>,
    /// Settings of a new topic.
    pub config: BTreeMap<String, String>,
    /// What to do when it is missing.
    pub provision: Provision,
}

impl TopicSpec {
    /// A topic that somebody else makes.
    pub fn existing(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            partitions: None,
            replication: None,
            config: BTreeMap::new(),
            provision: Provision::Never,
        }
    }
}

/// Why a topic cannot be used now. All of these may pass.
#[derive(Debug, thiserror::Error)]
pub enum TopicError {
    /// The credentials cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// librdkafka cannot use the credentials.
    #[error(
        "the contents of the Secrets of spec.kafka.tls and spec.kafka.sasl cannot be used ({remark}); correct them"
    )]
    Credentials {
        /// What librdkafka says of them.
        remark: String,
    },
    /// librdkafka refuses the settings.
    #[error("librdkafka refuses the settings ({remark}); correct spec.kafka.options")]
    Settings {
        /// What librdkafka says of them.
        remark: String,
    },
    /// Brokers and this client do not trust each other.
    #[error(
        "the login at {servers} fails ({remark}); check spec.kafka.tls and spec.kafka.sasl, and what is in their \
         Secrets"
    )]
    LoginFailed {
        /// The addresses that were tried.
        servers: String,
        /// What librdkafka says of it.
        remark: String,
    },
    /// No broker answered.
    #[error(
        "no broker answers at {servers}; check spec.kafka.bootstrapServers (or --brokers, KAFKA_BROKER) and that \
         Kafka is running ({remark})"
    )]
    Unreachable {
        /// The addresses that were tried.
        servers: String,
        /// What librdkafka says of it.
        remark: String,
    },
    /// It does not exist and is not ours to make.
    #[error(
        "topic {topic} does not exist and `provision` is Never; create it, or set `provision: Auto`"
    )]
    Missing {
        /// The topic.
        topic: String,
    },
    /// The broker refuses this client.
    #[error(
        "the broker does not authorize this client to {operation} topic {topic}; grant it by an ACL"
    )]
    Unauthorized {
        /// What is not allowed.
        operation: &'static str,
        /// The topic.
        topic: String,
    },
    /// It could not be made.
    #[error("topic {topic} cannot be created: {code}")]
    Create {
        /// The topic.
        topic: String,
        /// The broker's answer.
        code: RDKafkaErrorCode,
    },
    /// The broker says something else is wrong with it.
    #[error("topic {topic} cannot be used: {code}")]
    Unusable {
        /// The topic.
        topic: String,
        /// The broker's answer.
        code: RDKafkaErrorCode,
    },
}

/// Keeps librdkafka's own log lines at a level where they do not repeat what we say ourselves.
#[derive(Debug, Default)]
pub struct QuietContext(Remark);

impl QuietContext {
    /// What librdkafka said last of a broker.
    pub(crate) const fn remark(&self) -> &Remark {
        &self.0
    }
}

impl ClientContext for QuietContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        log::line(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.note(&error, reason);
    }
}

impl ProducerContext<NoCustomPartitioner> for QuietContext {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

/// A client for questions about topics.
pub struct Admin {
    config: ClientConfig,
    /// It never sends a message. An `AdminClient` could ask too, but would not say why nobody answers.
    client: BaseProducer<QuietContext>,
    servers: String,
    runtime: tokio::runtime::Runtime,
}

impl Admin {
    /// A client for the cluster that this gives access to.
    ///
    /// # Panics
    /// When the system gives no more threads or file descriptors.
    pub fn new(access: &Access<'_>) -> Result<Self, TopicError> {
        let config = access.client_config();
        let servers = config.get("bootstrap.servers").unwrap_or_default().to_owned();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime without IO or timers needs nothing from the system");
        let client =
            config.create_with_context(QuietContext::default()).map_err(|error| refused(&error))?;
        Ok(Self { config, client, servers, runtime })
    }

    /// Nobody answers: what librdkafka said of it, or else these words.
    fn unreachable(&self, otherwise: &str) -> TopicError {
        self.client.poll(REMARKS_WAIT);
        self.client.client().context().0.trouble(&self.servers, otherwise)
    }

    /// A client for changes and settings, which most processes never need.
    fn admin(&self) -> Result<AdminClient<QuietContext>, KafkaError> {
        self.config.create_with_context(QuietContext::default())
    }

    /// The number of the topic's partitions; `None` when it does not exist.
    pub fn partitions(&self, topic: &str) -> Result<Option<u32>, TopicError> {
        self.look(topic).map(|seen| seen.map(|it| it.partitions))
    }

    /// What is to be seen of the topic; `None` when it does not exist.
    pub(crate) fn look(&self, topic: &str) -> Result<Option<Seen>, TopicError> {
        let asked = look(self.client.client(), &self.servers, topic);
        asked.map_err(|error| match error {
            TopicError::Unreachable { remark, .. } => self.unreachable(&remark),
            other => other,
        })
    }

    /// The number of the topic's partitions, after making it if it is missing and may be made.
    pub fn ensure(&self, spec: &TopicSpec) -> Result<u32, TopicError> {
        match (self.partitions(&spec.name)?, spec.provision) {
            (Some(partitions), _) => Ok(partitions),
            (None, Provision::Never) => Err(TopicError::Missing { topic: spec.name.clone() }),
            (None, Provision::Auto) => {
                self.create(spec)?;
                // The answer comes before every broker knows of it.
                self.partitions(&spec.name)?.ok_or_else(|| TopicError::Unusable {
                    topic: spec.name.clone(),
                    code: RDKafkaErrorCode::UnknownTopicOrPartition,
                })
            }
        }
    }

    fn create(&self, spec: &TopicSpec) -> Result<(), TopicError> {
        let replication = TopicReplication::Fixed(spec.replication.unwrap_or(-1));
        let mut topic = NewTopic::new(&spec.name, spec.partitions.unwrap_or(-1), replication);
        for (key, value) in &spec.config {
            topic = topic.set(key, value);
        }
        let options = AdminOptions::new()
            .request_timeout(Some(REQUEST_TIMEOUT))
            .operation_timeout(Some(REQUEST_TIMEOUT));
        let results = self
            .admin()
            .and_then(|admin| self.runtime.block_on(admin.create_topics([&topic], &options)))
            .map_err(|error| self.unreachable(&error.to_string()))?;
        for result in results {
            match result {
                Ok(_) => tracing::info!(topic = spec.name, "created the topic"),
                // The other side of the pipeline was quicker.
                Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((
                    topic,
                    RDKafkaErrorCode::TopicAuthorizationFailed
                    | RDKafkaErrorCode::ClusterAuthorizationFailed,
                )) => return Err(TopicError::Unauthorized { operation: "create", topic }),
                Err((topic, code)) => return Err(TopicError::Create { topic, code }),
            }
        }
        Ok(())
    }

    /// The topic's `max.message.bytes`; `None` when it cannot be learned (it needs the right to describe
    /// configurations, which a producer rarely has).
    pub fn max_message_bytes(&self, topic: &str) -> Option<usize> {
        let options = AdminOptions::new().request_timeout(Some(REQUEST_TIMEOUT));
        let admin = self.admin().ok()?;
        let results = self
            .runtime
            .block_on(admin.describe_configs([&ResourceSpecifier::Topic(topic)], &options))
            .ok()?;
        let resource = results.into_iter().next()?.ok()?;
        resource.get("max.message.bytes")?.value.as_ref()?.parse().ok()
    }
}

/// librdkafka makes no client: of the contents of Secrets, or else of the options.
pub(crate) fn refused(error: &KafkaError) -> TopicError {
    let remark = complaint(error);
    if remark.contains("ssl.") || remark.contains("sasl.") {
        TopicError::Credentials { remark }
    } else {
        TopicError::Settings { remark }
    }
}

/// What brokers say of a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Number of partitions.
    pub(crate) partitions: u32,
    /// The partitions that no broker leads now: nothing can be written to them, nor read from them.
    pub(crate) leaderless: Vec<i32>,
}

/// What is to be seen of a topic, asked through any client; `None` when it does not exist. `servers` is for the message
/// when nobody answers.
pub(crate) fn look<C: ClientContext>(
    client: &Client<C>,
    servers: &str,
    topic: &str,
) -> Result<Option<Seen>, TopicError> {
    let metadata = client.fetch_metadata(Some(topic), REQUEST_TIMEOUT).map_err(|error| {
        TopicError::Unreachable { servers: servers.to_owned(), remark: error.to_string() }
    })?;
    let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else {
        return Ok(None);
    };
    match found.error().map(RDKafkaErrorCode::from) {
        None if found.partitions().is_empty() => Ok(None),
        None => Ok(Some(Seen {
            partitions: u32::try_from(found.partitions().len()).unwrap_or(u32::MAX),
            leaderless: found
                .partitions()
                .iter()
                .filter(|it| it.leader() < 0)
                .map(MetadataPartition::id)
                .collect(),
        })),
        Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
            Ok(None)
        }
        Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
            Err(TopicError::Unauthorized { operation: "describe", topic: topic.to_owned() })
        }
        Some(code) => Err(TopicError::Unusable { topic: topic.to_owned(), code }),
    }
}
