//! A layer around the operator's client that sees each request, and may take it or its answer away.

use std::{
    future::pending,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use batchpipe_operator::client::{Answer, Call, Verb};
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt, Full};
use kube::client::DynBody;
use tower::BoxError;

/// A request that the operator made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) verb: Verb,
    pub(crate) path: String,
}

impl Request {
    /// Whether it changes anything but a Lease.
    pub(crate) fn is_write(&self) -> bool {
        self.verb.is_mutating() && !self.path.starts_with("/apis/coordination.k8s.io/")
    }
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is answered as it should be.
    None,
    /// It never reaches the server, and no answer comes: as if the process had ended before it was sent.
    NeverSent,
    /// The server carries it out, and no answer comes: as if the process had ended before it was read.
    AnswerLost,
    /// The server is said to have answered with this code.
    Status(u16),
}

/// What was asked so far, and the rule by which requests fail.
#[derive(Clone)]
pub(crate) struct Faults {
    seen: Arc<Mutex<Vec<Request>>>,
    rule: Arc<dyn Fn(&Request) -> Fault + Send + Sync>,
}

impl Faults {
    /// Nothing fails.
    pub(crate) fn none() -> Self {
        Self::new(|_| Fault::None)
    }

    /// The rule is asked once for each request, in their order.
    pub(crate) fn new(rule: impl Fn(&Request) -> Fault + Send + Sync + 'static) -> Self {
        Self { seen: Arc::default(), rule: Arc::new(rule) }
    }

    /// Every request so far.
    pub(crate) fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }

    /// Every request so far that changes something.
    pub(crate) fn writes(&self) -> Vec<Request> {
        self.seen().into_iter().filter(Request::is_write).collect()
    }

    /// A service that fails by the rule.
    pub(crate) fn layer<S>(&self, inner: S) -> Faulty<S> {
        Faulty { inner, faults: self.clone() }
    }
}

/// A service that fails by a rule.
pub(crate) struct Faulty<S> {
    inner: S,
    faults: Faults,
}

impl<S> tower::Service<Call> for Faulty<S>
where
    S: tower::Service<Call, Response = Answer, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = Answer;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Answer, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let request = Request { verb: Verb::of(&call), path: call.uri().path().to_owned() };
        let fault = (self.faults.rule)(&request);
        self.faults.seen.lock().unwrap().push(request);
        match fault {
            Fault::None => Box::pin(self.inner.call(call)),
            Fault::NeverSent => Box::pin(pending()),
            Fault::AnswerLost => {
                let answer = self.inner.call(call);
                Box::pin(async move {
                    let _carried_out = answer.await;
                    pending().await
                })
            }
            Fault::Status(code) => Box::pin(async move { Ok(refusal(code)) }),
        }
    }
}

fn refusal(code: u16) -> Answer {
    let status = serde_json::json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": format!("injected {code}"), "reason": "Injected", "code": code,
    });
    let body = Full::new(status.to_string().into()).map_err(BoxError::from);
    http::Response::builder().status(code).body(Box::new(body) as Box<DynBody>).unwrap()
}
