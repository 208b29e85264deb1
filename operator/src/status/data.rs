//! What pods report of the data, put together for all pods of a pipeline. Pure; what is unknown is absent, never 0.

use batchpipe_api::{
    report::Role,
    status::{DataStatus, Phase},
};
use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::Time,
    jiff::{SignedDuration, Timestamp},
};

use super::Facts;
use crate::observe::{MOST, Measured, ObservedSide, Partitions};

/// What was measured longer ago says nothing of now: a pod goes on to report what it last heard while brokers are away.
const OLDEST: SignedDuration = SignedDuration::from_secs(15);

/// No data is compressed further, and no column of a table is made for more.
const HIGHEST_RATIO: f64 = 99_999.9;
/// Records that are sent one by one may take several times their size; more tells nobody anything.
const LOWEST_PERCENT: f64 = -999.0;

/// The numbers; absent when none is known.
pub(super) fn data(facts: &Facts<'_>) -> Option<DataStatus> {
    let (saved_percent, ratio) = saved(facts).unzip();
    let lag = lag(facts);
    let data = DataStatus {
        records_per_second: rate(facts),
        saved_percent,
        ratio,
        lag_messages: lag.messages,
        lag_records: lag.records,
        lag_seconds: lag.seconds,
        dead_letters: facts.dead_letters,
        observed_at: None,
    };
    (data != DataStatus::default())
        .then_some(DataStatus { observed_at: Some(Time(facts.now)), ..data })
}

/// What the consumers deliver; without consumers what the producers send.
fn rate(facts: &Facts<'_>) -> Option<i64> {
    let is_there = |role| facts.asks_for(role) && wanted(facts, role) != Some(0);
    let role = if is_there(Role::Consumer) { Role::Consumer } else { Role::Producer };
    if !is_there(role) {
        let observed = facts.observed;
        let is_over = observed.producer.pods.is_empty() && observed.consumer.pods.is_empty();
        return is_over.then_some(0);
    }
    rate_of(facts.observed.side(role))
}

fn wanted(facts: &Facts<'_>, role: Role) -> Option<i32> {
    let decided = facts.decision().map(|decision| decision.replicas.of(role));
    decided.or_else(|| facts.observed.side(role).deployment.as_ref().map(|it| it.desired_replicas))
}

/// A pod that is not ready yet may be too young to answer; of a ready one the number is missing.
fn rate_of(side: &ObservedSide) -> Option<i64> {
    let is_complete = side.pods.iter().all(|pod| pod.report.is_some() || !pod.is_ready);
    let has_any = side.reports().next().is_some();
    let sum: f64 = side.reports().map(|report| report.rates.records_per_second).sum();
    (is_complete && has_any).then(|| rounded(sum))
}

/// Saved percent and ratio of all that the pods have compressed since they began, or else decompressed.
fn saved(facts: &Facts<'_>) -> Option<(i32, String)> {
    let of = |side: &ObservedSide| {
        let (raw, wire) = side.reports().fold((0_u64, 0_u64), |(raw, wire), report| {
            let accounting = &report.accounting;
            (raw.saturating_add(accounting.raw_bytes), wire.saturating_add(accounting.wire_bytes))
        });
        (raw > 0 && wire > 0).then_some((raw, wire))
    };
    let (raw, wire) = of(&facts.observed.producer).or_else(|| of(&facts.observed.consumer))?;
    let (raw, wire) = (float(raw), float(wire));
    let ratio = (raw / wire).min(HIGHEST_RATIO);
    Some((percent(100.0 * (1.0 - wire / raw)), format!("{ratio:.1}x")))
}

/// How far the consumers are behind.
#[derive(Clone, Copy, Debug, Default)]
struct Lag {
    messages: Option<i64>,
    records: Option<i64>,
    seconds: Option<i64>,
}

/// What the consumers say. Once a pipeline is drained nobody can say anything any more: then what was measured last
/// stays, be it of a topic to which others went on to write.
fn lag(facts: &Facts<'_>) -> Lag {
    if !facts.asks_for(Role::Consumer) {
        return Lag::default();
    }
    let measured = measured(&Partitions::of(&facts.observed.consumer), facts.now);
    match (measured, facts.is_drained()) {
        (Some(Lag { messages: Some(0), .. }), true) => {
            // What is nothing in messages is nothing in records, also where their mean number is not known.
            Lag { messages: Some(0), records: Some(0), seconds: Some(0) }
        }
        (Some(lag), _) => lag,
        (None, true) => said_when_drained(facts),
        (None, false) => Lag::default(),
    }
}

fn said_when_drained(facts: &Facts<'_>) -> Lag {
    let previous = facts.previous().filter(|status| status.phase == Some(Phase::Drained));
    let said = previous.and_then(|status| status.data.as_ref());
    said.map_or_else(Lag::default, |data| Lag {
        messages: data.lag_messages,
        records: data.lag_records,
        seconds: data.lag_seconds,
    })
}

fn measured(partitions: &Partitions, now: Timestamp) -> Option<Lag> {
    let is_fresh =
        |all: &Vec<&Measured>| all.iter().all(|measured| now.duration_since(measured.at) <= OLDEST);
    let all = partitions.all().filter(is_fresh)?;
    let sum = |of: fn(&batchpipe_api::report::PartitionLag) -> Option<u64>| {
        let counts: Option<Vec<u64>> = all.iter().map(|measured| of(&measured.lag)).collect();
        counts.map(|counts| whole(counts.into_iter().fold(0, u64::saturating_add)))
    };
    let seconds: Option<Vec<f64>> = all.iter().map(|measured| measured.lag.seconds).collect();
    Some(Lag {
        messages: sum(|lag| lag.messages),
        records: sum(|lag| lag.records),
        seconds: seconds.map(|seconds| rounded(seconds.into_iter().fold(0.0, f64::max))),
    })
}

fn whole(count: u64) -> i64 {
    count.min(MOST).cast_signed()
}

#[expect(clippy::cast_possible_truncation, reason = "casts of floats saturate")]
fn rounded(number: f64) -> i64 {
    (number.max(0.0).round() as i64).min(MOST.cast_signed())
}

/// Incompressible data is below 0.
#[expect(clippy::cast_possible_truncation, reason = "bounded before")]
fn percent(number: f64) -> i32 {
    number.round().max(LOWEST_PERCENT) as i32
}

#[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
const fn float(bytes: u64) -> f64 {
    bytes as f64
}

#[cfg(test)]
mod tests;
