//! One memory budget for the process: whoever holds record bytes holds a [`Charge`] for them.
//!
//! When the budget is spent, intake waits; nothing is dropped and nothing grows with the length of an outage.

use std::{
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::{Duration, Instant},
};

const MIB: usize = 1024 * 1024;
/// What a process may use when no cgroup limits it.
const DEFAULT_LIMIT: usize = 256 * MIB;
/// What a process needs besides records: code, thread stacks, librdkafka's own structures.
const OVERHEAD: usize = 64 * MIB;

/// The budget of a process, in bytes.
#[derive(Debug)]
pub struct Budget {
    limit: usize,
    used: Mutex<usize>,
    freed: Condvar,
}

/// Bytes that are held; given back on drop.
#[derive(Debug)]
pub struct Charge {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    /// A budget of so many bytes.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, used: Mutex::new(0), freed: Condvar::new() })
    }

    /// The budget for a process with this cgroup limit: the lesser of 60 % of it and it less 64 MiB; 256 MiB
    /// without one. Never under 16 MiB, with which small pipelines still work.
    pub fn limit_for(cgroup_limit: Option<usize>) -> usize {
        cgroup_limit.map_or(DEFAULT_LIMIT, |limit| {
            (limit / 10 * 6).min(limit.saturating_sub(OVERHEAD)).max(16 * MIB)
        })
    }

    /// The most that may be held, in bytes.
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// What is held now, in bytes.
    pub fn used(&self) -> usize {
        *self.lock()
    }

    /// Charges bytes that are in memory already, even past the limit; for callers that stop taking in more
    /// as soon as the budget is spent.
    pub fn charge_now(self: &Arc<Self>, bytes: usize) -> Charge {
        *self.lock() += bytes;
        Charge { budget: Arc::clone(self), bytes }
    }

    /// Waits until `bytes` fit, or until the budget is empty (so that something larger than the whole budget
    /// passes alone), at most for `patience`.
    pub fn charge(self: &Arc<Self>, bytes: usize, patience: Duration) -> Option<Charge> {
        let deadline = Instant::now() + patience;
        let mut used = self.lock();
        while *used > 0 && *used + bytes > self.limit {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            used = self.freed.wait_timeout(used, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        *used += bytes;
        drop(used);
        Some(Charge { budget: Arc::clone(self), bytes })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, usize> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Charge {
    /// Size of the charge in bytes.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Changes the charge to `bytes`, without waiting.
    pub fn resize(&mut self, bytes: usize) {
        let mut used = self.budget.lock();
        *used = *used - self.bytes + bytes;
        drop(used);
        if bytes < self.bytes {
            self.budget.freed.notify_all();
        }
        self.bytes = bytes;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        *self.budget.lock() -= self.bytes;
        self.budget.freed.notify_all();
    }
}

/// The memory that a process may use is not enough for what it is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "needs {} MiB of memory, and {} MiB are there for it; lower it, or raise the memory limit",
    .needed.div_ceil(MIB), .share / MIB
)]
pub struct TooLittleMemory {
    /// What is needed, in bytes.
    pub needed: usize,
    /// What is there, in bytes.
    pub share: usize,
}

impl TooLittleMemory {
    /// Whether `needed` bytes fit.
    pub fn check(needed: usize, share: usize) -> Result<(), Self> {
        if needed > share { Err(Self { needed, share }) } else { Ok(()) }
    }
}

/// The memory limit of this process's cgroup in bytes, if it has one (cgroup v2, then v1).
pub fn cgroup_limit() -> Option<usize> {
    ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .into_iter()
        .filter_map(|path| std::fs::read_to_string(path).ok()?.trim().parse().ok())
        // v1 writes "no limit" as a number near 2^63.
        .find(|limit| *limit < usize::MAX >> 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_leaves_room_for_the_rest_of_the_process() {
        assert_eq!(Budget::limit_for(None), 256 * MIB);
        assert_eq!(Budget::limit_for(Some(128 * MIB)), 64 * MIB);
        assert_eq!(Budget::limit_for(Some(1000 * MIB)), 600 * MIB);
        assert_eq!(Budget::limit_for(Some(32 * MIB)), 16 * MIB);
    }

    const LONG: Duration = Duration::from_hours(1);

    #[test]
    fn intake_waits_until_memory_is_given_back() {
        let budget = Budget::new(100);
        let held = budget.charge(80, Duration::ZERO).unwrap();
        let waiting = {
            let budget = Arc::clone(&budget);
            std::thread::spawn(move || budget.charge(40, LONG).map(|charge| charge.bytes()))
        };
        drop(held);
        assert_eq!(waiting.join().unwrap(), Some(40));
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn what_is_larger_than_the_budget_passes_alone() {
        let budget = Budget::new(100);
        let charge = budget.charge(1000, LONG).unwrap();
        assert_eq!(budget.used(), charge.bytes());
    }

    #[test]
    fn patience_ends() {
        let budget = Budget::new(10);
        let _held = budget.charge_now(10);
        assert!(budget.charge(1, Duration::from_millis(1)).is_none());
    }
}
