//! Waiting longer after every failure: doubled up to a limit, half of it at random, so that many do not come back at
//! the same moment.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

/// The waits between tries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// Waits from `first` on, never longer than `longest`.
    pub(crate) const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0 }
    }

    /// The wait after one more failure: between half of it and the whole.
    pub(crate) fn next_wait(&mut self) -> Duration {
        let whole = self.first.saturating_mul(1 << self.failures.min(20)).min(self.longest);
        self.failures = self.failures.saturating_add(1);
        // The keys of each new state differ; that is all the chance that is needed here.
        let [high, low, ..] = RandomState::new().hash_one(self.failures).to_ne_bytes();
        let chance = u16::from_ne_bytes([high, low]);
        whole / 2 + (whole / 2).mul_f64(f64::from(chance) / f64::from(u16::MAX))
    }

    /// It worked.
    pub(crate) const fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_longest_and_start_again_after_success() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        for whole in [100, 200, 400, 800, 1000, 1000] {
            let wait = backoff.next_wait().as_millis();
            assert!((whole / 2..=whole).contains(&wait), "{wait} of {whole}");
        }
        backoff.reset();
        assert!(backoff.next_wait() <= Duration::from_millis(100));
    }

    #[test]
    fn waits_differ() {
        let wait = || Backoff::new(Duration::from_mins(1), Duration::from_mins(1)).next_wait();
        assert!((0..10).any(|_| wait() != wait()));
    }
}
