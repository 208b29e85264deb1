//! Ends what takes too long. A server that was stopped, or a connection that was cut without a word, gives no error
//! by itself; every answer but a watch's is read to its end here, so that nothing can hang in the middle of it either.
//! A watch has to begin in time; its silence later is noticed by kube's watcher. That it is refused is an answer like any
//! other.

use std::{
    task::{Context, Poll},
    time::Duration,
};

use http_body_util::{BodyExt, Full};
use tower::BoxError;

use super::{Answer, Call, Pending, Verb};

/// How long a connection may take to be made, TLS included.
pub(super) const CONNECT: Duration = Duration::from_secs(5);
/// How long reading or writing one object may take. Admission webhooks have up to this by default.
const OBJECT: Duration = Duration::from_secs(10);
/// How long a page of a list may take, and a watch until it begins.
const COLLECTION: Duration = Duration::from_secs(30);

/// The answer did not come in time.
#[derive(Debug, thiserror::Error)]
#[error("{verb} {path} was not answered within {patience:?}")]
struct Overdue {
    verb: &'static str,
    path: String,
    patience: Duration,
}

/// The layer.
#[derive(Debug)]
pub(super) struct Deadline<S> {
    inner: S,
    patience: fn(Verb) -> Duration,
}

impl<S> Deadline<S> {
    pub(super) const fn new(inner: S) -> Self {
        Self { inner, patience }
    }
}

impl<S> tower::Service<Call> for Deadline<S>
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
        let patience = (self.patience)(verb);
        let overdue =
            Overdue { verb: verb.name(), path: request.uri().path().to_owned(), patience };
        let answer = self.inner.call(request);
        let whole = async move {
            let answer = answer.await?;
            let is_stream = verb == Verb::Watch && answer.status().is_success();
            if is_stream { Ok(answer) } else { read(answer).await }
        };
        Box::pin(async move { tokio::time::timeout(patience, whole).await.map_err(|_| overdue)? })
    }
}

const fn patience(verb: Verb) -> Duration {
    match verb {
        Verb::List | Verb::Watch => COLLECTION,
        _ => OBJECT,
    }
}

async fn read(answer: Answer) -> Result<Answer, BoxError> {
    let (parts, body) = answer.into_parts();
    let bytes = body.collect().await?.to_bytes();
    let body = Full::new(bytes).map_err(|never| match never {});
    Ok(Answer::from_parts(parts, Box::new(body)))
}

#[cfg(test)]
mod tests {
    use kube::client::Body;
    use tower::{ServiceExt, service_fn};

    use super::*;

    /// What comes of a watch whose answer has this code and a body that never ends.
    async fn endless(code: u16) -> Result<Answer, BoxError> {
        let server = service_fn(move |_: Call| async move {
            let never = http_body_util::StreamBody::new(futures_util::stream::pending());
            let body = Box::new(never) as Box<kube::client::DynBody>;
            Ok(http::Response::builder().status(code).body(body).unwrap())
        });
        let mut request = Call::new(Body::empty());
        *request.uri_mut() = "/api/v1/pods?watch=1".parse().unwrap();
        Deadline { inner: server, patience: |_| Duration::from_millis(10) }.oneshot(request).await
    }

    #[tokio::test]
    async fn a_watch_may_go_on_for_ever_and_its_refusal_may_not() {
        assert!(endless(200).await.is_ok());
        let error = endless(500).await.err().unwrap();
        assert!(error.to_string().contains("was not answered within"), "{error}");
    }

    #[tokio::test]
    async fn a_server_that_never_answers_gives_an_error_that_names_the_request() {
        let silent = service_fn(|_: Call| std::future::pending::<Result<Answer, BoxError>>());
        let mut request = Call::new(Body::empty());
        *request.uri_mut() = "/api/v1/pods?watch=1".parse().unwrap();
        let deadline = Deadline { inner: silent, patience: |_| Duration::from_millis(10) };
        let error = deadline.oneshot(request).await.err().unwrap();
        assert_eq!(error.to_string(), "watch /api/v1/pods was not answered within 10ms");
    }
}
