//! How fast a counter grows, over a sliding window. Pure: totals and times are passed in.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// The span that rates are taken over.
pub const WINDOW: Duration = Duration::from_secs(30);
/// Totals are kept at most this often, which bounds what a window holds.
const STEP: Duration = Duration::from_secs(1);

/// The recent past of a counter that only grows.
#[derive(Debug)]
pub struct Rate {
    /// Oldest first; the first is the last one at or before the window's start, once there is one.
    samples: VecDeque<(Instant, u64)>,
    latest: (Instant, u64),
}

impl Rate {
    /// A counter that stands at `total` at `now`.
    pub fn new(now: Instant, total: u64) -> Self {
        Self { samples: VecDeque::from([(now, total)]), latest: (now, total) }
    }

    /// Notes the counter's total; to be called about once a second.
    pub fn observe(&mut self, now: Instant, total: u64) {
        self.latest = (now, total);
        if self.samples.back().is_none_or(|(kept, _)| now.saturating_duration_since(*kept) >= STEP)
        {
            self.samples.push_back((now, total));
        }
        // The second sample being old enough makes the first one needless.
        while self
            .samples
            .get(1)
            .is_some_and(|(at, _)| now.saturating_duration_since(*at) >= WINDOW)
        {
            self.samples.pop_front();
        }
    }

    /// The growth per second over the window, or since the beginning while that is shorter ago; 0 before time
    /// has passed.
    pub fn per_second(&self) -> f64 {
        let (now, total) = self.latest;
        let Some((since, before)) = self.samples.front() else { return 0.0 };
        let seconds = now.saturating_duration_since(*since).as_secs_f64();
        if seconds > 0.0 { as_f64(total.saturating_sub(*before)) / seconds } else { 0.0 }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 53 bits")]
const fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A counter seen once a second; `growth` says by how much it grew in each.
    fn seen(growth: impl IntoIterator<Item = u64>) -> Rate {
        let start = Instant::now();
        let mut rate = Rate::new(start, 1000);
        let mut total = 1000;
        for (second, grown) in (1..).zip(growth) {
            total += grown;
            rate.observe(start + Duration::from_secs(second), total);
        }
        rate
    }

    fn about(rate: &Rate, expected: f64) -> bool {
        (rate.per_second() - expected).abs() < 1e-6
    }

    #[test]
    fn what_was_counted_before_is_no_growth() {
        assert!(about(&seen([]), 0.0));
    }

    #[test]
    fn a_young_counter_is_averaged_over_its_age() {
        assert!(about(&seen([10, 30]), 20.0));
    }

    #[test]
    fn only_the_window_counts() {
        assert!(about(&seen([vec![1_000_000; 50], vec![60; 30]].concat()), 60.0));
    }

    #[test]
    fn a_counter_that_stands_still_falls_to_zero() {
        assert!(about(&seen([vec![60; 100], vec![0; 15]].concat()), 30.0));
        assert!(about(&seen([vec![60; 100], vec![0; 30]].concat()), 0.0));
    }

    #[test]
    fn a_pause_between_observations_is_averaged_over() {
        let start = Instant::now();
        let mut rate = Rate::new(start, 0);
        rate.observe(start + Duration::from_mins(1), 600);
        assert!(about(&rate, 10.0));
    }

    #[test]
    fn memory_does_not_grow_with_the_number_of_observations() {
        let start = Instant::now();
        let mut rate = Rate::new(start, 0);
        for millis in 0..100_000 {
            rate.observe(start + Duration::from_millis(millis), millis);
        }
        assert!(about(&rate, 1000.0));
        assert!(rate.samples.len() <= 32);
    }
}
