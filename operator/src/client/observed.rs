//! Counts what is asked and how it is answered, and notes when the API server was last of use.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tower::BoxError;

use super::{Answer, Call, NotLeader, Pending, Verb};
use crate::metrics::Metrics;

/// When a list or a watch last worked. What only reads or writes single objects does not count: a process whose
/// watches are stuck is blind, however well its Lease is renewed.
#[derive(Clone, Debug)]
pub struct Contact(Arc<Noted>);

#[derive(Debug)]
struct Noted {
    epoch: Instant,
    last_millis: AtomicU64,
}

impl Default for Contact {
    fn default() -> Self {
        Self(Arc::new(Noted { epoch: Instant::now(), last_millis: AtomicU64::new(0) }))
    }
}

impl Contact {
    /// As if nothing had worked for so long.
    #[cfg(test)]
    pub(crate) fn silent_for(time: Duration) -> Self {
        let epoch = Instant::now().checked_sub(time).expect("the machine is up for longer");
        Self(Arc::new(Noted { epoch, last_millis: AtomicU64::new(0) }))
    }

    /// It worked just now.
    pub fn note(&self, now: Instant) {
        let millis = now.saturating_duration_since(self.0.epoch).as_millis();
        self.0.last_millis.store(u64::try_from(millis).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How long ago it last worked; since the start when it never did.
    pub fn age(&self, now: Instant) -> Duration {
        let last = Duration::from_millis(self.0.last_millis.load(Ordering::Relaxed));
        now.saturating_duration_since(self.0.epoch).saturating_sub(last)
    }
}

/// The layer.
#[derive(Debug)]
pub(super) struct Observed<S> {
    inner: S,
    metrics: Metrics,
    contact: Contact,
}

impl<S> Observed<S> {
    pub(super) const fn new(inner: S, metrics: Metrics, contact: Contact) -> Self {
        Self { inner, metrics, contact }
    }
}

impl<S> tower::Service<Call> for Observed<S>
where
    S: tower::Service<Call, Response = Answer, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = Answer;
    type Error = BoxError;
    type Future = Pending;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Call) -> Pending {
        let verb = Verb::of(&request);
        let (metrics, contact) = (self.metrics.clone(), self.contact.clone());
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            metrics.request(verb.name(), &code(&answer));
            let has_worked = answer.as_ref().is_ok_and(|answer| answer.status().is_success());
            if has_worked && matches!(verb, Verb::List | Verb::Watch) {
                contact.note(Instant::now());
            }
            answer
        })
    }
}

/// The HTTP status, or why there is none.
fn code(answer: &Result<Answer, BoxError>) -> String {
    match answer {
        Ok(answer) => answer.status().as_str().to_owned(),
        Err(error) if error.is::<NotLeader>() => "not_leader".to_owned(),
        Err(_) => "no_answer".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contact_ages_from_the_start_until_something_works() {
        let contact = Contact::default();
        let start = contact.0.epoch;
        assert_eq!(contact.age(start + Duration::from_secs(9)), Duration::from_secs(9));
        contact.note(start + Duration::from_secs(7));
        assert_eq!(contact.age(start + Duration::from_secs(9)), Duration::from_secs(2));
    }
}
