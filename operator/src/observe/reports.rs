//! Asks pods what they say of themselves at `/status`, and keeps the last answers. IO, but nothing is ever sent.
//!
//! A pod that does not answer is unknown. Whoever answers may be hostile: answers are bounded in time and size, and
//! nothing is followed elsewhere. No pipeline waits for another one's pods.

mod kept;
mod reading;
mod round;

use std::{
    borrow::Borrow,
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::body::Body;
use batchpipe_api::report::{PartitionLag, Report};
use http::{StatusCode, Uri};
use http_body_util::BodyExt;
use hyper_util::{
    client::legacy::{Client, Error as ClientError, connect::HttpConnector},
    rt::TokioExecutor,
};
use k8s_openapi::{api::core::v1::Pod, jiff::Timestamp};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};

use self::{
    kept::{Heard, Kept},
    reading::read,
    round::{LONGEST, ask_each},
};
use super::{credible::MOST_PARTITIONS, side::has_ended};
use crate::build::ADMIN_PORT;

/// The largest answer: one consumer may have all partitions of a topic, and each takes up to 256 bytes.
const MAX_BYTES: usize = 10_000 * 256 + (64 << 10);
/// Answers of up to so many bytes, of about a hundred partitions, may be on their way from any number of pods.
const SMALL_BYTES: usize = 16 << 10;
/// The longest head of an answer, and the most of it that is read at once, in bytes.
const MOST_BUFFERED: usize = 16 << 10;
/// So many larger ones may be at the same time, over all pipelines: each is held until it is whole.
const LARGE_AT_ONCE: usize = 8;
/// So many bytes count of what the pods of one side say together: each partition twice, because they change hands, and a
/// kilobyte of each of a thousand pods.
const MOST_OF_A_SIDE: usize =
    2 * MOST_PARTITIONS.unsigned_abs() as usize * size_of::<PartitionLag>() + (1 << 20);

/// What pods said last, by their uid.
pub type Answers = BTreeMap<String, Answer>;

