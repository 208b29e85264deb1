//! Refuses to write unless this process leads. It is the last word: whatever the controller believes, a leader that
//! was suspended and wakes after its term sends nothing. Requests about Leases pass, since they decide who leads.
//!
//! It also knows which writes were never answered, whoever gave them up: they may be carried out later.

use std::{
    task::{Context, Poll},
    time::Instant,
};

use tower::BoxError;

use super::{Answer, Call, Pending, Verb};
use crate::lease::Leadership;

/// A writing request was refused, or given up, because this process does not lead.
#[derive(Debug, thiserror::Error)]
pub enum NotLeader {
    /// It was not sent.
    #[error(
        "{verb} {path} was not sent: this process does not hold the lease; the one that does will act"
    )]
    Refused {
        /// What it was.
        verb: &'static str,
        /// What it was about.
        path: String,
    },
    /// Its answer did not come before the term was over.
    #[error("{verb} {path} was not answered before the lease ran out; the next leader looks again")]
    Overdue {
        /// What it was.
        verb: &'static str,
        /// What it was about.
        path: String,
    },
}

/// The layer.
#[derive(Debug)]
pub(super) struct Gate<S> {
    inner: S,
    leadership: Leadership,
}

impl<S> Gate<S> {
    pub(super) const fn new(inner: S, leadership: Leadership) -> Self {
        Self { inner, leadership }
    }
}

impl<S> tower::Service<Call> for Gate<S>
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
        if !verb.is_mutating() || is_about_leases(request.uri().path()) {
            return Box::pin(self.inner.call(request));
        }
        let (verb, path) = (verb.name(), request.uri().path().to_owned());
        let Some(term) = self.leadership.term(Instant::now()) else {
            return Box::pin(async move { Err(NotLeader::Refused { verb, path }.into()) });
        };
        let mut doubt = Doubt { leadership: self.leadership.clone(), sent: Some(Instant::now()) };
        let answer = self.inner.call(request);
        Box::pin(async move {
            let overdue = |_| NotLeader::Overdue { verb, path };
            let answer =
                tokio::time::timeout_at(term.ends.into(), answer).await.map_err(overdue)?;
            if answer.is_ok() {
                doubt.end();
            }
            answer
        })
    }
}

/// A write whose answer was not heard; dropped with it, so that also one whose look was cancelled is noted.
struct Doubt {
    leadership: Leadership,
    sent: Option<Instant>,
}

impl Doubt {
    const fn end(&mut self) {
        self.sent = None;
    }
}

impl Drop for Doubt {
    fn drop(&mut self) {
        if let Some(sent) = self.sent {
            self.leadership.give_up(sent);
        }
    }
}

fn is_about_leases(path: &str) -> bool {
    path.starts_with("/apis/coordination.k8s.io/")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::Method;
    use http_body_util::{BodyExt, Full};
    use kube::client::Body;
    use tower::{ServiceExt, service_fn};

    use super::*;
    use crate::lease::Timing;

    const CHILD: &str = "/apis/apps/v1/namespaces/a/deployments/x";

    /// What becomes of a request: `None` when it reaches the server, else why not.
    async fn refused(leadership: &Leadership, method: Method, path: &str) -> Option<String> {
        let server = service_fn(|_: Call| async { Err::<Answer, BoxError>("reached".into()) });
        let request = Call::new(Body::empty());
        let (mut parts, body) = request.into_parts();
        (parts.method, parts.uri) = (method, path.parse().unwrap());
        let gate = Gate::new(server, leadership.clone());
        let error = gate.oneshot(Call::from_parts(parts, body)).await.err().unwrap();
        error.downcast_ref::<NotLeader>().map(ToString::to_string)
    }

    #[tokio::test]
    async fn without_the_lease_nothing_is_written_and_everything_is_read() {
        let nobody = Leadership::default();
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let why = refused(&nobody, method, CHILD).await.unwrap();
            assert!(why.contains(CHILD) && why.contains("does not hold the lease"), "{why}");
        }
        assert_eq!(refused(&nobody, Method::GET, CHILD).await, None);
    }

    #[tokio::test]
    async fn the_lease_itself_can_be_asked_for() {
        let lease = "/apis/coordination.k8s.io/v1/namespaces/a/leases/x";
        assert_eq!(refused(&Leadership::default(), Method::PUT, lease).await, None);
    }

    /// Whether a write is in doubt after this answer, or without any.
    async fn is_in_doubt_after(answer: Option<Result<u16, &'static str>>) -> bool {
        let server = service_fn(move |_: Call| async move {
            let Some(answer) = answer else { return std::future::pending().await };
            let body =
                Box::new(Full::default().map_err(BoxError::from)) as Box<kube::client::DynBody>;
            Ok(http::Response::builder().status(answer?).body(body)?)
        });
        let leadership = Leadership::default();
        leadership.hold(Instant::now(), Timing::default());
        let mut request = Call::new(Body::empty());
        *request.method_mut() = Method::PATCH;
        let call = Gate::new(server, leadership.clone()).oneshot(request);
        let _ = tokio::time::timeout(Duration::from_millis(20), call).await;
        leadership.is_in_doubt(Instant::now())
    }

    #[tokio::test]
    async fn a_write_that_was_cut_or_cancelled_is_in_doubt_and_one_that_was_answered_is_not() {
        assert!(is_in_doubt_after(None).await, "cancelled");
        assert!(is_in_doubt_after(Some(Err("cut"))).await);
        assert!(!is_in_doubt_after(Some(Ok(200))).await);
        assert!(!is_in_doubt_after(Some(Ok(409))).await);
    }

    #[tokio::test]
    async fn writing_ends_with_the_term() {
        let leadership = Leadership::default();
        let timing = Timing::default();
        leadership.hold(Instant::now(), timing);
        assert_eq!(refused(&leadership, Method::PATCH, CHILD).await, None);
        let long_ago = Instant::now().checked_sub(timing.renew_deadline + Duration::from_secs(1));
        leadership.hold(long_ago.unwrap(), timing);
        assert!(refused(&leadership, Method::PATCH, CHILD).await.is_some());
    }

    #[tokio::test]
    async fn an_answer_is_awaited_until_the_term_ends_and_no_longer() {
        let server = service_fn(|_: Call| std::future::pending::<Result<Answer, BoxError>>());
        let leadership = Leadership::default();
        let left = Duration::from_millis(50);
        let timing = Timing { renew_deadline: left / 2, duration: left, ..Timing::default() };
        leadership.hold(Instant::now(), timing);
        let mut request = Call::new(Body::empty());
        *request.method_mut() = Method::PATCH;
        let call = Gate::new(server, leadership.clone()).oneshot(request);
        let error = tokio::time::timeout(Duration::from_secs(10), call).await.unwrap().err();
        assert!(matches!(error.unwrap().downcast_ref(), Some(NotLeader::Overdue { .. })));
    }
}
