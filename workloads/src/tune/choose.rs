//! Choosing: measurements in, one recommendation out. Pure, and the same for the same measurements.
//!
//! The cost of a candidate is its bytes on the topic times its CPU seconds, so a percent of one is worth a percent of
//! the other. CPU includes finding and checking records, which a producer does whatever the codec: without it,
//! no compression at all would look infinitely cheap. Of all candidates that cost at most 5 % more than the
//! cheapest the one with the smallest batch is recommended, because it waits the least. With a rate, only batches
//! are looked at that fill within the longest wait.

use std::cmp::Ordering;

use batchpipe_api::units::Timespan;

use super::{Demand, Measured, numbers};

/// What more a smaller batch may cost.
const TOLERANCE: f64 = 1.05;

/// What is recommended, and what else is worth a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The number of the recommended measurement.
    pub index: usize,
    /// For each measurement: whether none has fewer bytes, less CPU and a smaller batch at once.
    pub front: Vec<bool>,
    /// How long the recommended batch takes to fill; absent without a rate.
    pub linger: Option<Timespan>,
    /// Whether no batch fills within the longest wait.
    pub is_too_slow: bool,
}

/// Looks for the best of `measured`, of which there is at least one. `handling`: CPU seconds that all of them need.
///
/// # Panics
/// When there is no measurement.
pub fn choose(measured: &[Measured], handling: f64, demand: Option<&Demand>) -> Choice {
    let all = || (0..measured.len()).collect::<Vec<_>>();
    let fits = |index: &usize| is_in_time(&measured[*index], demand);
    let in_time: Vec<usize> = all().into_iter().filter(fits).collect();
    let is_too_slow = in_time.is_empty();
    let candidates = if is_too_slow { smallest(measured) } else { in_time };
    let index = cheapest(measured, handling, &candidates);
    let fill = demand.map(|demand| fill_time(&measured[index], demand.rate));
    let linger = fill.map(|fill| demand.map_or(fill, |demand| fill.min(demand.max_linger)));
    Choice { index, front: front(measured, handling), linger, is_too_slow }
}

/// How long a batch takes to fill when so many records come in a second.
pub fn fill_time(measured: &Measured, rate: u64) -> Timespan {
    let millis = (measured.records_per_message * 1000.0 / numbers::quotient(rate, 1)).ceil();
    Timespan::from_millis(whole(millis).max(1))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast of floats stops at the least and the largest number"
)]
const fn whole(number: f64) -> u32 {
    number as u32
}

fn is_in_time(measured: &Measured, demand: Option<&Demand>) -> bool {
    demand.is_none_or(|demand| fill_time(measured, demand.rate) <= demand.max_linger)
}

/// Those with the smallest batches.
fn smallest(measured: &[Measured]) -> Vec<usize> {
    let least = measured.iter().map(|it| it.candidate.max_records).min();
    let is_least = |index: &usize| Some(measured[*index].candidate.max_records) == least;
    (0..measured.len()).filter(is_least).collect()
}

fn cheapest(measured: &[Measured], handling: f64, candidates: &[usize]) -> usize {
    let cost = |index: usize| {
        let it = &measured[index];
        it.topic_bytes * (handling + it.compress + it.decompress)
    };
    let least = candidates.iter().map(|index| cost(*index)).min_by(f64::total_cmp);
    let most = least.expect("there is at least one measurement") * TOLERANCE;
    let by_batch_and_cost = |left: &usize, right: &usize| -> Ordering {
        let batch = |index: usize| measured[index].candidate.max_records;
        batch(*left).cmp(&batch(*right)).then(cost(*left).total_cmp(&cost(*right)))
    };
    let near = candidates.iter().copied().filter(|index| cost(*index) <= most);
    near.min_by(by_batch_and_cost).expect("the cheapest is as near as can be")
}

