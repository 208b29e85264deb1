//! One request at a time for each writer, over connections that all of them share: sent, awaited within its time, its
//! answer read within its limit. Redirects are not followed.

use std::{
    error::Error,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::body::HttpBody as Body;
use bytes::Bytes;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use http::{Request, Response, StatusCode, header::RETRY_AFTER};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use jiff::Timestamp;
use rustls::ClientConfig;
use tokio::{runtime::Runtime, task::AbortHandle, time::timeout};

use super::{codings::Named, retry_after};
use crate::{clock::unix_ms, error::chain};

/// The longest time for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an unused connection is kept; many receivers close theirs after a minute.
const IDLE: Duration = Duration::from_secs(30);
/// What is read of an answer that nobody needs, so that its connection can be used again, and how long that may take.
const DRAINED: (usize, Duration) = (64 * 1024, Duration::from_secs(1));

type Connections = legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Sends requests; one thread serves all connections.
pub(super) struct Client {
    /// Always there, but while it is dropped.
    runtime: Option<Runtime>,
    timeout: Duration,
    /// With the trust that they were made with.
    connections: Mutex<Option<(Arc<ClientConfig>, Connections)>>,
}

/// What came of a request.
#[derive(Debug)]
pub(super) enum Answer {
    /// The receiver has answered.
    Status {
        /// With this status.
        status: StatusCode,
        /// How long it asks to be left alone.
        retry_after: Option<Duration>,
        /// The codings that it says it accepts, if it says so.
        codings: Option<Named>,
        /// Empty unless it was wanted.
        body: Bytes,
    },
    /// It has, with more than is read.
    TooLong,
    /// It could not be reached, for this reason.
    Unreachable(String),
    /// It has not answered, for this reason; it may have taken the records all the same.
    Failed(String),
}

/// A request on its way; it is given up when this is dropped.
#[derive(Debug)]
pub(super) struct InFlight {
    answer: Receiver<Answer>,
    task: AbortHandle,
}

impl Client {
    /// Nothing is connected yet. A request takes at most `timeout`, from connecting to the end of its answer.
    pub(super) fn new(timeout: Duration) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("http-sink")
            .enable_all()
            .build()
            .expect("the system can start a thread");
        Self { runtime: Some(runtime), timeout, connections: Mutex::default() }
    }

    /// Sends a request. Of an answer that has a body at most `most_bytes` are accepted; with 0 it is not read.
    pub(super) fn send(
        &self,
        request: Request<Full<Bytes>>,
        trust: &Arc<ClientConfig>,
        most_bytes: usize,
    ) -> InFlight {
        let connections = self.connections(trust);
        let limit = self.timeout;
        let (sender, answer) = crossbeam_channel::bounded(1);
        let runtime = self.runtime.as_ref().expect("it is there until it is dropped");
        let task = runtime.spawn(async move {
            let exchange = exchange(connections, request, most_bytes);
            let answer = timeout(limit, exchange).await.unwrap_or_else(|_| {
                Answer::Failed(format!("did not answer within {} ms", limit.as_millis()))
            });
            let _ = sender.send(answer); // whoever asked may have given up
        });
        InFlight { answer, task: task.abort_handle() }
    }

    /// The connections with this trust; those with an earlier one end with their requests.
    fn connections(&self, trust: &Arc<ClientConfig>) -> Connections {
        let mut known = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Some((before, connections)) if Arc::ptr_eq(before, trust) => connections.clone(),
            _ => {
                let connections = connect(trust, CONNECT.min(self.timeout));
                *known = Some((Arc::clone(trust), connections.clone()));
                connections
            }
        }
    }
}

fn connect(trust: &Arc<ClientConfig>, limit: Duration) -> Connections {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_connect_timeout(Some(limit));
    connector.set_nodelay(true);
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(ClientConfig::clone(trust))
        .https_or_http()
        .enable_http1()
        .wrap_connector(connector);
    legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .build(connector)
}

async fn exchange(
    connections: Connections,
    request: Request<Full<Bytes>>,
    most_bytes: usize,
) -> Answer {
    let response = match connections.request(request).await {
        Ok(response) => response,
        Err(error) => {
            let problem = format!("cannot be asked: {}", chain(&error));
            let is_away = error.is_connect();
            return if is_away { Answer::Unreachable(problem) } else { Answer::Failed(problem) };
        }
    };
    let now = Timestamp::from_millisecond(unix_ms()).unwrap_or_default();
    let status = response.status();
    let header = response.headers().get(RETRY_AFTER);
    let retry_after = header.and_then(|value| retry_after::parse(value.as_bytes(), now));
    let codings = Named::of(response.headers());
    match read(response, most_bytes).await {
        Ok(body) => Answer::Status { status, retry_after, codings, body },
        Err(error) if error.is::<LengthLimitError>() => Answer::TooLong,
        Err(error) => {
            Answer::Failed(format!("gave an answer that cannot be read: {}", chain(error.as_ref())))
        }
    }
}

/// The answer's body, if it is wanted. When it is not, the status has said all, whatever becomes of the rest.
async fn read<B>(
    response: Response<B>,
    most_bytes: usize,
) -> Result<Bytes, Box<dyn Error + Send + Sync>>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    if most_bytes == 0 {
        let rest = Limited::new(response.into_body(), DRAINED.0).collect();
        let _ = timeout(DRAINED.1, rest).await;
        return Ok(Bytes::new());
    }
    Ok(Limited::new(response.into_body(), most_bytes).collect().await?.to_bytes())
}

impl InFlight {
    /// Waits for the answer, at most so long.
    pub(super) fn wait(&self, period: Duration) -> Option<Answer> {
        match self.answer.recv_timeout(period) {
            Ok(answer) => Some(answer),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                Some(Answer::Failed("cannot be asked: the request was dropped".to_owned()))
            }
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // A look-up of a name cannot be interrupted, and is not waited for.
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Client").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}
