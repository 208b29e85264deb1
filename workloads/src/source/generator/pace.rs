//! How many records are due: a token bucket without a clock of its own.
//!
//! The bucket holds little, so records come evenly: whoever did not fetch them in time (a slow broker, a
//! stopped process) gets no burst afterwards. The rate is therefore kept or missed, never exceeded.

use std::time::Duration;

/// Records that are due at once after a pause: as many as come in this time, and at least one.
const BURST: Duration = Duration::from_millis(20);
/// The shortest wait worth a thread's waking up; at high rates several records are due after it.
const STEP: Duration = Duration::from_millis(2);
/// What one record costs. Credit counts in records times nanoseconds: exact, so the rate never drifts.
const RECORD: u128 = 1_000_000_000;

/// The pace of one generator.
#[derive(Debug)]
pub(super) struct Pace {
    records_per_second: u128,
    credit: u128,
    last: Duration,
}

impl Pace {
    /// A pace at `now`, whose first record is due at once. `None` without a limit (0).
    pub(super) fn new(records_per_second: u64, now: Duration) -> Option<Self> {
        let records_per_second = u128::from(records_per_second);
        (records_per_second > 0).then_some(Self { records_per_second, credit: RECORD, last: now })
    }

    /// How many records are due; they count as made only when [`Pace::spend`] is called.
    pub(super) fn due(&mut self, now: Duration) -> u64 {
        let elapsed = now.saturating_sub(self.last).as_nanos();
        self.last = self.last.max(now);
        let full = RECORD.max(self.records_per_second * BURST.as_nanos());
        let earned = elapsed.saturating_mul(self.records_per_second);
        self.credit = self.credit.saturating_add(earned).min(full);
        u64::try_from(self.credit / RECORD).unwrap_or(u64::MAX)
    }

    /// Notes that so many of the records that were due have been made.
    pub(super) fn spend(&mut self, records: u64) {
        self.credit -= u128::from(records) * RECORD;
    }

    /// How long it takes, from the last call of [`Pace::due`], until asking again makes sense.
    pub(super) fn wait(&self) -> Duration {
        let missing = RECORD.saturating_sub(self.credit).div_ceil(self.records_per_second);
        STEP.max(Duration::from_nanos(u64::try_from(missing).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    /// How many records come at each of these times.
    fn fetched(rate: u64, times: impl IntoIterator<Item = Duration>) -> Vec<u64> {
        let mut pace = Pace::new(rate, Duration::ZERO).unwrap();
        let fetch = |now| {
            let due = pace.due(now);
            pace.spend(due);
            due
        };
        times.into_iter().map(fetch).collect()
    }

    #[test]
    fn records_come_evenly() {
        assert_eq!(fetched(1000, (0..5).map(|n| n * 2 * MILLISECOND)), [1, 2, 2, 2, 2]);
        assert_eq!(
            fetched(10, (0..5).map(|n| n * 50 * MILLISECOND)),
            [1, 0, 1, 0, 1],
            "one each 100 ms"
        );
    }

    #[test]
    fn the_rate_does_not_drift() {
        let times = (0..=100_000).map(|n| n * 3 * MILLISECOND);
        assert_eq!(fetched(777, times).iter().sum::<u64>(), 777 * 300 + 1);
    }

    #[test]
    fn a_pause_is_not_made_up_for() {
        let times = [Duration::ZERO, Duration::from_mins(1)];
        assert_eq!(fetched(1000, times), [1, 20]);
        assert_eq!(fetched(1, times), [1, 1]);
    }

    #[test]
    fn the_wait_lasts_until_a_record_is_due_but_is_never_tiny() {
        let mut pace = Pace::new(10, Duration::ZERO).unwrap();
        assert_eq!(pace.due(Duration::ZERO), 1);
        pace.spend(1);
        assert_eq!(pace.wait(), Duration::from_millis(100));
        assert_eq!(pace.due(pace.wait()), 1);
        let mut quick = Pace::new(1_000_000, Duration::ZERO).unwrap();
        let due = quick.due(Duration::ZERO);
        quick.spend(due);
        assert_eq!(quick.wait(), STEP);
    }

    #[test]
    fn the_largest_rate_and_the_longest_pause_do_not_overflow() {
        let mut pace = Pace::new(u64::MAX, Duration::ZERO).unwrap();
        assert!(pace.due(Duration::from_secs(1 << 40)) > 0);
    }

    #[test]
    fn no_rate_is_no_pace() {
        assert!(Pace::new(0, Duration::ZERO).is_none());
    }
}
