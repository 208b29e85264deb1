//! Whether this process may write, and until when. Shared by the elector, the gate and the controller.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::watch;

use super::Timing;

/// The time for which a renewal allows to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    /// No request is sent after this.
    pub writes_until: Instant,
    /// No request is awaited after this: another process may lead from then on.
    pub ends: Instant,
}

/// Whether this process leads.
#[derive(Clone, Debug)]
pub struct Leadership(Arc<watch::Sender<Option<Term>>>);

impl Default for Leadership {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl Leadership {
    /// The Lease was written by a request that was sent at `sent`.
    pub fn hold(&self, sent: Instant, timing: Timing) {
        let term =
            Term { writes_until: sent + timing.renew_deadline, ends: sent + timing.duration };
        self.0.send_replace(Some(term));
    }

    /// Another process leads, or may do so soon.
    pub fn end(&self) {
        self.0.send_if_modified(|term| term.take().is_some());
    }

    /// The term in which a request may be sent now.
    pub fn term(&self, now: Instant) -> Option<Term> {
        self.0.borrow().filter(|term| now < term.writes_until)
    }

    /// Whether a request may be sent now.
    pub fn is_leader(&self, now: Instant) -> bool {
        self.term(now).is_some()
    }

    /// Returns once this process leads.
    pub async fn begun(&self) {
        let mut terms = self.0.subscribe();
        while !self.is_leader(Instant::now()) {
            if terms.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Returns once this process does not lead any more: stepped down, or unable to renew.
    pub async fn ended(&self) {
        let mut terms = self.0.subscribe();
        while let Some(term) = self.term(Instant::now()) {
            let left = term.writes_until.saturating_duration_since(Instant::now());
            // Either ends the wait: a new term, or the end of this one.
            let _ = tokio::time::timeout(left + Duration::from_millis(1), terms.changed()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_ends_before_others_may_lead() {
        let leadership = Leadership::default();
        let (sent, timing) = (Instant::now(), Timing::default());
        assert!(!leadership.is_leader(sent));
        leadership.hold(sent, timing);
        assert_eq!(leadership.term(sent).unwrap().ends, sent + timing.duration);
        assert!(!leadership.is_leader(sent + timing.renew_deadline));
    }

    #[test]
    fn stepping_down_ends_writing_at_once() {
        let leadership = Leadership::default();
        leadership.hold(Instant::now(), Timing::default());
        leadership.end();
        assert!(!leadership.is_leader(Instant::now()));
    }

    #[tokio::test]
    async fn a_term_that_is_not_renewed_ends_by_itself() {
        let leadership = Leadership::default();
        let renew_deadline = Duration::from_millis(20);
        leadership.hold(Instant::now(), Timing { renew_deadline, ..Timing::default() });
        leadership.begun().await;
        leadership.ended().await;
        assert!(!leadership.is_leader(Instant::now()));
    }
}
