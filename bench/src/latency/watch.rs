//! What comes out: how many records, and how long after they were due.

use std::{
    fmt,
    io::Read,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use hdrhistogram::Histogram;

use super::load::{TIME, now};
use crate::spread::float;

/// Longer than anything is measured, in microseconds.
const LONGEST: u64 = 600_000_000;
/// How much is read at once, in bytes.
const CHUNK: usize = 256 * 1024;

/// Latencies of records that were delivered.
#[derive(Debug)]
pub(super) struct Seen {
    /// In microseconds.
    latencies: Histogram<u64>,
    /// From the beginning to the last record.
    lasted: Duration,
}

impl Seen {
    fn new() -> Self {
        let latencies = Histogram::new_with_bounds(1, LONGEST, 3);
        Self { latencies: latencies.expect("the bounds are in order"), lasted: Duration::ZERO }
    }

    pub(super) fn records(&self) -> u64 {
        self.latencies.len()
    }

    pub(super) fn records_per_second(&self) -> f64 {
        float(self.records()) / self.lasted.as_secs_f64()
    }

    /// What took so many milliseconds each, within a second.
    #[cfg(test)]
    pub(super) fn of(milliseconds: &[u64]) -> Self {
        let mut seen = Self { lasted: Duration::from_secs(1), ..Self::new() };
        for it in milliseconds {
            seen.latencies.saturating_record(it * 1000);
        }
        seen
    }

    /// The latency that so many percent of the records do not exceed, in milliseconds.
    pub(super) fn percentile(&self, percent: f64) -> f64 {
        milliseconds(self.latencies.value_at_percentile(percent))
    }

    pub(super) fn longest(&self) -> f64 {
        milliseconds(self.latencies.max())
    }

    /// Notes a record, with its line end or not, that came out at a time.
    fn note(&mut self, record: &[u8], now: u64) -> Result<()> {
        let text = record.get(TIME).and_then(|digits| std::str::from_utf8(digits).ok());
        let due: Option<u64> = text.and_then(|digits| digits.parse().ok());
        let due = due.context("something came out that did not go in")?;
        self.latencies.saturating_record(now.saturating_sub(due) / 1000);
        Ok(())
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p99] = [50.0, 99.0].map(|percent| self.percentile(percent));
        write!(f, "{} records, p50 {p50:.1} ms, p99 {p99:.1} ms", self.records())
    }
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of minutes are far below 2^52")]
fn milliseconds(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

/// Reads one record, which may take as long as it takes, and nothing after it: there must not be more yet.
pub(super) fn first(input: &mut impl Read) -> Result<()> {
    let mut byte = [0];
    while byte != *b"\n" {
        input.read_exact(&mut byte).context("the consumer ended before the first record")?;
    }
    Ok(())
}

/// Reads records until there are no more. `count` follows how many there were.
pub(super) fn all(input: &mut impl Read, count: &AtomicU64) -> Result<Seen> {
    let (mut seen, started) = (Seen::new(), Instant::now());
    let (mut buffer, mut filled) = (vec![0; CHUNK], 0);
    loop {
        let read = input.read(&mut buffer[filled..]).context("cannot read what comes out")?;
        if read == 0 {
            return Ok(seen);
        }
        filled += read;
        let (now, mut start) = (now()?, 0);
        for end in memchr::memchr_iter(b'\n', &buffer[..filled]) {
            seen.note(&buffer[start..end], now)?;
            start = end + 1;
        }
        seen.lasted = started.elapsed();
        count.store(seen.records(), Ordering::Relaxed);
        buffer.copy_within(start..filled, 0);
        filled -= start;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::load::Lines;

    #[test]
    fn every_record_counts_with_what_it_waited() {
        let (mut lines, mut text) = (Lines::new(), Vec::new());
        let due = now().unwrap() - 2_000_000_000;
        (0..5000).for_each(|_| lines.append(due, &mut text));
        // In pieces that end anywhere.
        let (head, tail) = text.split_at(1003);
        let mut input = head.chain(tail);
        let count = AtomicU64::new(0);
        let seen = all(&mut input, &count).unwrap();
        assert_eq!((seen.records(), count.load(Ordering::Relaxed)), (5000, 5000));
        assert!(seen.percentile(50.0) >= 2000.0 && seen.percentile(50.0) < 60_000.0, "{seen}");
        assert!(all(&mut b"{}\n".as_slice(), &count).is_err(), "it did not go in");
    }
}
