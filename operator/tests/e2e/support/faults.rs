//! A layer below the operator's client that sees each request on its way to the API server, and may take it or its
//! answer away. Above it are the operator's own layers, with their deadlines.

use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use batchpipe_operator::client::{Answer, Call, Verb};
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt, Full, StreamBody};
use kube::client::DynBody;
use tower::BoxError;

/// A request that the operator made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) verb: Verb,
    pub(crate) path: String,
    /// Whether nothing is kept of what it does.
    pub(crate) is_trial: bool,
}

impl Request {
    /// Whether it changes anything but a Lease.
    pub(crate) fn is_write(&self) -> bool {
        let is_lease = self.path.starts_with("/apis/coordination.k8s.io/");
        self.verb.is_mutating() && !self.is_trial && !is_lease
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
    /// The connection is cut before there is an answer.
    Reset,
    /// The answer begins, and then nothing more comes, without a word.
    HalfOpen,
    /// The answer begins, and what follows comes only when nothing is held back any more: see [`Faults::hold`].
    Held,
}

/// What was asked so far, and the rule by which requests fail.
#[derive(Clone)]
pub(crate) struct Faults {
    seen: Arc<Mutex<Vec<Request>>>,
    written: Arc<Mutex<Vec<Instant>>>,
    answered: Arc<Mutex<Vec<(Request, u16)>>>,
    under_way: Arc<AtomicUsize>,
    is_holding: Arc<AtomicBool>,
    rule: Arc<dyn Fn(&Request) -> Fault + Send + Sync>,
}

impl Faults {
    /// Nothing fails.
    pub(crate) fn none() -> Self {
        Self::new(|_| Fault::None)
    }

    /// The rule is asked once for each request, in their order.
    pub(crate) fn new(rule: impl Fn(&Request) -> Fault + Send + Sync + 'static) -> Self {
        Self {
            seen: Arc::default(),
            written: Arc::default(),
            answered: Arc::default(),
            under_way: Arc::default(),
            is_holding: Arc::default(),
            rule: Arc::new(rule),
        }
    }

    /// Every request so far.
    pub(crate) fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }

    /// How many requests there were so far.
    pub(crate) fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// Every request so far that changes something.
    pub(crate) fn writes(&self) -> Vec<Request> {
        self.seen().into_iter().filter(Request::is_write).collect()
    }

    /// When each of the requests was made that change something.
    pub(crate) fn write_times(&self) -> Vec<Instant> {
        self.written.lock().unwrap().clone()
    }

    /// Every request that the server has answered, also those whose answer was lost, with the code of the answer.
    pub(crate) fn answered(&self) -> Vec<(Request, u16)> {
        self.answered.lock().unwrap().clone()
    }

    /// Whether the server has answered everything that was sent.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.under_way.load(Ordering::SeqCst) == 0
    }

    /// Holds back what follows in answers with [`Fault::Held`], or lets all of it go, in its order.
    pub(crate) fn hold(&self, is_holding: bool) {
        self.is_holding.store(is_holding, Ordering::SeqCst);
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
        let (path, query) = (call.uri().path(), call.uri().query().unwrap_or_default());
        let is_trial = query.contains("dryRun=All");
        let request = Request { verb: Verb::of(&call), path: path.to_owned(), is_trial };
        // Counted before the rule is asked: who hears of the rule's answer finds it counted.
        let under_way = UnderWay::new(&self.faults.under_way);
        let fault = (self.faults.rule)(&request);
        self.faults.seen.lock().unwrap().push(request.clone());
        if request.is_write() {
            self.faults.written.lock().unwrap().push(Instant::now());
        }
        match fault {
            Fault::NeverSent => return Box::pin(pending()),
            Fault::Status(code) => return Box::pin(async move { Ok(refusal(code)) }),
            Fault::Reset => return Box::pin(async { Err(cut()) }),
            Fault::None | Fault::AnswerLost | Fault::HalfOpen | Fault::Held => {}
        }
        let (answer, answered) = (self.inner.call(call), Arc::clone(&self.faults.answered));
        let is_holding = Arc::clone(&self.faults.is_holding);
        Box::pin(async move {
            let answer = answer.await;
            if let Ok(answer) = &answer {
                answered.lock().unwrap().push((request, answer.status().as_u16()));
            }
            drop(under_way);
            match fault {
                Fault::AnswerLost => pending().await,
                Fault::HalfOpen => answer.map(silenced),
                Fault::Held => answer.map(|answer| held(answer, is_holding)),
                _ => answer,
            }
        })
    }
}

/// Counts a request for as long as it lives.
struct UnderWay(Arc<AtomicUsize>);

impl UnderWay {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn cut() -> BoxError {
    std::io::Error::new(std::io::ErrorKind::ConnectionReset, "injected reset").into()
}

/// The same answer with a body that never comes.
fn silenced(answer: Answer) -> Answer {
    let never = StreamBody::new(futures_util::stream::pending());
    answer.map(|_| Box::new(never) as Box<DynBody>)
}

/// The same answer, whose parts do not come while something is held back.
fn held(answer: Answer, is_holding: Arc<AtomicBool>) -> Answer {
    answer.map(|body| {
        let frames = futures_util::stream::unfold(body, move |mut body| {
            let is_holding = Arc::clone(&is_holding);
            async move {
                let frame = body.frame().await?;
                while is_holding.load(Ordering::SeqCst) {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Some((frame, body))
            }
        });
        Box::new(StreamBody::new(Box::pin(frames))) as Box<DynBody>
    })
}

fn refusal(code: u16) -> Answer {
    let status = serde_json::json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": format!("injected {code}"), "reason": "Injected", "code": code,
    });
    let body = Full::new(status.to_string().into()).map_err(BoxError::from);
    http::Response::builder().status(code).body(Box::new(body) as Box<DynBody>).unwrap()
}
