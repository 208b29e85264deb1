//! How far one writer's messages are: what it handed over, what was committed of it, and whether all of it was in vain.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::sink::{Durable, WriteError};

/// Shared by a writer and the thread.
#[derive(Debug, Default)]
pub(super) struct Progress {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Offsets of messages that were handed over and not committed, in order.
    pending: VecDeque<i64>,
    /// How often something was committed.
    commits: u64,
    broken: Option<Broken>,
}

/// Why nothing more is taken from a writer.
#[derive(Clone, Debug)]
enum Broken {
    /// Nothing from this offset on was stored.
    Aborted { offset: i64, why: String },
    /// Nobody here knows what was stored.
    Unknown { why: String },
}

impl Progress {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The message at this offset is handed over.
    pub(super) fn push(&self, offset: i64) {
        self.lock().pending.push_back(offset);
    }

    /// Every message up to this offset was committed.
    pub(super) fn commit(&self, offset: i64) {
        let mut state = self.lock();
        while state.pending.front().is_some_and(|first| *first <= offset) {
            state.pending.pop_front();
        }
        state.commits += 1;
        drop(state);
        self.changed.notify_all();
    }

    /// Nothing that is pending was stored.
    pub(super) fn abort(&self, why: &str) {
        let mut state = self.lock();
        if let (None, Some(offset)) = (&state.broken, state.pending.front().copied()) {
            state.broken = Some(Broken::Aborted { offset, why: why.to_owned() });
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Nobody here knows whether what is pending was stored.
    pub(super) fn lose(&self, why: &str) {
        self.lock().broken = Some(Broken::Unknown { why: why.to_owned() });
        self.changed.notify_all();
    }

    /// Whether nothing more is taken from the writer.
    pub(super) fn is_broken(&self) -> bool {
        self.lock().broken.is_some()
    }

    /// How far the partition is durable.
    pub(super) fn durable(&self) -> Result<Durable, WriteError> {
        durable(&self.lock())
    }

    /// The same after waiting until nothing is pending or something else happened; an error after `patience`.
    pub(super) fn settle(&self, patience: Duration) -> Result<Durable, WriteError> {
        let state = self.lock();
        let commits = state.commits;
        let is_open = |state: &mut State| {
            state.broken.is_none() && !state.pending.is_empty() && state.commits == commits
        };
        let waited = self.changed.wait_timeout_while(state, patience, is_open);
        let state = waited.unwrap_or_else(PoisonError::into_inner).0;
        match durable(&state)? {
            Durable::Before(_) => Err(WriteError::Unfinished { progress: state.commits > commits }),
            Durable::All => Ok(Durable::All),
        }
    }
}

fn durable(state: &State) -> Result<Durable, WriteError> {
    match state.broken.clone() {
        None => Ok(state.pending.front().map_or(Durable::All, |first| Durable::Before(*first))),
        Some(Broken::Aborted { offset, why }) => Err(WriteError::Aborted { offset, why }),
        Some(Broken::Unknown { why }) => Err(WriteError::Unknown { why }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handed(offsets: &[i64]) -> Progress {
        let progress = Progress::default();
        for offset in offsets {
            progress.push(*offset);
        }
        progress
    }

    #[test]
    fn what_was_committed_is_durable_and_nothing_else() {
        let progress = handed(&[3, 5, 6]);
        assert_eq!(progress.durable().unwrap(), Durable::Before(3));
        progress.commit(5);
        assert_eq!(progress.durable().unwrap(), Durable::Before(6));
        progress.commit(6);
        assert_eq!(progress.durable().unwrap(), Durable::All);
    }

    #[test]
    fn after_an_abort_what_was_pending_then_comes_again() {
        let progress = handed(&[3, 5]);
        progress.commit(3);
        progress.abort("first");
        progress.push(6);
        progress.abort("second");
        let error = progress.durable().unwrap_err();
        assert!(
            matches!(&error, WriteError::Aborted { offset: 5, why } if why == "first"),
            "{error:?}"
        );
        assert!(progress.is_broken());
    }

    #[test]
    fn a_writer_that_has_nothing_pending_loses_nothing_by_an_abort() {
        let progress = handed(&[]);
        progress.abort("why");
        assert_eq!(progress.durable().unwrap(), Durable::All);
    }

    #[test]
    fn not_knowing_outweighs_an_abort() {
        let progress = handed(&[3]);
        progress.abort("aborted");
        progress.lose("lost");
        assert!(matches!(progress.durable(), Err(WriteError::Unknown { .. })));
    }

    #[test]
    fn settling_ends_with_the_last_commit_or_for_lack_of_patience() {
        let progress = handed(&[3]);
        let unfinished = progress.settle(Duration::ZERO);
        assert!(matches!(unfinished, Err(WriteError::Unfinished { progress: false })));
        progress.commit(3);
        assert_eq!(progress.settle(Duration::ZERO).unwrap(), Durable::All);
    }
}
