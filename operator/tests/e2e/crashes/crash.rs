//! The moment of a crash: from one request on, nothing reaches the API server any more, or no answer comes back.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use crate::support::{Fault, Faults};

/// An operator that ends at its `k`th request.
pub(super) struct Crash {
    pub(super) faults: Faults,
    is_over: Arc<AtomicBool>,
}

impl Crash {
    /// `fault` says what becomes of the `k`th request; all later ones are never sent.
    pub(super) fn at(k: usize, fault: Fault) -> Self {
        let (count, is_over) = (AtomicUsize::new(0), Arc::new(AtomicBool::new(false)));
        let tell = Arc::clone(&is_over);
        let faults = Faults::new(move |_| match count.fetch_add(1, Ordering::SeqCst) + 1 {
            nth if nth < k => Fault::None,
            nth if nth == k => {
                tell.store(true, Ordering::SeqCst);
                fault
            }
            _ => Fault::NeverSent,
        });
        Self { faults, is_over }
    }

    /// Whether it has come so far, and all that was sent before has been carried out.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst) && self.faults.is_at_rest()
    }
}
