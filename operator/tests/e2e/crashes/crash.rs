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
    is_called_off: Arc<AtomicBool>,
}

impl Crash {
    /// `fault` says what becomes of the `k`th request; all later ones are never sent.
    pub(super) fn at(k: usize, fault: Fault) -> Self {
        let (count, is_over) = (AtomicUsize::new(0), Arc::new(AtomicBool::new(false)));
        let is_called_off = Arc::new(AtomicBool::new(false));
        let (tell, is_off) = (Arc::clone(&is_over), Arc::clone(&is_called_off));
        let faults = Faults::new(move |_| match count.fetch_add(1, Ordering::SeqCst) + 1 {
            nth if nth < k || is_off.load(Ordering::SeqCst) => Fault::None,
            nth if nth == k => {
                tell.store(true, Ordering::SeqCst);
                fault
            }
            _ => Fault::NeverSent,
        });
        Self { faults, is_over, is_called_off }
    }

    /// Whether it has come so far, and all that was sent before has been carried out.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst) && self.faults.is_at_rest()
    }

    /// The scenario has run through without coming so far: whatever is asked later, nothing crashes any more.
    pub(super) fn call_off(&self) -> bool {
        self.is_called_off.store(true, Ordering::SeqCst);
        !self.is_over.load(Ordering::SeqCst)
    }
}
