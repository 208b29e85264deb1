//! What commands say at their end with `--json`.
//!
//! Their keys are a contract with people's scripts: nothing is added, renamed or left out.

use serde::{Deserialize, Serialize};

use super::{Accounting, Latency, Role};

/// What `produce`, `consume` and `run` print at their end with `--json`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExitReport {
    /// Which side it was.
    pub role: Role,
    /// Records taken in.
    pub accepted: u64,
    /// Records that the other end has.
    pub delivered: u64,
    /// Records in the dead-letter topic.
    pub dead_lettered: u64,
    /// Records given back undelivered.
    pub released: u64,
    /// Records unaccounted for: held when the process ended.
    pub in_flight: u64,
    /// Batches sent or taken apart.
    pub batches: u64,
    /// Bytes of records, before compression.
    pub raw_bytes: u64,
    /// Bytes of message values, after compression.
    pub wire_bytes: u64,
    /// How long it took, in seconds.
    pub seconds: f64,
}

impl ExitReport {
    /// The report of a side that took so long.
    pub const fn new(role: Role, accounting: &Accounting, seconds: f64) -> Self {
        Self {
            role,
            accepted: accounting.accepted,
            delivered: accounting.delivered,
            dead_lettered: accounting.dead_lettered,
            released: accounting.released,
            in_flight: accounting.in_flight,
            batches: accounting.batches,
            raw_bytes: accounting.raw_bytes,
            wire_bytes: accounting.wire_bytes,
            seconds,
        }
    }
}

/// What `audit` prints with `--json`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditReport {
    /// Batches found.
    pub batches: u64,
    /// Records found.
    pub records: u64,
    /// Records that were numbered but are not there.
    pub missing: u64,
    /// Records that are there more than once.
    pub duplicated: u64,
    /// Batches that cannot be read.
    pub corrupt: u64,
    /// Records that retention has deleted.
    pub expired: u64,
    /// Records of batches without envelope, of which nothing can be proved.
    pub unverified: u64,
}

/// What `redrive` prints with `--json`. Each letter that was read counts in one of the other fields, unless it was on
/// its way when the run ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RedriveReport {
    /// Dead letters read.
    pub read: u64,
    /// Those that the broker has acknowledged as sent back.
    pub redriven: u64,
    /// Those that were not asked for, were sent back before, or cannot be sent for another reason than those below.
    pub skipped: u64,
    /// Those that were sent back too often already.
    pub too_many_attempts: u64,
    /// Those of which only the start was kept.
    pub truncated: u64,
    /// Messages that are no dead letters, or whose header cannot be read.
    pub unreadable: u64,
}

/// What `demo` prints with `--json`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DemoReport {
    /// Records made.
    pub records_produced: u64,
    /// Records that reached the sink.
    pub records_delivered: u64,
    /// Records that did not.
    pub lost: u64,
    /// Records that did more than once.
    pub duplicated: u64,
    /// Bytes before compression.
    pub raw_bytes: u64,
    /// Bytes after compression.
    pub wire_bytes: u64,
    /// Raw bytes to wire bytes.
    pub ratio: f64,
    /// Records delivered in a second.
    pub records_per_second: f64,
    /// From making a record to its delivery, in milliseconds.
    pub latency_ms: Latency,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(value: &impl Serialize) -> Vec<String> {
        let text = serde_json::to_string(value).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        value.as_object().unwrap().keys().cloned().collect()
    }

    fn sorted<const N: usize>(mut names: [&str; N]) -> [&str; N] {
        names.sort_unstable();
        names
    }

    #[test]
    fn the_exit_report_has_the_keys_that_scripts_read() {
        let report = ExitReport::new(Role::Producer, &Accounting::default(), 1.5);
        let expected = sorted([
            "role",
            "accepted",
            "delivered",
            "deadLettered",
            "released",
            "inFlight",
            "batches",
            "rawBytes",
            "wireBytes",
            "seconds",
        ]);
        assert_eq!(keys(&report), expected);
    }

    #[test]
    fn the_audit_report_has_the_keys_that_scripts_read() {
        let expected = sorted([
            "batches",
            "records",
            "missing",
            "duplicated",
            "corrupt",
            "expired",
            "unverified",
        ]);
        assert_eq!(keys(&AuditReport::default()), expected);
    }

    #[test]
    fn the_redrive_report_has_the_keys_that_scripts_read() {
        let expected =
            ["read", "redriven", "skipped", "tooManyAttempts", "truncated", "unreadable"];
        assert_eq!(keys(&RedriveReport::default()), sorted(expected));
    }

    #[test]
    fn the_demo_report_has_the_keys_that_scripts_read() {
        let report = DemoReport {
            records_produced: 1,
            records_delivered: 1,
            lost: 0,
            duplicated: 0,
            raw_bytes: 10,
            wire_bytes: 5,
            ratio: 2.0,
            records_per_second: 1.0,
            latency_ms: Latency { p50: 1.0, p99: 2.0 },
        };
        let expected = sorted([
            "recordsProduced",
            "recordsDelivered",
            "lost",
            "duplicated",
            "rawBytes",
            "wireBytes",
            "ratio",
            "recordsPerSecond",
            "latencyMs",
        ]);
        assert_eq!(keys(&report), expected);
        assert_eq!(serde_json::to_value(report).unwrap()["latencyMs"]["p99"], 2.0);
    }
}
