//! The elector and a Lease in this process, whose answers come late or not at all.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::Method;
use kube::client::Body;
use serde_json::{Value, json};

use super::*;
use crate::lease::Timing;

const TIMING: Timing = Timing {
    duration: Duration::from_secs(15),
    renew_deadline: Duration::from_secs(1),
    retry: Duration::from_millis(10),
};

/// An API server that has one Lease.
#[derive(Clone, Default)]
struct Server(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    lease: Option<Lease>,
    version: u64,
    /// When each write came.
    writes: Vec<Instant>,
    /// How long the answer to a write takes; absent: it never comes.
    delay: Option<Duration>,
}

impl Server {
    fn new(delay: Option<Duration>) -> Self {
        let server = Self::default();
        server.set_delay(delay);
        server
    }

    fn set_delay(&self, delay: Option<Duration>) {
        self.0.lock().unwrap().delay = delay;
    }

    fn writes(&self) -> Vec<Instant> {
        self.0.lock().unwrap().writes.clone()
    }

    /// Somebody writes another name into the Lease.
    fn hand_to(&self, holder: &str) {
        let mut state = self.0.lock().unwrap();
        let mut lease = state.lease.clone().unwrap();
        lease.spec.as_mut().unwrap().holder_identity = Some(holder.to_owned());
        state.keep(lease);
    }

    fn elector(&self, identity: &str) -> Elector {
        let server = self.clone();
        let service = tower::service_fn(move |request| server.clone().answer(request));
        let settings = Settings {
            namespace: "system".to_owned(),
            name: "lease".to_owned(),
            identity: identity.to_owned(),
            timing: TIMING,
        };
        Elector::new(Client::new(service, "default"), settings, Leadership::default())
    }

    async fn answer(
        self,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, Infallible> {
        let (method, arrived) = (request.method().clone(), Instant::now());
        let sent = request.into_body().collect_bytes().await.unwrap();
        let (code, body) = self.0.lock().unwrap().handle(&method, &sent, arrived);
        let delay = self.0.lock().unwrap().delay;
        if method != Method::GET {
            tokio::time::sleep(delay.unwrap_or(Duration::MAX)).await;
        }
        let body = Body::from(body.to_string().into_bytes());
        Ok(http::Response::builder().status(code).body(body).unwrap())
    }
}

impl State {
    fn handle(&mut self, method: &Method, sent: &[u8], arrived: Instant) -> (u16, Value) {
        if method != Method::GET {
            self.writes.push(arrived);
        }
        let version = self.lease.as_ref().and_then(|it| it.metadata.resource_version.clone());
        if method == Method::GET && version.is_none() {
            return refusal(404);
        }
        if method != Method::GET {
            let lease: Lease = serde_json::from_slice(sent).unwrap();
            if lease.metadata.resource_version != version {
                return refusal(409);
            }
            self.keep(lease);
        }
        (200, json!(self.lease))
    }

    fn keep(&mut self, mut lease: Lease) {
        self.version += 1;
        lease.metadata.resource_version = Some(self.version.to_string());
        self.lease = Some(lease);
    }
}

fn refusal(code: u16) -> (u16, Value) {
    let reason = if code == 404 { "NotFound" } else { "Conflict" };
    (code, json!({"kind": "Status", "status": "Failure", "reason": reason, "code": code}))
}

fn leads(elector: &Elector) -> bool {
    elector.leadership.is_leader(Instant::now())
}

#[tokio::test]
async fn a_term_begins_before_its_request_is_sent_however_long_the_answer_takes() {
    let server = Server::new(Some(Duration::from_millis(100)));
    let mut elector = server.elector("me");
    elector.attempt().await;
    elector.attempt().await;
    let (writes, term) = (server.writes(), elector.leadership.term(Instant::now()).unwrap());
    assert_eq!(writes.len(), 2, "taken and renewed");
    assert!(term.ends <= writes[1] + TIMING.duration);
}

#[tokio::test]
async fn a_lease_that_was_taken_without_hearing_of_it_is_ours() {
    let server = Server::new(None);
    let mut elector = server.elector("me");
    elector.attempt().await;
    assert!(!leads(&elector));
    server.set_delay(Some(Duration::ZERO));
    elector.attempt().await;
    assert!(leads(&elector));
    assert_eq!(server.writes().len(), 2);
}

#[tokio::test]
async fn a_lease_that_somebody_hands_to_us_is_not_renewed() {
    let server = Server::new(Some(Duration::ZERO));
    let (mut first, mut second) = (server.elector("first"), server.elector("second"));
    first.attempt().await;
    second.attempt().await;
    server.hand_to("second");
    second.attempt().await;
    assert!(leads(&first) && !leads(&second));
    assert_eq!(server.writes().len(), 1);
    // The first learns of it with its next renewal, and waits as well.
    first.attempt().await;
    first.attempt().await;
    assert!(!leads(&first));
    server.hand_to("first");
    first.attempt().await;
    assert!(!leads(&first), "a name is no proof");
}
