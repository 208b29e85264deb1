//! Reads an answer within bounds: it may be as long as that of the largest honest pod, and small things, a million times,
//! would take many times its length. Pure.
//!
//! A list ends with an error where it is too long, what is not known is skipped without being held, and words are cut.

use std::{fmt, marker::PhantomData};

use batchpipe_api::report::{Accounting, PartitionLag, Rates, Report, Role, Stall, WorkloadState};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error, SeqAccess, Visitor},
};

use crate::{clean::clean, observe::credible::MOST_PARTITIONS};

/// So many things can be waited for.
const MOST_STALLS: usize = 256;
/// So many of them are kept: one is told.
const KEPT_STALLS: usize = 8;
/// The longest word or name that is kept, in bytes.
const LONGEST_WORD: usize = 256;
/// The longest explanation that is kept, in bytes.
const LONGEST_TEXT: usize = 1024;

/// The report in an answer; what nobody here reads of it is left out.
pub(super) fn read(answer: &[u8]) -> serde_json::Result<Report> {
    let said: Said = serde_json::from_slice(answer)?;
    Ok(said.into())
}

/// As a report is written, but flat: a flattened field would have everything unknown held until the end.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    role: Role,
    version: String,
    uptime_seconds: f64,
    begun_at_ms: i64,
    state: WorkloadState,
    ready: bool,
    topic: String,
    rates: Rates,
    #[serde(default)]
    partitions: Option<i32>,
    #[serde(default)]
    lag: AtMost<PartitionLag, { MOST_PARTITIONS.unsigned_abs() as usize }>,
    #[serde(default)]
    stalled: AtMost<Stall, MOST_STALLS>,
    accepted: u64,
    delivered: u64,
    dead_lettered: u64,
    released: u64,
    in_flight: u64,
    batches: u64,
    raw_bytes: u64,
    wire_bytes: u64,
    #[serde(default)]
    resent: u64,
    #[serde(default)]
    tombstones: u64,
    #[serde(default)]
    newlines_replaced: u64,
    #[serde(default)]
    expired_messages: u64,
}

impl From<Said> for Report {
    fn from(said: Said) -> Self {
        let mut lag = said.lag.0;
        lag.shrink_to_fit();
        Self {
            role: said.role,
            version: clean(&said.version, LONGEST_WORD),
            uptime_seconds: said.uptime_seconds,
            begun_at_ms: said.begun_at_ms,
            state: said.state,
            ready: said.ready,
            topic: clean(&said.topic, LONGEST_WORD),
            accounting: Accounting {
                accepted: said.accepted,
                delivered: said.delivered,
                dead_lettered: said.dead_lettered,
                released: said.released,
                in_flight: said.in_flight,
                batches: said.batches,
                raw_bytes: said.raw_bytes,
                wire_bytes: said.wire_bytes,
                resent: said.resent,
                tombstones: said.tombstones,
                newlines_replaced: said.newlines_replaced,
                expired_messages: said.expired_messages,
            },
            rates: said.rates,
            latency_ms: None,
            partitions: said.partitions,
            lag,
            stalled: said.stalled.0.iter().take(KEPT_STALLS).map(shortened).collect(),
            last_error: None,
        }
    }
}

fn shortened(stall: &Stall) -> Stall {
    Stall {
        reason: clean(&stall.reason, LONGEST_WORD),
        what: clean(&stall.what, LONGEST_TEXT),
        since_ms: stall.since_ms,
    }
}

/// A list of at most so many items.
struct AtMost<T, const MOST: usize>(Vec<T>);

impl<T, const MOST: usize> Default for AtMost<T, MOST> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: DeserializeOwned, const MOST: usize> Deserialize<'de> for AtMost<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Items::<T, MOST>(PhantomData)).map(Self)
    }
}

struct Items<T, const MOST: usize>(PhantomData<T>);

impl<'de, T: DeserializeOwned, const MOST: usize> Visitor<'de> for Items<T, MOST> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {MOST} items")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element()? {
            if all.len() == MOST {
                return Err(A::Error::invalid_length(MOST + 1, &self));
            }
            all.push(item);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use batchpipe_api::report::{LastError, Latency};
    use serde_json::{Value, json};

    use super::*;
    use crate::observe::testing::{lag, report, stall};

    fn text(change: impl FnOnce(&mut Value)) -> Vec<u8> {
        let mut value = serde_json::to_value(report(Role::Consumer)).unwrap();
        change(&mut value);
        serde_json::to_vec(&value).unwrap()
    }

    #[test]
    fn everything_that_is_read_of_a_report_is_what_the_pod_wrote() {
        let accounting = Accounting {
            accepted: 10,
            delivered: 1,
            dead_lettered: 2,
            released: 3,
            in_flight: 4,
            batches: 5,
            raw_bytes: 6,
            wire_bytes: 7,
            resent: 8,
            tombstones: 9,
            newlines_replaced: 10,
            expired_messages: 11,
        };
        let kept = Report {
            accounting,
            partitions: Some(2),
            lag: vec![lag(0, 1, 2), lag(1, 3, 4)],
            stalled: vec![stall("SecretMissing", "me/password", 5)],
            ..report(Role::Consumer)
        };
        let said = Report {
            latency_ms: Some(Latency::default()),
            last_error: Some(LastError { message: "x".to_owned(), at_ms: 1 }),
            ..kept.clone()
        };
        assert_eq!(read(&serde_json::to_vec(&said).unwrap()).unwrap(), kept);
    }

    #[test]
    fn a_list_that_is_too_long_makes_it_no_report() {
        let items = |count: usize| vec![json!({"partition": 0}); count];
        let with = |count| text(|report| report["lag"] = items(count).into());
        assert_eq!(read(&with(10_000)).unwrap().lag.len(), 10_000);
        assert!(read(&with(10_001)).unwrap_err().to_string().contains("at most 10000 items"));
        let stalls = vec![json!({"reason": "", "what": "", "sinceMs": 0}); MOST_STALLS + 1];
        assert!(read(&text(|report| report["stalled"] = stalls.into())).is_err());
    }

    #[test]
    fn words_of_a_pod_are_cut_and_hold_nothing_but_text() {
        let stall = json!({"reason": "a\u{7f}", "what": format!("b\0\u{9b}c{}", "x".repeat(2 * LONGEST_TEXT)), "sinceMs": 0});
        let found = read(&text(|report| {
            report["stalled"] = vec![stall; MOST_STALLS].into();
            report["topic"] = "t".repeat(1 << 20).into();
        }))
        .unwrap();
        assert_eq!(found.stalled.len(), KEPT_STALLS);
        assert_eq!(found.stalled[0].reason, "a");
        assert!(found.stalled[0].what.starts_with("b  cxx"), "{}", found.stalled[0].what);
        assert!(found.stalled[0].what.capacity() <= LONGEST_TEXT);
        assert!(found.topic.len() <= LONGEST_WORD);
    }

    #[test]
    fn what_a_newer_pod_adds_is_skipped() {
        let more = text(|report| report["newer"] = json!([[{"a": 1}], {"b": [2]}]));
        assert_eq!(read(&more).unwrap(), report(Role::Consumer));
    }
}
