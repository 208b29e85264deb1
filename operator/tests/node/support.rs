//! What tests have in common: the node with the operator on it, pipelines, what they printed, and waiting.

mod bed;
mod ledger;
mod manifest;
mod pipeline;
mod pods;
mod printed;

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

pub(crate) use self::{
    bed::{Bed, NAMESPACE, bed},
    manifest::{Manifest, number},
    pipeline::{Pipeline, Side},
    pods::Pod,
};

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(5);
/// Asking by kubectl costs a tenth of a second of a processor.
const POLL: Duration = Duration::from_millis(400);

/// Waits until `found` gives something; says what was awaited when it does not.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, found: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, what, found)
}

/// The same with a patience of its own.
#[track_caller]
pub(crate) fn within<T>(patience: Duration, what: &str, found: impl FnMut() -> Option<T>) -> T {
    try_within(patience, found).unwrap_or_else(|| panic!("not within {patience:?}: {what}"))
}

/// The same for who can say more about it when there is nothing.
pub(crate) fn try_within<T>(patience: Duration, mut found: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    loop {
        let found = found();
        if found.is_some() || begun.elapsed() >= patience {
            return found;
        }
        sleep(POLL);
    }
}

/// Looks again and again for a while; panics when it is not so once.
#[track_caller]
pub(crate) fn stays(period: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while begun.elapsed() < period {
        assert!(is_so(), "not after {:?}: {what}", begun.elapsed());
        sleep(POLL);
    }
}
