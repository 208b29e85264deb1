//! `spec.producer.source`: where records come from; exactly one kind.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    kafka::{Sasl, Tls},
    patterns,
    secret::SecretKey,
};

/// Where records come from. Exactly one of generator, stdin, file, http and kafka.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(
        "[has(self.generator), has(self.stdin), has(self.file), has(self.http), has(self.kafka)].filter(x, x).size() == 1")
        .message("set exactly one of generator, stdin, file, http and kafka"),
)]
pub struct Source {
    /// Makes records, for demonstrations and measurements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generator: Option<Generator>,
    /// Reads lines from standard input. Only outside Kubernetes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin: Option<Stdin>,
    /// Reads lines from a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileSource>,
    /// Takes records by HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpSource>,
    /// Reads a topic of single records and joins them into batches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kafka: Option<KafkaSource>,
}

/// The kind of source that is set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SourceKind<'a> {
    /// Made records.
    Generator(&'a Generator),
    /// Standard input.
    Stdin,
    /// A file.
    File(&'a FileSource),
    /// HTTP requests.
    Http(&'a HttpSource),
    /// A topic of single records.
    Kafka(&'a KafkaSource),
}

impl Source {
    /// The kind that is set; `None` unless it is exactly one.
    pub fn kind(&self) -> Option<SourceKind<'_>> {
        let mut set = [
            self.generator.as_ref().map(SourceKind::Generator),
            self.stdin.as_ref().map(|_| SourceKind::Stdin),
            self.file.as_ref().map(SourceKind::File),
            self.http.as_ref().map(SourceKind::Http),
            self.kafka.as_ref().map(SourceKind::Kafka),
        ]
        .into_iter()
        .flatten();
        set.next().filter(|_| set.next().is_none())
    }
}

impl SourceKind<'_> {
    /// The name of the field, also in metrics and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Generator(_) => "generator",
            Self::Stdin => "stdin",
            Self::File(_) => "file",
            Self::Http(_) => "http",
            Self::Kafka(_) => "kafka",
        }
    }
}

/// What generated records look like.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// `{"id","value","name"}`, as in BatchPipe's origin.
    Seed,
    /// Devices that report measurements.
    #[default]
    Telemetry,
    /// Prices of a market.
    Ticks,
    /// Vital signs of patients.
    Vitals,
    /// Log lines of services.
    Logs,
}

impl Profile {
    /// Every profile, in the order in which documents list them.
    pub const ALL: [Self; 5] = [Self::Seed, Self::Telemetry, Self::Ticks, Self::Vitals, Self::Logs];

    /// The name here and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Seed => "seed",
            Self::Telemetry => "telemetry",
            Self::Ticks => "ticks",
            Self::Vitals => "vitals",
            Self::Logs => "logs",
        }
    }

    /// Reads a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name() == name)
    }
}

/// Makes records.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Generator {
    /// What the records look like: seed, telemetry, ticks, vitals or logs; default telemetry.
    #[serde(default)]
    pub profile: Profile,
    /// Records per second and producer; 0 to 10000000, default 1000; 0 is as fast as possible.
    #[serde(default = "records_per_second")]
    #[schemars(range(min = 0, max = 10_000_000))]
    pub records_per_second: i32,
    /// Number of records after which the source ends; 0 to 1000000000000000, default 0, which is never.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1_000_000_000_000_000i64))]
    pub limit: i64,
}

const fn records_per_second() -> i32 {
    1000
}

impl Default for Generator {
    fn default() -> Self {
        Self { profile: Profile::default(), records_per_second: records_per_second(), limit: 0 }
    }
}

/// Reads lines from standard input; it has no settings.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stdin {}

/// Reads lines from a file.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct FileSource {
    /// The file, with one record in each line; at most 1024 characters.
    #[schemars(length(min = 1, max = 1024), regex(pattern = patterns::PATH))]
    pub path: String,
    /// true (default): wait at the end for more, also when the file is replaced. false: stop at the end.
    #[serde(default = "follow")]
    pub follow: bool,
    /// File that holds how far Kafka has acknowledged; default: beside the file. At most 1024 characters.
    #[serde(default)]
    #[schemars(length(max = 1024), regex(pattern = patterns::OPTIONAL_PATH))]
    pub checkpoint_path: String,
    /// PersistentVolumeClaim that holds the file, mounted at the folder of path. Required in Kubernetes.
    #[serde(default)]
    #[schemars(length(max = 253), regex(pattern = patterns::OPTIONAL_OBJECT_NAME))]
    pub volume_claim: String,
}

const fn follow() -> bool {
    true
}

/// Takes records by HTTP: POST /v1/records with NDJSON or a JSON array, answered when the broker has acknowledged them.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct HttpSource {
    /// Port to listen on; 1024 to 65535, default 8000. 8080 is the admin port.
    #[serde(default = "port")]
    #[schemars(range(min = 1024, max = 65_535))]
    #[x_kube(validation = Rule::new("self != 8080").message("8080 is the admin port; choose another"))]
    pub port: i32,
    /// Serves HTTPS with a certificate. Absent: HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<ServerCertificate>,
    /// Token that clients must present as `Authorization: Bearer`. Absent: everybody may send.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer_token: Option<SecretKey>,
}

const fn port() -> i32 {
    8000
}

impl HttpSource {
    /// The port as a number that sockets take; the bounds leave no other.
    pub fn port(&self) -> u16 {
        u16::try_from(self.port).unwrap_or(u16::MAX)
    }
}

/// The certificate of a server: a Secret of type kubernetes.io/tls in the same namespace.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ServerCertificate {
    /// Name of the Secret; its keys are tls.crt and tls.key.
    #[schemars(length(min = 1, max = 253), regex(pattern = patterns::OBJECT_NAME))]
    pub secret: String,
}

/// Reads a topic of single records. A record's key selects its partition; keys and headers are not kept.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.bootstrapServers) || (!has(self.tls) && !has(self.sasl))")
        .message("tls and sasl belong to another cluster's bootstrapServers; set them there or in spec.kafka"),
)]
pub struct KafkaSource {
    /// The topic of single records.
    #[schemars(length(min = 1, max = 249), regex(pattern = patterns::TOPIC))]
    pub topic: String,
    /// Consumer group that reads it; default: the pipeline's name and `.source`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), regex(pattern = patterns::GROUP))]
    pub group: Option<String>,
    /// Brokers of another cluster that holds the topic, HOST:PORT separated by commas; default: the cluster of
    /// spec.kafka with its encryption and login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096), regex(pattern = patterns::BOOTSTRAP))]
    pub bootstrap_servers: Option<String>,
    /// Encryption to the other cluster. Absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// Login to the other cluster. Absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sasl: Option<Sasl>,
}