/// What a pod said.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// What it said.
    pub report: Arc<Report>,
    /// When it was asked: the report is not older.
    pub asked_at: Timestamp,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error("address {0:?} is no IP address")]
    Address(String),
    #[error("no answer in time")]
    Timeout(#[from] tokio::time::error::Elapsed),
    #[error("cannot be reached")]
    Unreachable(#[from] ClientError),
    #[error("answered {0}")]
    Status(StatusCode),
    #[error("the answer broke off")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the answer is longer than {MAX_BYTES} bytes")]
    TooLong,
    #[error("the answer is no report")]
    Report(#[from] serde_json::Error),
}

/// The answers of all pods that were asked.
#[derive(Debug)]
pub struct Reports {
    client: Client<HttpConnector, Body>,
    port: u16,
    large: Semaphore,
    kept: Mutex<Kept>,
}

/// A pod to be asked.
struct Asked {
    uid: String,
    ip: String,
}

/// One round of asking the pods of one side.
struct Round {
    heard: Mutex<OfSide>,
    /// Of the larger answers of a side one is read at a time.
    large: Semaphore,
    begun: Instant,
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
        connector.set_connect_timeout(Some(LONGEST));
        // Pods are asked seldom and come and go: idle connections to thousands of them would only be held.
        let mut builder = Client::builder(TokioExecutor::new());
        let client = builder.pool_max_idle_per_host(0).http1_max_buf_size(MOST_BUFFERED);
        let client = client.build(connector);
        Self { client, port, large: Semaphore::new(LARGE_AT_ONCE), kept: Mutex::default() }
    }

    /// What the pods of one side say now or said within the last 5 seconds, after 2 seconds at the latest. Who does not
    /// answer is left out, and who keeps others waiting is asked less often.
    pub async fn of(&self, pods: &[impl Borrow<Pod>]) -> Answers {
        let pods = pods.iter().map(Borrow::borrow).filter(|pod| !has_ended(pod));
        let pods = pods.filter_map(|pod| {
            let ip = pod.status.as_ref()?.pod_ip.clone()?;
            Some(Asked { uid: pod.metadata.uid.clone()?, ip })
        });
        let (heard, due) = self.known(pods);
        let round =
            Round { heard: Mutex::new(heard), large: Semaphore::new(1), begun: Instant::now() };
        let asks = due.into_iter().map(|pod| self.hear(pod, &round)).collect();
        ask_each(asks, round.begun).await;
        round.heard.into_inner().unwrap_or_else(PoisonError::into_inner).answers
    }

    /// Forgets the pods that are gone.
    pub fn retain(&self, exists: impl Fn(&str) -> bool) {
        self.lock().retain(exists);
    }

    /// What is known of these pods, and those that are to be asked: who was never asked, or long ago, comes first.
    fn known(&self, pods: impl Iterator<Item = Asked>) -> (OfSide, Vec<Asked>) {
        let (kept, now) = (self.lock(), Instant::now().into_std());
        let (mut known, mut due) = (OfSide::default(), Vec::new());
        for pod in pods {
            match kept.get(&pod.uid, now) {
                Some(heard) => drop(known.take(&pod.uid, heard)),
                None => due.push(pod),
            }
        }
        due.sort_by_key(|pod| kept.asked(&pod.uid));
        (known, due)
    }

    async fn hear(&self, pod: Asked, round: &Round) {
        let (at, asked_at) = (Instant::now(), Timestamp::now());
        let report = timeout_at(round.begun + LONGEST, self.ask(&pod.ip, &round.large)).await;
        let heard = match report.unwrap_or_else(|elapsed| Err(elapsed.into())) {
            Ok(report) => Heard::Answer(Answer { report: Arc::new(report), asked_at }),
            Err(error) => silence(&pod, &error, at),
        };
        let heard = locked(&round.heard).take(&pod.uid, heard);
        self.lock().note(&pod.uid, heard, at.into_std());
    }

    async fn ask(&self, ip: &str, large: &Semaphore) -> Result<Report, AskError> {
        let response = self.client.get(uri(ip, self.port)?).await?;
        if response.status() != StatusCode::OK {
            return Err(AskError::Status(response.status()));
        }
        let mut body = response.into_body();
        let (mut answer, mut permits) = (Vec::new(), None);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| AskError::Body(error.into()))?;
            let Ok(data) = frame.into_data() else { continue };
            if answer.len() + data.len() > MAX_BYTES {
                return Err(AskError::TooLong);
            }
            if answer.len() + data.len() > SMALL_BYTES && permits.is_none() {
                permits = Some((large.acquire().await, self.large.acquire().await));
            }
            answer.extend_from_slice(&data);
        }
        Ok(read(&answer)?)
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        locked(&self.kept)
    }
}

/// What was heard of the pods of one side.
#[derive(Default)]
struct OfSide {
    answers: Answers,
    /// The bytes of all of them.
    bytes: usize,
}

impl OfSide {
    /// Takes what was heard in, unless all of them together say more than can be.
    fn take(&mut self, uid: &str, heard: Heard) -> Heard {
        let bytes = self.bytes + heard.bytes();
        if bytes > MOST_OF_A_SIDE {
            return Heard::Nothing;
        }
        self.bytes = bytes;
        self.answers.extend(heard.clone().answer().map(|answer| (uid.to_owned(), answer)));
        heard
    }
}

/// What it means that there is no answer.
fn silence(pod: &Asked, error: &AskError, asked: Instant) -> Heard {
    let Asked { uid, ip } = pod;
    let error: &dyn std::error::Error = error;
    tracing::debug!(uid, ip, error, "a pod says nothing");
    // Whoever is asked late in a round has half of its time.
    if asked.elapsed() >= LONGEST / 2 { Heard::Silence } else { Heard::Nothing }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A socket address writes IPv6 with brackets.
fn uri(ip: &str, port: u16) -> Result<Uri, AskError> {
    let address: IpAddr = ip.parse().map_err(|_| AskError::Address(ip.to_owned()))?;
    let address = SocketAddr::new(address, port);
    format!("http://{address}/status").parse().map_err(|_| AskError::Address(ip.to_owned()))
}

#[cfg(test)]
mod tests;
