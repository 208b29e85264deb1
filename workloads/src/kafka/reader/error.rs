//! Why a topic cannot be read, in words for the person who asked.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::secrets::SecretError;

/// Why a topic cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReaderError {
    /// The credentials cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// librdkafka refuses the settings.
    #[error("librdkafka refuses the settings of the reader")]
    Settings(#[source] KafkaError),
    /// No broker answered, or none that leads a partition.
    #[error(
        "no broker answers at {servers} ({remark}); check --brokers (KAFKA_BROKER) and that Kafka is running"
    )]
    Unreachable {
        /// The addresses that were tried.
        servers: String,
        /// What librdkafka said of them last.
        remark: String,
    },
    /// Broker and client do not trust each other, or the broker does not know the user by this password.
    #[error(
        "the login at {servers} fails ({remark}); check spec.kafka.tls and spec.kafka.sasl of the pipeline (-f), and \
         their Secrets"
    )]
    LoginFailed {
        /// The addresses that were tried.
        servers: String,
        /// What librdkafka said of it.
        remark: String,
    },
    /// There is no such topic.
    #[error("topic {topic} does not exist; check --topic (KAFKA_TOPIC)")]
    Missing {
        /// The topic.
        topic: String,
    },
    /// It was deleted meanwhile.
    #[error("topic {topic} was deleted while it was read")]
    Gone {
        /// The topic.
        topic: String,
    },
    /// The broker refuses this client.
    #[error("the broker does not authorize this client to read topic {topic}; grant it by an ACL")]
    Unauthorized {
        /// The topic.
        topic: String,
    },
    /// The broker says something else is wrong with it.
    #[error("topic {topic} cannot be used: {code}")]
    Unusable {
        /// The topic.
        topic: String,
        /// The broker's answer.
        code: RDKafkaErrorCode,
    },
    /// Nothing came for too long, although there is more.
    #[error(
        "nothing came from {servers} for {seconds} s, though topic {topic} is not read to its end \
         (partition {partition} from offset {offset} on); check that all brokers are running"
    )]
    Stalled {
        /// The cluster.
        servers: String,
        /// The topic.
        topic: String,
        /// A partition that is not finished.
        partition: i32,
        /// The next offset there.
        offset: i64,
        /// How long nothing came.
        seconds: u64,
    },
    /// A message says what cannot be of itself.
    #[error("{0}")]
    Damaged(String),
    /// The client cannot go on.
    #[error("the client that reads topic {topic} failed")]
    Fatal {
        /// The topic.
        topic: String,
        /// What librdkafka says.
        #[source]
        source: KafkaError,
    },
}
