//! What a workload says of itself at `/status`, and what it says at its end.
//!
//! Field names are a contract: the operator, `top` and people's scripts read them.

mod outcome;

use serde::{Deserialize, Serialize};

pub use self::outcome::{AuditReport, DemoReport, ExitReport, RedriveReport};

/// Which side of a pipeline a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Collects, batches, compresses and sends.
    Producer,
    /// Fetches, decompresses, splits and delivers.
    Consumer,
}

impl Role {
    /// Both sides.
    pub const ALL: [Self; 2] = [Self::Producer, Self::Consumer];

    /// The name in reports, metrics and labels.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What a workload does, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WorkloadState {
    /// Not ready yet: brokers, topic, group or secrets are awaited.
    Starting,
    /// Works.
    Running,
    /// Was asked to stop and finishes what it holds.
    Stopping,
    /// The source has ended and everything was acknowledged.
    Completed,
}

/// The accounting of one side. At every moment
/// `accepted = delivered + dead_lettered + released + in_flight`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Accounting {
    /// Records taken in.
    pub accepted: u64,
    /// Records that the other end has: acknowledged by the broker, or taken by the sink.
    pub delivered: u64,
    /// Records in the dead-letter topic.
    pub dead_lettered: u64,
    /// Records given back undelivered, when a partition was taken away or the sink failed: they are fetched, and accepted,
    /// again.
    pub released: u64,
    /// Records that are being worked on.
    pub in_flight: u64,
    /// Batches sent or taken apart.
    pub batches: u64,
    /// Bytes of records, before compression.
    pub raw_bytes: u64,
    /// Bytes of message values, after compression.
    pub wire_bytes: u64,
    /// Messages sent again although the first ones may have arrived; possible duplicates.
    #[serde(default)]
    pub resent: u64,
    /// Messages without a value, which were skipped.
    #[serde(default)]
    pub tombstones: u64,
    /// Raw newlines inside records that became spaces.
    #[serde(default)]
    pub newlines_replaced: u64,
    /// Messages that retention deleted before they were read.
    #[serde(default)]
    pub expired_messages: u64,
}

impl Accounting {
    /// Whether every record is accounted for.
    pub const fn is_balanced(&self) -> bool {
        self.accepted == self.delivered + self.dead_lettered + self.released + self.in_flight
    }
}

/// What was done in each second, over the last 30.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rates {
    /// Records delivered.
    pub records_per_second: f64,
    /// Batches.
    pub batches_per_second: f64,
    /// Bytes before compression.
    pub raw_bytes_per_second: f64,
    /// Bytes after compression.
    pub wire_bytes_per_second: f64,
}

/// Quantiles of the latency of records, in milliseconds: to the acknowledgement of the broker in a producer, from the
/// message's timestamp to the sink in a consumer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Half of the records were at least so fast.
    pub p50: f64,
    /// 99 of 100 were.
    pub p99: f64,
}

/// How far a consumer is behind in one partition. What is unknown is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PartitionLag {
    /// The partition.
    pub partition: i32,
    /// When the brokers were asked for the end, milliseconds since the epoch: nothing said here is older. It may be
    /// long before the report was made, because brokers do not always answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at_ms: Option<i64>,
    /// Offset of the next message to be delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<i64>,
    /// Committed offset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committed: Option<i64>,
    /// End of the partition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<i64>,
    /// Messages that are not delivered yet; exact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<u64>,
    /// Records that are not delivered yet: messages times the mean number of records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    /// Age of the oldest message that is not delivered yet, in seconds; 0 when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

/// How workloads begin to say that a topic does not exist, in [`Stall::what`]: the reason alone is also that of topics
/// that cannot be used.
pub fn missing_topic(topic: &str) -> String {
    format!("topic {topic} does not exist")
}

/// Something outside that a workload waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stall {
    /// What is awaited, as a reason of [`crate::conditions`], for example `SecretMissing`.
    pub reason: String,
    /// The same in words, with the name or address, and what to do.
    pub what: String,
    /// Since when, milliseconds since the epoch.
    pub since_ms: i64,
}

/// An error that was met, though work may go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastError {
    /// What happened.
    pub message: String,
    /// When, milliseconds since the epoch.
    pub at_ms: i64,
}

/// What `/status` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Which side it is.
    pub role: Role,
    /// Version of the program.
    pub version: String,
    /// How long the process has run, in seconds.
    pub uptime_seconds: f64,
    /// When the making of this report began, milliseconds since the epoch: what it says is not older, but for `lag`,
    /// which says so itself.
    pub begun_at_ms: i64,
    /// What it does.
    pub state: WorkloadState,
    /// Whether `/readyz` says so.
    pub ready: bool,
    /// The topic of batches.
    pub topic: String,
    /// The accounting since the process began.
    #[serde(flatten)]
    pub accounting: Accounting,
    /// What was done in each second, over the last 30.
    pub rates: Rates,
    /// Latency of records over the last one to two minutes; absent when there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<Latency>,
    /// Number of partitions of the topic, as a consumer last heard; absent while it has not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitions: Option<i32>,
    /// The assigned partitions; empty in a producer.
    #[serde(default)]
    pub lag: Vec<PartitionLag>,
    /// What it waits for; empty when it waits for nothing.
    #[serde(default)]
    pub stalled: Vec<Stall>,
    /// The last error; absent when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<LastError>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_survives_its_text() {
        let report = Report {
            role: Role::Consumer,
            version: "0.1.0".to_owned(),
            uptime_seconds: 12.5,
            begun_at_ms: 1_700_000_000_000,
            state: WorkloadState::Running,
            ready: true,
            topic: "t".to_owned(),
            accounting: Accounting {
                accepted: 5,
                delivered: 3,
                in_flight: 2,
                ..Accounting::default()
            },
            rates: Rates::default(),
            latency_ms: None,
            partitions: None,
            lag: vec![PartitionLag { partition: 1, end: Some(7), ..PartitionLag::default() }],
            stalled: Vec::new(),
            last_error: None,
        };
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
        assert!(text.contains(r#""accepted":5"#), "{text}");
        assert!(!text.contains("position"), "what is unknown is absent: {text}");
    }

    #[test]
    fn accounting_is_balanced_only_when_nothing_is_unaccounted_for() {
        let mut accounting =
            Accounting { accepted: 4, delivered: 1, released: 1, ..Accounting::default() };
        assert!(!accounting.is_balanced());
        accounting.dead_lettered = 1;
        accounting.in_flight = 1;
        assert!(accounting.is_balanced());
    }
}
