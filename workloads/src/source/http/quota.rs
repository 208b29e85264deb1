//! The part of the memory budget that requests may hold until their records are handed over.
//!
//! It never waits: a request that finds no memory is refused, and its client tries again later. The rest of the budget
//! is not theirs, so that the intake always finds memory to take records over once the broker takes some.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::budget::{Budget, Charge};

/// What all requests may hold.
#[derive(Debug)]
pub(super) struct Quota {
    budget: Arc<Budget>,
    most: usize,
    used: AtomicUsize,
}

/// What one request holds; given back on drop.
#[derive(Debug)]
pub(super) struct Held {
    quota: Arc<Quota>,
    charge: Charge,
}

/// There is no memory now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spent;

impl Quota {
    pub(super) fn new(budget: Arc<Budget>, most: usize) -> Arc<Self> {
        Arc::new(Self { budget, most, used: AtomicUsize::new(0) })
    }

    /// Takes so many bytes.
    pub(super) fn hold(self: &Arc<Self>, bytes: usize) -> Result<Held, Spent> {
        self.reserve(bytes)?;
        let Some(charge) = self.budget.charge(bytes, Duration::ZERO) else {
            self.used.fetch_sub(bytes, Ordering::Relaxed);
            return Err(Spent);
        };
        Ok(Held { quota: Arc::clone(self), charge })
    }

    /// Relaxed throughout: the number guards nothing but itself.
    fn reserve(&self, bytes: usize) -> Result<(), Spent> {
        let more = |used: usize| Some(used + bytes).filter(|sum| *sum <= self.most);
        let update = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        update.map(drop).map_err(|_| Spent)
    }
}

impl Held {
    /// Takes more, or gives some back. What cannot be had changes nothing.
    pub(super) fn resize(&mut self, bytes: usize) -> Result<(), Spent> {
        let now = self.charge.bytes();
        if let Some(more) = bytes.checked_sub(now) {
            // Others may take the same bytes at the same moment, so the limit may be passed by what they ask for.
            let budget = &self.quota.budget;
            if budget.used() + more > budget.limit() {
                return Err(Spent);
            }
            self.quota.reserve(more)?;
        } else {
            self.quota.used.fetch_sub(now - bytes, Ordering::Relaxed);
        }
        self.charge.resize(bytes);
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.quota.used.fetch_sub(self.charge.bytes(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_hold_no_more_than_their_part() {
        let budget = Budget::new(1000);
        let quota = Quota::new(Arc::clone(&budget), 100);
        let mut first = quota.hold(60).unwrap();
        assert_eq!(quota.hold(41).unwrap_err(), Spent);
        assert_eq!(first.resize(101), Err(Spent));
        first.resize(10).unwrap();
        let second = quota.hold(90).unwrap();
        assert_eq!(budget.used(), 100);
        drop((first, second));
        assert_eq!((budget.used(), quota.used.load(Ordering::Relaxed)), (0, 0));
    }

    #[test]
    fn a_budget_that_is_spent_refuses_at_once() {
        let budget = Budget::new(100);
        let quota = Quota::new(Arc::clone(&budget), 100);
        let mut held = quota.hold(10).unwrap();
        let others = budget.charge_now(90);
        assert_eq!((quota.hold(1).unwrap_err(), held.resize(11)), (Spent, Err(Spent)));
        drop(others);
        held.resize(100).unwrap();
    }
}
