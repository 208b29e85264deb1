//! Which reports can be true. Pure. Whoever answers in a pod's place may say anything: what is out of all bounds is no
//! report, so that whatever reads reports can count on the bounds.

use batchpipe_api::report::{PartitionLag, Report};

/// The most partitions that a topic can be asked for.
const MOST_PARTITIONS: i32 = 10_000;
/// More than any pod does in a second, and longer than any lag in seconds.
const MOST: f64 = 1e15;

/// Whether all numbers of a report are ones that can be.
pub(super) fn is_credible(report: &Report) -> bool {
    let partitions = report.partitions.is_none_or(|count| (0..=MOST_PARTITIONS).contains(&count));
    let rates = &report.rates;
    partitions && is_amount(rates.records_per_second) && report.lag.iter().all(is_credible_lag)
}

fn is_credible_lag(lag: &PartitionLag) -> bool {
    (0..MOST_PARTITIONS).contains(&lag.partition) && lag.seconds.is_none_or(is_amount)
}

fn is_amount(number: f64) -> bool {
    (0.0..=MOST).contains(&number)
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
    }
}
