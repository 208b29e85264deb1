//! Records that carry the time at which they were due, written at a steady rate.

use std::{
    io::Write,
    ops::Range,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result};
use batchpipe_workloads::source::generator::{ProfileName, generate};

use crate::spread::float;

/// How often records are written: those that are due by then go together.
const TICK: Duration = Duration::from_millis(1);
/// How many different records there are.
const RECORDS: u64 = 10_000;
/// The most bytes that are written at once.
const CHUNK: usize = 256 * 1024;
/// What each record begins with; the time is in nanoseconds since the epoch.
const BEGINNING: &[u8] = b"{\"due\":0000000000000000000,";
/// Where the time is in a record.
pub(super) const TIME: Range<usize> = 7..26;

/// How fast records are written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rate {
    /// As fast as they are taken.
    Unpaced,
    /// So many per second, whatever is taken.
    PerSecond(f64),
}

/// Records of the profile telemetry, each with a time before its other fields.
pub(super) struct Lines {
    text: Vec<u8>,
    /// Where each begins, and the end of the last one.
    starts: Vec<usize>,
    next: usize,
}

impl Lines {
    pub(super) fn new() -> Self {
        let mut generated = Vec::new();
        generate(ProfileName::Telemetry, 1, RECORDS, &mut generated);
        let (mut text, mut starts) = (Vec::new(), vec![0]);
        for line in generated.split_inclusive(|byte| *byte == b'\n') {
            text.extend_from_slice(BEGINNING);
            text.extend_from_slice(line.strip_prefix(b"{").unwrap_or(line));
            starts.push(text.len());
        }
        Self { text, starts, next: 0 }
    }

    /// Appends the next record, due at a time in nanoseconds since the epoch.
    pub(super) fn append(&mut self, due: u64, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.text[self.starts[self.next]..self.starts[self.next + 1]]);
        self.next = (self.next + 1) % (self.starts.len() - 1);
        let mut rest = due;
        for digit in out[start..][TIME].iter_mut().rev() {
            *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
            rest /= 10;
        }
    }
}

/// Nanoseconds since the epoch.
pub(super) fn now() -> Result<u64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is wrong")?;
    u64::try_from(since.as_nanos()).context("the clock is wrong")
}

/// Writes records for so long. Returns how many.
pub(super) fn write(
    lines: &mut Lines,
    rate: Rate,
    duration: Duration,
    mut out: impl Write,
) -> Result<u64> {
    let (started, epoch) = (Instant::now(), now()?);
    let (mut written, mut chunk) = (0, Vec::with_capacity(2 * CHUNK));
    while started.elapsed() < duration {
        let passed = started.elapsed();
        let at = |number| match rate {
            Rate::Unpaced => passed,
            Rate::PerSecond(rate) => Duration::from_secs_f64(float(number) / rate),
        };
        while chunk.len() < CHUNK && at(written) <= passed {
            let due = epoch + u64::try_from(at(written).as_nanos())?;
            lines.append(due, &mut chunk);
            written += 1;
        }
        out.write_all(&chunk).context("the producer takes no more records")?;
        chunk.clear();
        if let Rate::PerSecond(_) = rate
            && at(written) > started.elapsed()
        {
            thread::sleep(TICK);
        }
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_carry_the_time_at_which_they_were_due() {
        let mut out = Vec::new();
        Lines::new().append(1_234_567_890_123_456_789, &mut out);
        assert_eq!(&out[TIME], b"1234567890123456789");
        let record: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(record["due"], 1_234_567_890_123_456_789_u64);
        assert!(record.as_object().unwrap().len() > 3);
    }

    #[test]
    fn a_rate_is_kept_and_times_are_those_of_the_plan() {
        let (mut out, duration) = (Vec::new(), Duration::from_millis(50));
        let before = now().unwrap();
        let written =
            write(&mut Lines::new(), Rate::PerSecond(1000.0), duration, &mut out).unwrap();
        let times: Vec<u64> = out
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| std::str::from_utf8(&line[TIME]).unwrap().parse().unwrap())
            .collect();
        assert_eq!(times.len() as u64, written);
        assert!((1..=51).contains(&written), "{written}");
        assert!(times[0] >= before && times.windows(2).all(|pair| pair[1] - pair[0] == 1_000_000));
    }
}