/// Which measurements are beaten by no other in bytes, CPU and waiting.
fn front(measured: &[Measured], handling: f64) -> Vec<bool> {
    let figures = |it: &Measured| {
        let cpu = handling + it.compress + it.decompress;
        [it.topic_bytes, cpu, f64::from(it.candidate.max_records)]
    };
    let beats = |one: &Measured, other: &Measured| {
        let (one, other) = (figures(one), figures(other));
        let is_no_worse = one.iter().zip(&other).all(|(one, other)| one <= other);
        is_no_worse && one.iter().zip(&other).any(|(one, other)| one < other)
    };
    measured.iter().map(|it| !measured.iter().any(|other| beats(other, it))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tune::tests::measured;
    use batchpipe_api::codec::Codec::{self, Gzip, Lz4, None as Uncompressed, Zstd};

    /// As telemetry is, roughly, with 0.12 for handling.
    fn telemetry() -> Vec<Measured> {
        let at = |codec: Codec, max_records, bytes, cpu: f64| {
            measured(codec, max_records, bytes, (cpu * 0.7, cpu * 0.3))
        };
        vec![
            at(Zstd, 10, 65.0, 0.6),
            at(Zstd, 100, 33.0, 0.42),
            at(Zstd, 500, 30.0, 0.38),
            at(Zstd, 5_000, 29.5, 0.38),
            at(Gzip, 500, 35.0, 2.3),
            at(Lz4, 500, 60.0, 0.33),
            at(Uncompressed, 500, 238.0, 0.03),
        ]
    }

    fn rate(rate: u64) -> Demand {
        Demand { rate, max_linger: Timespan::from_secs(1) }
    }

    #[test]
    fn the_least_product_wins_and_a_larger_batch_must_be_worth_it() {
        let choice = choose(&telemetry(), 0.12, None);
        assert_eq!((choice.index, choice.linger, choice.is_too_slow), (2, None, false));
    }

    #[test]
    fn records_that_do_not_compress_are_left_as_they_are() {
        let all = [
            measured(Zstd, 500, 230.0, (0.4, 0.2)),
            measured(Uncompressed, 500, 240.0, (0.03, 0.03)),
        ];
        assert_eq!(choose(&all, 0.12, None).index, 1);
    }

    #[test]
    fn a_rate_limits_the_batch_and_gives_the_linger() {
        let choice = choose(&telemetry(), 0.12, Some(&rate(1_000)));
        assert_eq!((choice.index, choice.linger), (2, Some(Timespan::from_millis(500))));
        let slow = choose(&telemetry(), 0.12, Some(&rate(300)));
        assert_eq!((slow.index, slow.linger), (1, Some(Timespan::from_millis(334))));
        let fast = choose(&telemetry(), 0.12, Some(&rate(u64::MAX)));
        assert_eq!((fast.index, fast.linger), (2, Some(Timespan::from_millis(1))));
    }

    #[test]
    fn when_none_fills_in_time_the_smallest_batch_waits_as_long_as_it_may() {
        let choice = choose(&telemetry(), 0.12, Some(&rate(1)));
        assert_eq!((choice.index, choice.is_too_slow), (0, true));
        assert_eq!(choice.linger, Some(Timespan::from_secs(1)));
    }

    #[test]
    fn the_front_leaves_out_what_another_beats_in_everything() {
        let choice = choose(&telemetry(), 0.12, None);
        assert_eq!(choice.front, [true, true, true, true, false, true, true]);
        let twins = [measured(Zstd, 1, 9.0, (1.0, 1.0)); 2];
        assert_eq!(choose(&twins, 0.1, None).front, [true, true]);
    }

    #[test]
    fn what_is_recommended_is_on_the_front_whatever_the_order() {
        let mut all = telemetry();
        for _ in 0..all.len() {
            all.rotate_left(1);
            for demand in [None, Some(rate(100)), Some(rate(10_000))] {
                let choice = choose(&all, 0.12, demand.as_ref());
                let expected = choose(&telemetry(), 0.12, demand.as_ref());
                assert!(choice.front[choice.index]);
                assert_eq!(all[choice.index], telemetry()[expected.index]);
            }
        }
    }
}
