//! Asks pods what they say of themselves at `/status`, and keeps the last answers. IO, but nothing is ever sent.
//!
//! A pod that does not answer is unknown. Whoever answers may be hostile: answers are bounded in time and size, and
//! nothing is followed elsewhere.

mod kept;

use std::{
    borrow::Borrow,
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::body::Body;
use batchpipe_api::report::Report;
use futures_util::future::join_all;
use http::{StatusCode, Uri};
use http_body_util::{BodyExt, Limited};
use hyper_util::{
    client::legacy::{Client, Error as ClientError, connect::HttpConnector},
    rt::TokioExecutor,
};
use k8s_openapi::{api::core::v1::Pod, jiff::Timestamp};
use tokio::sync::Semaphore;

use self::kept::{Heard, Kept};
use super::side::has_ended;
use crate::build::ADMIN_PORT;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(2);
/// The largest answer: one consumer may have all partitions of a topic, and each takes up to 256 bytes.
const MAX_BYTES: usize = 10_000 * 256 + (64 << 10);
/// How many pods are asked at the same time, over all pipelines.
const AT_ONCE: usize = 64;

/// What pods said last, by their uid.
pub type Answers = BTreeMap<String, Answer>;

/// What a pod said.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// What it said.
    pub report: Report,
    /// When it was asked: the report is not older.
    pub asked_at: Timestamp,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error("address {0:?} is no IP address")]
    Address(String),
    #[error("no answer within {} s", TIMEOUT.as_secs())]
    Timeout(#[from] tokio::time::error::Elapsed),
    #[error("cannot be reached")]
    Unreachable(#[from] ClientError),
    #[error("answered {0}")]
    Status(StatusCode),
    #[error("the answer is longer than {MAX_BYTES} bytes, or broke off")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the answer is no report")]
    Report(#[from] serde_json::Error),
}

/// The answers of all pods that were asked.
#[derive(Debug)]
pub struct Reports {
    client: Client<HttpConnector, Body>,
    port: u16,
    permits: Semaphore,
    kept: Mutex<Kept>,
}

impl Default for Reports {
    fn default() -> Self {
        Self::at_port(ADMIN_PORT)
    }
}

impl Reports {
    /// Asks at another port than the usual one.
    pub fn at_port(port: u16) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(TIMEOUT));
        // Pods are asked seldom and come and go: idle connections to thousands of them would only be held.
        let client =
            Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Self { client, port, permits: Semaphore::new(AT_ONCE), kept: Mutex::default() }
    }

    /// What these pods say now or said within the last 5 seconds. Who does not answer is left out, and who keeps others
    /// waiting is asked less often.
    pub async fn of(&self, pods: &[impl Borrow<Pod>]) -> Answers {
        let pods =
            pods.iter().map(Borrow::borrow).filter(|pod| !has_ended(pod)).filter_map(|pod| {
                let ip = pod.status.as_ref()?.pod_ip.clone()?;
                Some((pod.metadata.uid.clone()?, ip))
            });
        let answers = join_all(pods.map(async |(uid, ip)| {
            let answer = self.ask_if_old(&uid, &ip).await;
            answer.map(|answer| (uid, answer))
        }));
        answers.await.into_iter().flatten().collect()
    }

    /// Forgets the pods that are gone.
    pub fn retain(&self, exists: impl Fn(&str) -> bool) {
        self.lock().retain(exists);
    }

    async fn ask_if_old(&self, uid: &str, ip: &str) -> Option<Answer> {
        if let Some(heard) = self.lock().get(uid, Instant::now()) {
            return heard.answer();
        }
        let _permit = self.permits.acquire().await.ok()?;
        let (at, asked_at) = (Instant::now(), Timestamp::now());
        let report = match tokio::time::timeout(TIMEOUT, self.ask(ip)).await {
            Ok(report) => report,
            Err(elapsed) => Err(elapsed.into()),
        };
        let report = report.inspect_err(|error| {
            let error: &dyn std::error::Error = error;
            tracing::debug!(uid, ip, error, "a pod says nothing");
        });
        let heard = match report {
            Ok(report) => Heard::Answer(Box::new(Answer { report, asked_at })),
            // The limit for connecting may be noticed a moment before the one for all of it.
            Err(_) if at.elapsed() >= TIMEOUT / 2 => Heard::Silence,
            Err(_) => Heard::Nothing,
        };
        self.lock().note(uid, heard.clone(), at);
        heard.answer()
    }

    async fn ask(&self, ip: &str) -> Result<Report, AskError> {
        let response = self.client.get(uri(ip, self.port)?).await?;
        if response.status() != StatusCode::OK {
            return Err(AskError::Status(response.status()));
        }
        let body = Limited::new(response.into_body(), MAX_BYTES);
        let body = body.collect().await.map_err(AskError::Body)?;
        Ok(serde_json::from_slice(&body.to_bytes())?)
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A socket address writes IPv6 with brackets.
fn uri(ip: &str, port: u16) -> Result<Uri, AskError> {
    let address: IpAddr = ip.parse().map_err(|_| AskError::Address(ip.to_owned()))?;
    let address = SocketAddr::new(address, port);
    format!("http://{address}/status").parse().map_err(|_| AskError::Address(ip.to_owned()))
}

#[cfg(test)]
mod tests;
