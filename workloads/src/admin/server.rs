//! The server: one thread of its own, so that probes are answered however busy the data plane is.

use std::{
    fmt::Display,
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::State as Extract,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use prometheus_client::registry::Registry;
use tokio::{sync::watch, time};

use super::{
    heartbeat::Silent,
    listener::{LimitedListener, Limits},
    metrics,
    side::Side,
    state::State,
    status,
};

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
/// How often averages are sampled.
const SAMPLE_PERIOD: Duration = Duration::from_secs(1);
/// How long answers that are on their way may take at the end.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// Why the server cannot run.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The address cannot be listened at.
    #[error("cannot listen at {address} for the admin server; choose another address with --admin")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The thread cannot be started.
    #[error("cannot start the admin server")]
    Start(#[source] io::Error),
}

/// A running server; dropping it stops it.
#[derive(Debug)]
pub struct AdminServer {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Arc<State>,
    registry: Registry,
}

impl AdminServer {
    /// Serves the state at this address; port 0 takes a free one.
    pub fn start(address: SocketAddr, state: Arc<State>) -> Result<Self, AdminError> {
        Self::start_with(address, state, Limits::default())
    }

    pub(super) fn start_with(
        address: SocketAddr,
        state: Arc<State>,
        limits: Limits,
    ) -> Result<Self, AdminError> {
        let (bound, listener) =
            listen(address).map_err(|source| AdminError::Listen { address, source })?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(AdminError::Start)?;
        let (stop, stopped) = watch::channel(false);
        let thread = thread::Builder::new()
            .name("admin".to_owned())
            .spawn(move || runtime.block_on(run(listener, state, limits, stopped)))
            .map_err(AdminError::Start)?;
        Ok(Self { address: bound, stop, thread: Some(thread) })
    }

    /// Where it listens.
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Finishes the answers that are on their way and stops.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for AdminServer {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the admin server had panicked");
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<(SocketAddr, TcpListener)> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok((listener.local_addr()?, listener))
}

async fn run(
    listener: TcpListener,
    state: Arc<State>,
    limits: Limits,
    mut stopped: watch::Receiver<bool>,
) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => LimitedListener::new(listener, limits),
        Err(error) => return tracing::error!(%error, "cannot serve the admin address"),
    };
    let shared =
        Shared { registry: metrics::registry(Arc::clone(&state)), state: Arc::clone(&state) };
    let mut stopping = stopped.clone();
    let serving = axum::serve(listener, router(Arc::new(shared)))
        .with_graceful_shutdown(async move { drop(stopping.wait_for(|stop| *stop).await) });
    let serving = tokio::spawn(serving.into_future());
    tokio::spawn(sample(state));
    // An error means that the server's handle is gone, which is a request to stop as well.
    drop(stopped.wait_for(|stop| *stop).await);
    // Connections that are still busy after that are cut off with the runtime.
    drop(time::timeout(LAST_ANSWERS, serving).await);
}

async fn sample(state: Arc<State>) {
    let mut period = time::interval(SAMPLE_PERIOD);
    loop {
        period.tick().await;
        state.sample(Instant::now());
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/status", get(status))
        .fallback(not_found)
        .with_state(shared)
}

fn answer(status: StatusCode, content_type: &'static str, body: String) -> Response {
    (status, [(CONTENT_TYPE, content_type)], body).into_response()
}

fn computed<E: Display>(content_type: &'static str, body: Result<String, E>) -> Response {
    match body {
        Ok(body) => answer(StatusCode::OK, content_type, body),
        Err(error) => answer(StatusCode::INTERNAL_SERVER_ERROR, TEXT, format!("{error}\n")),
    }
}

/// `ok`, or what is wrong, a line each.
fn verdict(problems: &[String]) -> Response {
    if problems.is_empty() {
        answer(StatusCode::OK, TEXT, "ok\n".to_owned())
    } else {
        answer(StatusCode::SERVICE_UNAVAILABLE, TEXT, problems.join("\n") + "\n")
    }
}

async fn livez(Extract(shared): Extract<Arc<Shared>>) -> Response {
    let now = Instant::now();
    let of_side = |side: &Arc<Side>| {
        let role = side.role().name();
        let line = move |silent: Silent| {
            format!("{role}: {} has not ticked for {} s", silent.name, silent.silence.as_secs())
        };
        side.silent(now).into_iter().map(line)
    };
    verdict(&shared.state.sides().iter().flat_map(of_side).collect::<Vec<_>>())
}

async fn readyz(Extract(shared): Extract<Arc<Shared>>) -> Response {
    let sides = shared.state.sides();
    let of_side = |side: &Arc<Side>| {
        let role = side.role().name();
        let prefix = if sides.len() > 1 { format!("{role}: ") } else { String::new() };
        side.unmet().into_iter().map(move |line| format!("{prefix}{line}"))
    };
    verdict(&sides.iter().flat_map(of_side).collect::<Vec<_>>())
}

async fn metrics(Extract(shared): Extract<Arc<Shared>>) -> Response {
    computed(metrics::CONTENT_TYPE, metrics::scrape(&shared.registry))
}

async fn status(Extract(shared): Extract<Arc<Shared>>) -> Response {
    computed(JSON, status::json(&shared.state, Instant::now()))
}

async fn not_found() -> Response {
    let body = "not found; there are /livez, /readyz, /metrics and /status\n";
    answer(StatusCode::NOT_FOUND, TEXT, body.to_owned())
}
