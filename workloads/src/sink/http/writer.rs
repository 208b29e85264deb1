//! One partition's way to the receiver. Each call sends one request or takes one answer, and lasts a moment at most, so
//! whoever calls can stop at any time; what of a message is done is kept between calls.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::StatusCode;

use super::{
    Endpoint, body, bulk,
    client::{Answer, InFlight},
    plan::Plan,
    request::{self, Body},
    verdict::{Verdict, advice},
};
use crate::{
    secrets::SecretError,
    sink::{Delivery, Durable, WriteError, Writer},
};

/// How long a call may take.
const LOOK: Duration = Duration::from_millis(100);
/// The most that is read of an answer to a bulk request, in bytes: never more than the first, otherwise the second, and
/// the third for each record, beside twice what was sent, because errors quote records.
const MOST_ANSWER: (usize, usize, usize) = (8 * 1024 * 1024, 64 * 1024, 512);
/// Requests do not become smaller than this, in bytes, because a receiver called one too large or gave no answer.
const LEAST_BYTES: usize = 16 * 1024;

/// Sends one partition's messages.
#[derive(Debug)]
pub(super) struct HttpWriter {
    endpoint: Arc<Endpoint>,
    /// The most that a request carries, in bytes; less than at first when the receiver has called one too large.
    most_bytes: usize,
    work: Option<Work>,
}

/// Whether the message was sent as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packed {
    Never,
    /// By the last request.
    Last,
    /// By one before that.
    Earlier,
}

/// The message at hand.
#[derive(Debug)]
struct Work {
    offset: i64,
    plan: Plan,
    in_flight: Option<InFlight>,
    packed: Packed,
    /// What the last request carried, in bytes.
    sent_bytes: usize,
    /// Whether nobody knows what became of it.
    is_unknown: bool,
    /// Whether the receiver called it too large.
    is_too_large: bool,
    /// Why the last record was refused.
    why: String,
}

impl HttpWriter {
    pub(super) const fn new(endpoint: Arc<Endpoint>) -> Self {
        Self { endpoint, most_bytes: body::MOST_BYTES, work: None }
    }

    /// The message's state, from earlier calls if there were any.
    fn take_work(&mut self, delivery: &Delivery<'_>) -> Work {
        match self.work.take() {
            Some(work) if work.offset == delivery.offset => work,
            _ => Work {
                offset: delivery.offset,
                plan: Plan::new(delivery, &self.endpoint.layout, self.most_bytes),
                in_flight: None,
                packed: Packed::Never,
                sent_bytes: 0,
                is_unknown: false,
                is_too_large: false,
                why: String::new(),
            },
        }
    }
}

impl Writer for HttpWriter {
    fn write(&mut self, delivery: &Delivery<'_>, now: Instant) -> Result<Durable, WriteError> {
        let mut work = self.take_work(delivery);
        let advanced = work.advance(&self.endpoint, delivery, now);
        if std::mem::take(&mut work.is_too_large) {
            self.most_bytes = self.most_bytes.min((work.sent_bytes / 2).max(LEAST_BYTES));
        }
        let outcome = advanced.and_then(|()| work.outcome());
        if outcome.is_err() {
            self.work = Some(work);
        }
        outcome
    }
}

impl Work {
    /// Sends what is next, or takes the answer to it.
    fn advance(
        &mut self,
        endpoint: &Endpoint,
        delivery: &Delivery<'_>,
        now: Instant,
    ) -> Result<(), WriteError> {
        if self.plan.is_sent() {
            return Ok(());
        }
        let in_flight = match self.in_flight.take() {
            Some(in_flight) => in_flight,
            None => self.send(endpoint, delivery, now)?,
        };
        if let Some(answer) = in_flight.wait(LOOK) {
            self.take(answer, endpoint)
        } else {
            self.in_flight = Some(in_flight);
            Err(WriteError::Unfinished { progress: false })
        }
    }

    fn send(
        &mut self,
        endpoint: &Endpoint,
        delivery: &Delivery<'_>,
        now: Instant,
    ) -> Result<InFlight, SecretError> {
        let presented = endpoint.access.present(now)?;
        let body = match self.pack(endpoint, delivery) {
            Some(body) => body,
            None => Body {
                bytes: endpoint.layout.build(delivery.text, self.plan.next_request()),
                content_type: endpoint.layout.content_type,
                coding: None,
            },
        };
        if body.coding.is_some() {
            self.packed = Packed::Last;
        } else if self.packed == Packed::Last {
            self.packed = Packed::Earlier;
        }
        self.sent_bytes = body.bytes.len();
        if std::mem::take(&mut self.is_unknown) {
            endpoint.resent.fetch_add(1, Ordering::Relaxed);
        }
        let most_answer = if endpoint.is_bulk { self.most_answer() } else { 0 };
        let request = request::build(&endpoint.target, &presented, body);
        Ok(endpoint.client.send(request, &presented.trust, most_answer))
    }

