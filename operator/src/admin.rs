//! The admin server: `/livez`, `/readyz`, `/metrics`. It only reads, and answers whoever may reach it.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;

use crate::{
    caches::Caches,
    client::{Contact, Instruments},
    metrics,
};

/// Without a list or a watch that works for so long, the process is given up: a new one may do better.
const SILENCE: Duration = Duration::from_mins(5);

/// Why the server cannot run.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen at {address} for the admin server; choose another address with --admin")]
pub struct AdminError {
    address: SocketAddr,
    #[source]
    source: std::io::Error,
}

/// Where the process has got to.
#[derive(Clone, Debug)]
pub enum Stage {
    /// It cannot begin; why.
    Starting(String),
    /// It follows what happens.
    Watching(Caches),
}

/// What the server answers from.
#[derive(Clone, Debug)]
pub struct Admin {
    /// Counters, and when the API server was last of use.
    pub instruments: Instruments,
    /// Where the process has got to.
    pub stage: watch::Receiver<Stage>,
}

/// Listens at this address; port 0 takes a free one.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, AdminError> {
    TcpListener::bind(address).await.map_err(|source| AdminError { address, source })
}

/// Answers until it is stopped.
pub async fn serve(listener: TcpListener, admin: Admin, stop: CancellationToken) {
    let routes = Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(scrape))
        .fallback((StatusCode::NOT_FOUND, "there are /livez, /readyz and /metrics\n"))
        .with_state(admin);
    let server = axum::serve(listener, routes).with_graceful_shutdown(stop.cancelled_owned());
    if let Err(error) = server.await {
        tracing::error!(error = %error, "the admin server ended");
    }
}

async fn livez(State(admin): State<Admin>) -> Response {
    alive(&admin.instruments.contact, Instant::now())
}

fn alive(contact: &Contact, now: Instant) -> Response {
    let age = contact.age(now);
    if age < SILENCE {
        return "ok\n".into_response();
    }
    let text = format!("no list or watch has worked for {} s\n", age.as_secs());
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

async fn readyz(State(admin): State<Admin>) -> Response {
    let unmet = match &*admin.stage.borrow() {
        Stage::Starting(why) => vec![why.clone()],
        Stage::Watching(caches) => caches.pending(),
    };
    if unmet.is_empty() {
        return "ok\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, unmet.join("\n") + "\n").into_response()
}

async fn scrape(State(admin): State<Admin>) -> Response {
    match admin.instruments.metrics.scrape() {
        Ok(text) => ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_hears_nothing_for_five_minutes_is_dead() {
        let contact = Contact::default();
        let start = Instant::now();
        contact.note(start);
        let status = |after: Duration| alive(&contact, start + after).status();
        assert_eq!(status(Duration::from_secs(299)), StatusCode::OK);
        assert_eq!(status(Duration::from_secs(301)), StatusCode::SERVICE_UNAVAILABLE);
    }
}
