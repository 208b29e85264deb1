//! Which reports can be true. Pure. Whoever answers in a pod's place may say anything: what is out of all bounds is no
//! report, so that whatever reads reports can count on the bounds.

use batchpipe_api::report::{Accounting, PartitionLag, Report};

/// The most partitions that a topic can be asked for.
pub(super) const MOST_PARTITIONS: i32 = 10_000;
/// The largest count that every reader of JSON takes for what it is; no pod comes near it.
pub(crate) const MOST: u64 = 1 << 53;
/// More than any pod does in a second.
const FASTEST: f64 = 1e9;
/// Longer than any lag and any pod's life, in seconds: three centuries.
const LONGEST: f64 = 1e10;

/// Whether all numbers of a report are ones that can be.
pub(super) fn is_credible(report: &Report) -> bool {
    report.partitions.is_none_or(|count| (0..=MOST_PARTITIONS).contains(&count))
        && (0.0..=FASTEST).contains(&report.rates.records_per_second)
        && is_time(report.uptime_seconds)
        && is_credible_accounting(&report.accounting)
        && report.lag.iter().all(is_credible_lag)
        && is_each_once(&report.lag)
}

/// A workload has its records in flight from the others, so no sum is ever off by one.
fn is_credible_accounting(accounting: &Accounting) -> bool {
    let Accounting { accepted, delivered, dead_lettered, released, in_flight, .. } = *accounting;
    let others = [accounting.raw_bytes, accounting.wire_bytes, accounting.expired_messages];
    // What is accepted is the largest of these, and four of them that are no larger have a sum.
    let counts = [accepted, delivered, dead_lettered, released, in_flight];
    counts.into_iter().chain(others).all(|count| count < MOST) && accounting.is_balanced()
}

fn is_credible_lag(lag: &PartitionLag) -> bool {
    let offsets = [lag.position, lag.committed, lag.end].into_iter().flatten();
    let counts = [lag.messages, lag.records].into_iter().flatten();
    (0..MOST_PARTITIONS).contains(&lag.partition)
        && offsets.chain(lag.asked_at_ms).all(|offset| (0..MOST.cast_signed()).contains(&offset))
        && counts.into_iter().all(|count| count < MOST)
        && lag.seconds.is_none_or(is_time)
}

fn is_each_once(lag: &[PartitionLag]) -> bool {
    let mut partitions: Vec<i32> = lag.iter().map(|lag| lag.partition).collect();
    partitions.sort_unstable();
    partitions.windows(2).all(|pair| pair[0] != pair[1])
}

fn is_time(seconds: f64) -> bool {
    (0.0..=LONGEST).contains(&seconds)
}

#[cfg(test)]
mod tests {
    use batchpipe_api::report::Role;

    use super::*;
    use crate::observe::testing::{lag, report};

    fn with(change: impl FnOnce(&mut Report)) -> bool {
        let mut report =
            Report { partitions: Some(2), lag: vec![lag(1, 5, 7)], ..report(Role::Consumer) };
        change(&mut report);
        is_credible(&report)
    }

    #[test]
    fn a_report_with_a_number_that_cannot_be_is_none() {
        assert!(with(|_| {}));
        assert!(with(|report| report.partitions = Some(10_000)));
        assert!(!with(|report| report.partitions = Some(i32::MAX)));
        assert!(!with(|report| report.partitions = Some(-1)));
        assert!(!with(|report| report.lag[0].partition = i32::MAX));
        assert!(!with(|report| report.lag[0].partition = -1));
        assert!(!with(|report| report.lag[0].seconds = Some(-1.0)));
        assert!(!with(|report| report.rates.records_per_second = 1e300));
        assert!(!with(|report| report.uptime_seconds = 1e300));
        assert!(!with(|report| report.lag[0].end = Some(i64::MAX)));
        assert!(!with(|report| report.lag[0].committed = Some(-1)));
        assert!(!with(|report| report.lag[0].records = Some(u64::MAX)));
        assert!(!with(|report| report.accounting.raw_bytes = MOST));
    }

    #[test]
    fn a_report_whose_records_do_not_add_up_is_none() {
        let counting = |accepted, dead_lettered| {
            with(|report| {
                report.accounting = Accounting { accepted, dead_lettered, ..report.accounting }
            })
        };
        assert!(counting(7, 7));
        assert!(!counting(7, 8));
        assert!(!counting(0, i64::MAX.unsigned_abs()), "more than anybody has");
        assert!(!counting(i64::MAX.unsigned_abs(), i64::MAX.unsigned_abs()), "though it adds up");
        assert!(!counting(u64::MAX, u64::MAX));
    }

    #[test]
    fn a_report_that_speaks_of_a_partition_twice_is_none() {
        assert!(with(|report| report.lag.push(lag(0, 5, 7))));
        assert!(!with(|report| report.lag.push(lag(1, 6, 7))));
    }
}
