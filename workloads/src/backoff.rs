//! Waiting longer after every failure: doubled up to a limit, spread at random over the whole wait, so that many
//! clients do not come back at the same moment.

use std::time::Duration;

/// The waits between tries.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    /// Whether a wait is at least half of what it may be.
    is_steady: bool,
    failures: u32,
}

impl Backoff {
    /// Waits from `first` on, never longer than `longest`.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, is_steady: true, failures: 0 }
    }

    /// The same, with waits anywhere between nothing and the whole: for a receiver that many of us may besiege.
    pub const fn spread(first: Duration, longest: Duration) -> Self {
        Self { first, longest, is_steady: false, failures: 0 }
    }

    /// The wait after one more failure: between half of it and the whole, or anything up to the whole.
    pub fn next_wait(&mut self) -> Duration {
        let whole = self.first.saturating_mul(1 << self.failures.min(20)).min(self.longest);
        self.failures = self.failures.saturating_add(1);
        // Without random numbers all clients wait alike, which is still right.
        let random = getrandom::u32().unwrap_or(u32::MAX);
        let (least, spread) =
            if self.is_steady { (whole / 2, whole / 2) } else { (Duration::ZERO, whole) };
        least + spread.mul_f64(f64::from(random) / f64::from(u32::MAX))
    }

    /// It worked; `recovered` is called when it had not before.
    pub fn succeed(&mut self, recovered: impl FnOnce()) {
        if self.failures > 0 {
            self.failures = 0;
            recovered();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_waits_use_all_of_their_range() {
        let mut backoff = Backoff::spread(Duration::from_secs(1), Duration::from_secs(1));
        let waits: Vec<_> = (0..200).map(|_| backoff.next_wait()).collect();
        assert!(waits.iter().all(|wait| *wait <= Duration::from_secs(1)));
        assert!(waits.iter().any(|wait| *wait < Duration::from_millis(400)));
        assert!(waits.iter().any(|wait| *wait > Duration::from_millis(600)));
    }

    #[test]
    fn waits_grow_to_the_longest_and_start_again_after_success() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        for whole in [100, 200, 400, 800, 1000, 1000] {
            let wait = backoff.next_wait().as_millis();
            assert!((whole / 2..=whole).contains(&wait), "{wait} of {whole}");
        }
        let mut recovered = false;
        backoff.succeed(|| recovered = true);
        assert!(recovered);
        backoff.succeed(|| unreachable!("it had not failed"));
        assert!(backoff.next_wait() <= Duration::from_millis(100));
    }
}
