//! Telling a source that what it handed over is safe.
//!
//! A chunk's records end up in several batches, and a batch holds records of several chunks. Each of them
//! holds a [`Share`] of the chunk's [`Receipt`]; the receipt is settled when the last share is. A share that
//! is merely dropped never settles: forgetting one can delay a checkpoint, but cannot lose a record.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// What a source keeps of a chunk that it handed over.
#[derive(Debug)]
pub struct Receipt {
    pending: AtomicU32,
}

/// One holder's part in a receipt.
#[derive(Debug)]
#[must_use = "a share that is dropped leaves its receipt unsettled for ever"]
pub struct Share(Arc<Receipt>);

impl Receipt {
    /// A receipt with its first share.
    pub fn new() -> (Arc<Self>, Share) {
        let receipt = Arc::new(Self { pending: AtomicU32::new(1) });
        (Arc::clone(&receipt), Share(receipt))
    }

    /// Whether all that belongs to the chunk was acknowledged.
    pub fn is_settled(&self) -> bool {
        self.pending.load(Ordering::Acquire) == 0
    }
}

impl Share {
    /// A share for one more holder.
    pub fn another(&self) -> Self {
        // Relaxed: this share keeps `pending` above zero, so nobody can see it settled meanwhile.
        self.0.pending.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(&self.0))
    }

    /// Whether both belong to the same receipt.
    pub fn is_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// This holder's part is done.
    pub fn settle(self) {
        self.0.pending.fetch_sub(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_settled_by_its_last_share() {
        let (receipt, first) = Receipt::new();
        let second = first.another();
        first.settle();
        assert!(!receipt.is_settled());
        second.settle();
        assert!(receipt.is_settled());
    }

    #[test]
    fn a_share_that_is_lost_never_settles() {
        let (receipt, first) = Receipt::new();
        drop(first.another());
        first.settle();
        assert!(!receipt.is_settled());
    }
}
