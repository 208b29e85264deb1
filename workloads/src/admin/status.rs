//! `/status`: the Report, made from the state at the moment of asking.

use std::time::Instant;

use batchpipe_api::report::{Accounting, Latency, Report, Role};
use serde::Serialize;

use super::{side::Side, state::State};
use crate::{clock::unix_ms, latency::Quantiles, ledger::Counts};

/// What `/status` answers: the Report of the only side, or the Reports of both.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Answer {
    One(Box<Report>),
    Both { producer: Option<Box<Report>>, consumer: Option<Box<Report>> },
}

/// The Report of one side.
pub fn report(side: &Side, now: Instant) -> Report {
    let begun_at_ms = unix_ms();
    Report {
        role: side.role(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime_seconds: now.saturating_duration_since(side.started()).as_secs_f64(),
        begun_at_ms,
        state: side.state(),
        ready: side.unmet().is_empty(),
        topic: side.topic().unwrap_or_default().to_owned(),
        accounting: accounting(&side.counts()),
        rates: side.rates(),
        latency_ms: side.quantiles().as_ref().map(latency),
        partitions: side.partitions(),
        lag: side.lags(),
        stalled: side.waiting_for(),
        last_error: side.last_error(),
    }
}

/// The accounting as the Report has it.
pub fn accounting(counts: &Counts) -> Accounting {
    Accounting {
        accepted: counts.accepted,
        delivered: counts.delivered,
        dead_lettered: counts.dead_letters(),
        released: counts.released,
        in_flight: counts.in_flight(),
        batches: counts.batches,
        raw_bytes: counts.raw_bytes,
        wire_bytes: counts.wire_bytes,
        resent: counts.resent,
        tombstones: counts.tombstones,
        newlines_replaced: counts.newlines_replaced,
        expired_messages: counts.expired_messages,
    }
}

/// The answer as text.
pub(super) fn json(state: &State, now: Instant) -> serde_json::Result<String> {
    let of = |role| {
        let side = state.sides().iter().find(|side| side.role() == role);
        side.map(|side| Box::new(report(side, now)))
    };
    let answer = match state.sides() {
        [only] => Answer::One(Box::new(report(only, now))),
        _ => Answer::Both { producer: of(Role::Producer), consumer: of(Role::Consumer) },
    };
    serde_json::to_string(&answer)
}

#[expect(clippy::cast_precision_loss, reason = "at most a day in milliseconds")]
const fn latency(quantiles: &Quantiles) -> Latency {
    Latency { p50: quantiles.p50 as f64, p99: quantiles.p99 as f64 }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use batchpipe_api::{reason::Reason, report::PartitionLag};
    use serde_json::Value;

    use super::*;
    use crate::{budget::Budget, ledger::Ledger};

    fn status(sides: Vec<Arc<Side>>) -> Value {
        let state = State::new(Budget::new(1), sides);
        let text = json(&state, Instant::now() + Duration::from_secs(10)).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    fn producer() -> Arc<Side> {
        Side::new(Role::Producer, Arc::default())
    }

    #[test]
    fn one_side_is_the_object_itself() {
        let ledger = Arc::new(Ledger::new());
        ledger.update(|counts| {
            counts.accepted = 9;
            counts.delivered = 4;
            counts.add_dead_letters(Reason::InvalidJson, 2);
        });
        let side = Side::new(Role::Consumer, ledger);
        side.set_topic("t");
        side.set_partitions(4);
        side.lag(PartitionLag { partition: 3, messages: Some(5), ..PartitionLag::default() });
        side.stalled("SinkUnavailable", "http://sink");
        side.error("sink said no");
        side.latency(250, 9);
        let found = status(vec![side]);
        assert_eq!(found["role"], "consumer");
        assert_eq!(found["topic"], "t");
        assert_eq!((&found["deadLettered"], &found["inFlight"]), (&2.into(), &3.into()));
        assert_eq!(found["partitions"], 4);
        assert_eq!(found["lag"][0]["messages"], 5);
        assert_eq!(found["stalled"][0]["what"], "http://sink");
        assert_eq!(found["lastError"]["message"], "sink said no");
        assert!(found["uptimeSeconds"].as_f64().unwrap() >= 10.0);
        assert_eq!(found["ready"], false);
        assert!((248.0..=252.0).contains(&found["latencyMs"]["p50"].as_f64().unwrap()));
    }

    #[test]
    fn what_is_unknown_is_absent() {
        let found = status(vec![producer()]);
        assert!(found.get("latencyMs").is_none());
        assert!(found.get("lastError").is_none());
        assert!(found.get("partitions").is_none());
    }

    #[test]
    fn two_sides_are_told_apart() {
        let found = status(vec![Side::new(Role::Consumer, Arc::default()), producer()]);
        assert_eq!(found["producer"]["role"], "producer");
        assert_eq!(found["consumer"]["role"], "consumer");
    }
}
