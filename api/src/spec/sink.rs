//! `spec.consumer.sink`: where records go; exactly one kind.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    patterns, rules,
    secret::{CaKey, SecretKey},
};
use crate::units::{ByteSize, Timespan};

/// Where records go. Exactly one of stdout, file, http, kafka and blackhole.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(
        "[has(self.stdout), has(self.file), has(self.http), has(self.kafka), has(self.blackhole)].filter(x, x).size() == 1")
        .message("set exactly one of stdout, file, http, kafka and blackhole"),
)]
pub struct Sink {
    /// Prints each record as a line on standard output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout: Option<Stdout>,
    /// Writes files of lines, each record exactly once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileSink>,
    /// Sends records by HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpSink>,
    /// Sends each record as a message of its own to a topic of the same cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kafka: Option<KafkaSink>,
    /// Counts records and forgets them, for measurements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blackhole: Option<Blackhole>,
}

/// The kind of sink that is set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SinkKind<'a> {
    /// Standard output.
    Stdout,
    /// Files.
    File(&'a FileSink),
    /// HTTP requests.
    Http(&'a HttpSink),
    /// A topic of single records.
    Kafka(&'a KafkaSink),
    /// Nothing.
    Blackhole,
}

impl Sink {
    /// The kind that is set; `None` unless it is exactly one.
    pub fn kind(&self) -> Option<SinkKind<'_>> {
        let mut set = [
            self.stdout.as_ref().map(|_| SinkKind::Stdout),
            self.file.as_ref().map(SinkKind::File),
            self.http.as_ref().map(SinkKind::Http),
            self.kafka.as_ref().map(SinkKind::Kafka),
            self.blackhole.as_ref().map(|_| SinkKind::Blackhole),
        ]
        .into_iter()
        .flatten();
        set.next().filter(|_| set.next().is_none())
    }
}

impl SinkKind<'_> {
    /// The name of the field, also in metrics and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::File(_) => "file",
            Self::Http(_) => "http",
            Self::Kafka(_) => "kafka",
            Self::Blackhole => "blackhole",
        }
    }
}

/// Prints records; it has no settings.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stdout {}

/// Forgets records; it has no settings.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Blackhole {}

/// Writes files whose names carry topic, partition, first and last offset.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct FileSink {
    /// The folder; at most 1024 characters. One consumer writes to it, which a lock ensures.
    #[schemars(length(min = 1, max = 1024), regex(pattern = patterns::PATH))]
    pub path: String,
    /// When a file is complete: at the first limit that is reached.
    #[serde(default)]
    pub roll: Roll,
    /// PersistentVolumeClaim that holds the folder, mounted at path. Required in Kubernetes.
    #[serde(default)]
    #[schemars(length(max = 253), regex(pattern = patterns::OPTIONAL_OBJECT_NAME))]
    pub volume_claim: String,
}

/// When a file is complete: at the first limit that is reached.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Roll {
    /// Size of a file; 64Ki to 100Gi, default 64Mi. It may be exceeded by one batch.
    #[serde(default = "max_bytes")]
    #[x_kube(validation = rules::size_between("64Ki", "100Gi"))]
    pub max_bytes: ByteSize,
    /// Age of a file; 1s to 24h, default 1m. Records become visible, and are committed, when their file is complete.
    #[serde(default = "interval")]
    #[x_kube(validation = rules::time_between("1s", "24h"))]
    pub interval: Timespan,
}

const fn max_bytes() -> ByteSize {
    ByteSize::from_mib(64)
}

const fn interval() -> Timespan {
    Timespan::from_secs(60)
}

impl Default for Roll {
    fn default() -> Self {
        Self { max_bytes: max_bytes(), interval: interval() }
    }
}

/// The body of a request.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HttpFormat {
    /// One record in each line.
    #[default]
    Ndjson,
    /// One JSON array of records.
    JsonArray,
    /// Elasticsearch's and OpenSearch's `_bulk`.
    ElasticBulk,
    /// Splunk's HTTP event collector.
    SplunkHec,
}

/// Sends records by HTTP.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.bearerToken) || !has(self.basic)")
        .message("set at most one of bearerToken and basic").field_path(".basic"),
    validation = Rule::new("!has(self.tls) || self.url.startsWith('https://')")
        .message("tls needs a url that begins with https://").field_path(".tls"),
)]
pub struct HttpSink {
    /// Where requests go, http:// or https://; at most 2048 characters. Credentials belong in bearerToken or basic.
    #[schemars(length(min = 1, max = 2048))]
    #[x_kube(
        validation = Rule::new("self.matches('^https?://')").message("must begin with http:// or https://"),
        validation = Rule::new("!self.matches('^[a-z]+://[^/?#]*@')")
            .message("must not hold credentials; use bearerToken or basic"),
        validation = Rule::new("!self.matches('^https?://([^/?#]*@)?(169[.]254[.]|\\\\[?[fF][eE]80:)')")
            .message("must not be a link-local address: such addresses serve the credentials of cloud machines"),
        validation = Rule::new("self.matches('^[a-z]+://([^/?#@]*@)?([a-zA-Z0-9]([a-zA-Z0-9._-]*[a-zA-Z0-9])?|\\\\[[0-9a-fA-F:.]+\\\\])(:[0-9]{1,5})?([/?#][!-~]*)?$')")
            .message("must be a host name or address, an optional port and a path, without spaces"),
    )]
    pub url: String,
    /// Body of a request: Ndjson, JsonArray, ElasticBulk or SplunkHec; default Ndjson.
    #[serde(default)]
    pub format: HttpFormat,
    /// Token presented as `Authorization: Bearer` (`Splunk` with SplunkHec). Absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer_token: Option<SecretKey>,
    /// User name and password. Absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic: Option<BasicAuth>,
    /// Certificate authority of the server. Absent: those of the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<HttpTls>,
    /// How often a request is tried before its records are dead-lettered; 0 to 1000, default 0, which is for ever. Refusals
    /// for good (400, 413, 422) are not tried again.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1000))]
    pub max_attempts: i32,
}

/// User name and password.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct BasicAuth {
    /// User name; at most 256 characters, without ':'.
    #[schemars(length(min = 1, max = 256), regex(pattern = patterns::USER_NAME))]
    #[x_kube(validation = Rule::new("!self.contains(':')").message("must not contain ':'"))]
    pub username: String,
    /// Where the password is.
    pub password: SecretKey,
}

/// Whom to trust.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct HttpTls {
    /// Certificate authority that signed the server's certificate.
    pub ca: CaKey,
}

/// How often a record may arrive.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delivery {
    /// At least once.
    #[default]
    AtLeastOnce,
    /// Exactly once, by transactions.
    ExactlyOnce,
}

/// Sends each record as a message of its own.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct KafkaSink {
    /// The topic of single records, in the cluster of spec.kafka; it must be there.
    #[schemars(length(min = 1, max = 249), regex(pattern = patterns::TOPIC))]
    pub topic: String,
    /// JSON pointer to the value that becomes the message's key, for example /device/id. Absent: no key. At most 256
    /// characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = patterns::JSON_POINTER))]
    pub key: Option<String>,
    /// AtLeastOnce (default), or ExactlyOnce: records, dead letters and offsets in one transaction, for readers with
    /// isolation.level=read_committed.
    #[serde(default)]
    pub delivery: Delivery,
}