    /// The message as it came, if the receiver has said that it accepts that: tried once, so that whatever a receiver
    /// makes of it, its records go their usual way then.
    fn pack(&mut self, endpoint: &Endpoint, delivery: &Delivery<'_>) -> Option<Body> {
        if self.packed != Packed::Never || !endpoint.layout.is_batch || !self.plan.is_untouched() {
            return None;
        }
        let packed = delivery.packed?;
        let coding = endpoint.codings.name(packed.codec)?;
        let content_type = endpoint.layout.content_type;
        Some(Body {
            bytes: Bytes::copy_from_slice(packed.value),
            content_type,
            coding: Some(coding),
        })
    }

    fn most_answer(&self) -> usize {
        let (most, start, each) = MOST_ANSWER;
        most.min(start + each * self.plan.next_request().count() + 2 * self.sent_bytes)
    }

    fn take(&mut self, answer: Answer, endpoint: &Endpoint) -> Result<(), WriteError> {
        let (status, retry_after, body) = match answer {
            Answer::Status { status, retry_after, codings, body } => {
                if let Some(named) = codings {
                    endpoint.codings.learn(named);
                }
                (status, retry_after, body)
            }
            Answer::TooLong => {
                self.is_unknown = true;
                if self.plan.halve() {
                    return Ok(());
                }
                return self.postpone(endpoint, "gave an answer that is too long", None);
            }
            Answer::Unreachable(problem) => return self.postpone(endpoint, &problem, None),
            Answer::Failed(problem) => {
                self.is_unknown = true;
                return self.doubt_size(endpoint, &problem);
            }
        };
        if self.packed == Packed::Last && doubts_coding(status, endpoint) {
            return Ok(());
        }
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            endpoint.access.doubt();
        }
        match Verdict::on_request(status) {
            Verdict::Delivered if endpoint.is_bulk => self.judge(endpoint, &body, retry_after),
            Verdict::Delivered => {
                self.plan.deliver();
                Ok(())
            }
            Verdict::Refused => {
                self.why = format!("{} answered {status}", endpoint.target);
                self.is_too_large = status == StatusCode::PAYLOAD_TOO_LARGE;
                self.plan.refuse();
                Ok(())
            }
            Verdict::Later => {
                let problem = format!("answered {status}{}", advice(status));
                self.postpone(endpoint, &problem, retry_after)
            }
        }
    }

    /// Takes the answer to a bulk request, which speaks of each record.
    fn judge(
        &mut self,
        endpoint: &Endpoint,
        body: &Bytes,
        retry_after: Option<Duration>,
    ) -> Result<(), WriteError> {
        let sent = self.plan.next_request().count();
        let verdicts = match bulk::parse(body, sent) {
            Ok(Some(verdicts)) => verdicts,
            Ok(None) => {
                self.plan.deliver();
                return Ok(());
            }
            Err(problem) => {
                self.is_unknown = true;
                return self.postpone(endpoint, &problem.to_string(), None);
            }
        };
        if verdicts.contains(&Verdict::Refused) {
            self.why = format!("{} refused single records of a bulk request", endpoint.target);
        }
        if self.plan.judge(&verdicts) {
            let left = self.plan.next_request().count();
            let problem = format!("did not take {left} of {sent} records of a bulk request");
            return self.postpone(endpoint, &problem, retry_after);
        }
        Ok(())
    }

    /// Why there was no answer cannot be known. A receiver may refuse what is too large for it by closing the connection
    /// before it has read all, which destroys what it says; or it may need longer than it is given: half as much may pass.
    fn doubt_size(&mut self, endpoint: &Endpoint, problem: &str) -> Result<(), WriteError> {
        let outcome = self.postpone(endpoint, problem, None);
        if outcome.is_err() && self.sent_bytes > LEAST_BYTES {
            self.plan.halve();
        }
        outcome
    }

    /// The last request is tried again later, unless that was its last try.
    fn postpone(
        &mut self,
        endpoint: &Endpoint,
        problem: &str,
        retry_after: Option<Duration>,
    ) -> Result<(), WriteError> {
        let what = format!("{} {problem}", endpoint.target);
        if self.plan.fail(endpoint.max_tries) {
            return Err(WriteError::Unavailable { what, retry_after });
        }
        self.why = format!("{what}, at try {0} of {0}", endpoint.max_tries);
        Ok(())
    }

    /// What to say of the message. Refused records come last: before, nobody need wait for them.
    fn outcome(&mut self) -> Result<Durable, WriteError> {
        if !self.plan.is_sent() {
            return Err(WriteError::Unfinished { progress: true });
        }
        let records = self.plan.take_refused();
        if records.is_empty() {
            return Ok(Durable::All);
        }
        Err(WriteError::Refused { records, why: self.why.clone() })
    }
}

/// Whether a receiver may have refused the coding rather than the records: they are sent again without it, at once.
fn doubts_coding(status: StatusCode, endpoint: &Endpoint) -> bool {
    let is_coding = status == StatusCode::UNSUPPORTED_MEDIA_TYPE;
    if is_coding {
        endpoint.codings.close();
    }
    is_coding || Verdict::on_request(status) == Verdict::Refused
}
