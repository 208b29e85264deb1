//! Asking every loop of the process to stop, and waiting without missing the request.
//!
//! Shutdown is an argument of what can be stopped, never a global. Signals are turned into it at the edge.

use std::{
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// A request to stop that is shared by all loops of a side.
#[derive(Clone, Debug, Default)]
pub struct Shutdown(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    requested: Mutex<bool>,
    changed: Condvar,
}

impl Shutdown {
    /// A request that was not made yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks everyone to stop; may be called more than once.
    pub fn request(&self) {
        *self.0.requested.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.changed.notify_all();
    }

    /// Whether a stop was asked for.
    pub fn is_requested(&self) -> bool {
        *self.0.requested.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for `period`, or less when a stop is asked for. True when it was.
    pub fn wait(&self, period: Duration) -> bool {
        let deadline = Instant::now() + period;
        let mut requested = self.0.requested.lock().unwrap_or_else(PoisonError::into_inner);
        while !*requested {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            requested = self
                .0
                .changed
                .wait_timeout(requested, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        *requested
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_ends_at_once_when_a_stop_is_asked_for() {
        let shutdown = Shutdown::new();
        let other = shutdown.clone();
        let waiter = std::thread::spawn(move || other.wait(Duration::from_hours(1)));
        shutdown.request();
        assert!(waiter.join().unwrap());
    }

    #[test]
    fn waiting_without_a_request_ends_after_the_period() {
        assert!(!Shutdown::new().wait(Duration::from_millis(1)));
    }
}
