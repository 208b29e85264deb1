//! One request from its head to its answer.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crossbeam_channel::{Sender, TrySendError};
use http_body_util::Full;
use hyper::{
    Request, Response,
    body::{Body as _, Bytes, Incoming},
    header::{CONNECTION, EXPECT, HeaderValue},
    http::request::Parts,
};
use tokio::sync::oneshot;

use super::{
    body,
    head::{self, Head},
    limits::Limits,
    quota::Quota,
    records::Found,
    refusal::{Refusal, accepted},
    secrets::{Access, Secrets},
    workshop::{Job, Text},
};
use crate::shutdown::Shutdown;

/// A request whose records are checked and wait to be handed over.
pub(super) struct Waiting {
    pub(super) text: Text,
    pub(super) found: Found,
    /// Told when the broker has acknowledged all of them, or that none was sent; dropped when neither will be known.
    pub(super) settled: oneshot::Sender<Result<(), Refusal>>,
}

/// What all requests have in common.
pub(super) struct Desk {
    pub(super) limits: Limits,
    pub(super) quota: Arc<Quota>,
    pub(super) secrets: Arc<Secrets>,
    pub(super) shutdown: Shutdown,
    pub(super) jobs: Sender<Job>,
    pub(super) checked: Sender<Waiting>,
    /// Nothing more is taken.
    pub(super) is_closed: Arc<AtomicBool>,
}

impl Desk {
    /// Answers a request.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, mut body) = request.into_parts();
        let mut response = match self.take(&parts, &mut body).await {
            Ok(records) => accepted(records),
            Err(refusal) => {
                if is_worth_draining(&refusal, &parts, &body) {
                    body::drain(&mut body).await;
                }
                refusal.answer()
            }
        };
        if self.shutdown.is_requested() {
            // Whoever comes back is to be led to a process that stays.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    /// Takes a request in; how many records were acknowledged.
    async fn take(&self, parts: &Parts, body: &mut Incoming) -> Result<u64, Refusal> {
        head::check_target(parts)?;
        match self.secrets.access(head::token(&parts.headers)) {
            Access::Granted => {}
            Access::Refused => return Err(Refusal::Token),
            Access::Unknown => return Err(Refusal::NoToken),
        }
        self.check_open()?;
        let head = head::read(&parts.headers)?;
        let body = body::collect(body, &self.quota, &self.limits).await?;
        let (text, found) = self.check(head, body).await?;
        if found.records == 0 {
            return Ok(0);
        }
        self.hand_over(text, found).await
    }

    fn check_open(&self) -> Result<(), Refusal> {
        // Relaxed: whoever comes too late meets a queue that nobody empties any more.
        if self.is_closed.load(Ordering::Relaxed) { Err(Refusal::Stopping) } else { Ok(()) }
    }

    async fn check(&self, head: Head, body: Text) -> Result<(Text, Found), Refusal> {
        let (reply, answer) = oneshot::channel();
        self.jobs.try_send(Job { head, body, reply }).map_err(|error| unsent(&error))?;
        answer.await.unwrap_or(Err(Refusal::Stopping))
    }

    async fn hand_over(&self, text: Text, found: Found) -> Result<u64, Refusal> {
        let (settled, settling) = oneshot::channel();
        self.checked.try_send(Waiting { text, found, settled }).map_err(|error| unsent(&error))?;
        settling.await.unwrap_or(Err(Refusal::Unsettled))?;
        Ok(found.records)
    }
}

/// Whether the client may still be sending: whoever waits for permission has not begun to, and one that was given up
/// has had its time.
fn is_worth_draining(refusal: &Refusal, parts: &Parts, body: &Incoming) -> bool {
    let is_given_up = matches!(refusal, Refusal::Slow { .. } | Refusal::Body);
    !is_given_up && !body.is_end_stream() && !parts.headers.contains_key(EXPECT)
}

fn unsent<T>(error: &TrySendError<T>) -> Refusal {
    match error {
        TrySendError::Full(_) => Refusal::Busy,
        TrySendError::Disconnected(_) => Refusal::Stopping,
    }
}
