//! How long records take from their origin to being safe: quantiles of the last minutes, and totals for good.
//!
//! Pure: times are passed in. A batch costs two additions, however many records it holds.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

/// Quantiles cover between one and two of these.
const PERIOD: Duration = Duration::from_mins(1);
/// What is slower counts as this, in milliseconds: one day.
const SLOWEST_MS: u64 = 24 * 3600 * 1000;
/// Upper bounds of the lasting buckets in milliseconds; one more takes what is above.
pub const BOUNDS_MS: [u64; 16] =
    [1, 5, 10, 25, 50, 100, 150, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000];

/// Latencies of records.
#[derive(Debug)]
pub struct Latency {
    current: Histogram<u64>,
    previous: Histogram<u64>,
    rotated: Instant,
    totals: Totals,
}

/// Quantiles in milliseconds, each within 1 %.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantiles {
    /// Half of the records took at most this long.
    pub p50: u64,
    /// 90 % took at most this long.
    pub p90: u64,
    /// 99 % took at most this long.
    pub p99: u64,
    /// The slowest record.
    pub max: u64,
}

/// Everything since the start, as a histogram that can be added up over processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Records in each bucket of [`BOUNDS_MS`], and above the last.
    pub buckets: [u64; BOUNDS_MS.len() + 1],
    /// Records.
    pub records: u64,
    /// Sum of their latencies in milliseconds.
    pub sum_ms: u64,
}

impl Latency {
    /// No latencies yet.
    ///
    /// # Panics
    /// Never: the bounds are constants that the histogram takes.
    pub fn new(now: Instant) -> Self {
        let empty = || {
            Histogram::new_with_bounds(1, SLOWEST_MS, 2)
                .expect("the bounds are in order and 2 digits are allowed")
        };
        Self { current: empty(), previous: empty(), rotated: now, totals: Totals::default() }
    }

    /// Counts a batch whose records took so long.
    pub fn record(&mut self, millis: u64, records: u64) {
        self.current.saturating_record_n(millis, records);
        let bucket = BOUNDS_MS.partition_point(|bound| *bound < millis);
        self.totals.buckets[bucket] += records;
        self.totals.records += records;
        self.totals.sum_ms = self.totals.sum_ms.saturating_add(millis.saturating_mul(records));
    }

    /// Forgets what is too old for the quantiles; to be called about once a second.
    pub fn rotate(&mut self, now: Instant) {
        let age = now.saturating_duration_since(self.rotated);
        if age < PERIOD {
            return;
        }
        std::mem::swap(&mut self.current, &mut self.previous);
        self.current.reset();
        if age >= 2 * PERIOD {
            self.previous.reset();
        }
        self.rotated = now;
    }

    /// Quantiles of the last minutes; `None` when there was nothing.
    ///
    /// # Panics
    /// Never: both histograms have the same bounds.
    pub fn quantiles(&self) -> Option<Quantiles> {
        let mut both = self.current.clone();
        both.add(&self.previous).expect("both have the same bounds");
        let at = |quantile| both.value_at_quantile(quantile);
        (!both.is_empty()).then(|| Quantiles {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            max: both.max(),
        })
    }

    /// Everything since the start.
    pub const fn totals(&self) -> &Totals {
        &self.totals
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within_a_percent(found: u64, expected: u64) -> bool {
        found.abs_diff(expected) * 100 <= expected
    }

    #[test]
    fn quantiles_count_records_and_not_batches() {
        let mut latency = Latency::new(Instant::now());
        latency.record(1000, 1);
        latency.record(10, 98);
        latency.record(500, 1);
        let found = latency.quantiles().unwrap();
        assert_eq!((found.p50, found.p90), (10, 10));
        assert!(within_a_percent(found.p99, 500) && within_a_percent(found.max, 1000), "{found:?}");
    }

    #[test]
    fn nothing_has_no_quantiles() {
        assert_eq!(Latency::new(Instant::now()).quantiles(), None);
    }

    #[test]
    fn quantiles_forget_what_is_older_than_two_minutes() {
        let start = Instant::now();
        let mut latency = Latency::new(start);
        latency.record(9000, 100);
        latency.rotate(start + PERIOD);
        latency.record(10, 100);
        assert!(within_a_percent(latency.quantiles().unwrap().max, 9000));
        latency.rotate(start + 2 * PERIOD);
        assert_eq!(latency.quantiles().unwrap().max, 10);
        latency.record(10, 100);
        latency.rotate(start + 4 * PERIOD);
        assert_eq!(latency.quantiles(), None);
    }

    #[test]
    fn totals_are_never_forgotten() {
        let start = Instant::now();
        let mut latency = Latency::new(start);
        latency.record(0, 1);
        latency.record(1, 2);
        latency.record(2, 3);
        latency.record(300_001, 4);
        latency.rotate(start + 9 * PERIOD);
        let totals = latency.totals();
        assert_eq!((totals.records, totals.sum_ms), (10, 8 + 4 * 300_001));
        assert_eq!((totals.buckets[0], totals.buckets[1], totals.buckets[16]), (3, 3, 4));
    }

    #[test]
    fn absurd_latencies_count_as_a_day() {
        let mut latency = Latency::new(Instant::now());
        latency.record(u64::MAX, 2);
        assert!(within_a_percent(latency.quantiles().unwrap().max, SLOWEST_MS));
        assert_eq!(latency.totals().sum_ms, u64::MAX);
    }
}
