//! Whether this process may write, and until when; and whether something that it wrote may still be carried out. Shared
//! by the elector, the gate and the controller.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::watch;

use super::Timing;

/// How long the API server works on a request at most, whoever still waits for it: the default of its
/// `--request-timeout`.
const CARRIED_OUT: Duration = Duration::from_mins(1);

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
pub struct Leadership {
    terms: Arc<watch::Sender<Option<Term>>>,
    /// When the last write was sent whose answer nobody has heard.
    unanswered: Arc<Mutex<Option<Instant>>>,
}

impl Default for Leadership {
    fn default() -> Self {
        Self { terms: Arc::new(watch::Sender::new(None)), unanswered: Arc::default() }
    }
}

impl Leadership {
    /// The Lease was written by a request that was sent at `sent`.
    pub fn hold(&self, sent: Instant, timing: Timing) {
        let term =
            Term { writes_until: sent + timing.renew_deadline, ends: sent + timing.duration };
        self.terms.send_replace(Some(term));
    }

    /// Another process leads, or may do so soon.
    pub fn end(&self) {
        self.terms.send_if_modified(|term| term.take().is_some());
    }

    /// The term in which a request may be sent now.
    pub fn term(&self, now: Instant) -> Option<Term> {
        self.terms.borrow().filter(|term| now < term.writes_until)
    }

    /// Whether a request may be sent now.
    pub fn is_leader(&self, now: Instant) -> bool {
        self.term(now).is_some()
    }

    /// A write that was sent at `sent` is not awaited any more, and nobody knows what became of it.
    pub fn give_up(&self, sent: Instant) {
        let mut unanswered = self.unanswered.lock().unwrap_or_else(PoisonError::into_inner);
        *unanswered = (*unanswered).max(Some(sent));
    }

    /// Whether a write that nobody waits for may still be carried out.
    pub fn is_in_doubt(&self, now: Instant) -> bool {
        let unanswered = self.unanswered.lock().unwrap_or_else(PoisonError::into_inner);
        unanswered.is_some_and(|sent| now.saturating_duration_since(sent) < CARRIED_OUT)
    }

    /// Returns once this process leads.
    pub async fn begun(&self) {
        let mut terms = self.terms.subscribe();
        while !self.is_leader(Instant::now()) {
            if terms.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Returns once this process does not lead any more: stepped down, or unable to renew.
    pub async fn ended(&self) {
        let mut terms = self.terms.subscribe();
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
    fn a_write_that_was_given_up_is_in_doubt_as_long_as_the_api_server_may_work_on_it() {
        let (leadership, now) = (Leadership::default(), Instant::now());
        assert!(!leadership.is_in_doubt(now));
        leadership.give_up(now + Duration::from_secs(5));
        leadership.give_up(now);
        assert!(leadership.is_in_doubt(now + Duration::from_secs(64)));
        assert!(!leadership.is_in_doubt(now + Duration::from_secs(65)));
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
