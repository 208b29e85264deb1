//! `spec.kafka`: where the brokers are, how to be let in, and which client options may be changed.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    options, patterns,
    secret::{CaKey, CertificateKey, SecretKey},
};

/// Where Kafka is. Exactly one of bootstrapServers and strimzi.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.bootstrapServers) != has(self.strimzi)")
        .message("set exactly one of bootstrapServers and strimzi"),
    validation = Rule::new("!has(self.strimzi) || (!has(self.tls) && !has(self.sasl))")
        .message("with strimzi, encryption and credentials follow from its listener and user; remove tls and sasl"),
)]
pub struct Kafka {
    /// Brokers to begin with, HOST:PORT separated by commas; at most 4096 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096), regex(pattern = patterns::BOOTSTRAP))]
    pub bootstrap_servers: Option<String>,
    /// A Kafka cluster that Strimzi runs in the same namespace; address, CA and user credentials follow from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strimzi: Option<Strimzi>,
    /// Encryption. Absent: none. `{}`: TLS with the certificate authorities of the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// Login with user name and password. Absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sasl: Option<Sasl>,
    /// Further options of the client, librdkafka, by their names; at most 64. Only those that cannot break delivery or
    /// safety are accepted, for example client.id, client.rack, socket.keepalive.enable, session.timeout.ms or
    /// group.protocol.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "options::schema")]
    pub options: BTreeMap<String, String>,
}

/// A Kafka cluster that Strimzi runs.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Strimzi {
    /// Name of the Kafka object, in the same namespace.
    #[schemars(length(min = 1, max = 253), regex(pattern = patterns::OBJECT_NAME))]
    pub cluster: String,
    /// Name of the listener to use; default tls.
    #[serde(default = "listener")]
    #[schemars(length(min = 1, max = 11), regex(pattern = patterns::LISTENER))]
    pub listener: String,
    /// Name of the KafkaUser whose credentials are used. Absent: none, for listeners without authentication.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = patterns::OBJECT_NAME))]
    pub user: Option<String>,
}

fn listener() -> String {
    "tls".to_owned()
}

/// Encryption of the connection to Kafka. Host names are always verified.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Tls {
    /// Certificate authority that signed the brokers' certificates. Absent: those of the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<CaKey>,
    /// Certificate and private key to log in with (mutual TLS). Absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateKey>,
}

/// How the password is presented to Kafka.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SaslMechanism {
    /// In clear text; use it with TLS only.
    #[serde(rename = "PLAIN")]
    Plain,
    /// SCRAM with SHA-256.
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    /// SCRAM with SHA-512.
    #[default]
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
}

impl SaslMechanism {
    /// The name here and in librdkafka's `sasl.mechanism`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

/// Login to Kafka with user name and password.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Sasl {
    /// Mechanism: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; default SCRAM-SHA-512.
    #[serde(default)]
    pub mechanism: SaslMechanism,
    /// User name; at most 256 characters.
    #[schemars(length(min = 1, max = 256), regex(pattern = patterns::USER_NAME))]
    pub username: String,
    /// Where the password is.
    pub password: SecretKey,
}
