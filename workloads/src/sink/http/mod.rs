//! The sink that sends records by HTTP: a request for each message, or several when it is large.
//!
//! A request that fails in a way that may pass is tried again, for ever or so many times; one that is refused for good
//! is narrowed down to the records at fault. What the receiver has taken of a message is not sent again, so a record
//! arrives twice only when an answer was lost or the message itself is delivered again.

mod access;
mod body;
mod bulk;
mod client;
mod codings;
mod plan;
mod request;
mod retry_after;
mod target;
mod tls;
mod verdict;
mod writer;

#[cfg(test)]
mod tests;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use batchpipe_api::spec::sink::{HttpFormat, HttpSink as Spec};
use http::uri::InvalidUri;

use self::{
    access::Access, body::Layout, client::Client, codings::Codings, target::Target,
    writer::HttpWriter,
};
use super::{Sink, WriteError, Writer, tenure::Tenure};

/// Sends records by HTTP.
#[derive(Debug)]
pub struct HttpSink(Arc<Endpoint>);

/// Why a sink cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The address cannot be used.
    #[error("cannot be used as an address")]
    Url(#[from] InvalidUri),
    /// Nobody can be trusted.
    #[error(
        "begins with https://, and this system has no certificate authorities; name one in spec.consumer.sink.http.tls"
    )]
    NoAuthorities,
}

/// A receiver and how to talk to it; the same for all partitions.
#[derive(Debug)]
struct Endpoint {
    target: Target,
    layout: Layout,
    /// Whether answers speak of each record.
    is_bulk: bool,
    /// How often a request is tried; 0: for ever.
    max_tries: u32,
    access: Access,
    client: Client,
    /// What the receiver may be sent as it came.
    codings: Codings,
    /// How many requests were sent again without knowing what had become of the first ones.
    resent: AtomicU64,
}

impl HttpSink {
    /// Nothing is connected to yet. Secrets are in folders of `secrets`; a request may take as long as `timeout`.
    pub fn new(spec: &Spec, secrets: PathBuf, timeout: Duration) -> Result<Self, HttpError> {
        let target = Target::parse(&spec.url)?;
        let access = Access::new(spec, &target, secrets)?;
        Ok(Self(Arc::new(Endpoint {
            target,
            layout: Layout::of(spec.format),
            is_bulk: spec.format == HttpFormat::ElasticBulk,
            max_tries: spec.max_attempts.unsigned_abs(),
            access,
            client: Client::new(timeout),
            codings: Codings::default(),
            resent: AtomicU64::new(0),
        })))
    }
}

impl Sink for HttpSink {
    fn name(&self) -> &'static str {
        "http"
    }

    fn open(&self, _: &str, _: Arc<dyn Tenure>) -> Result<Box<dyn Writer>, WriteError> {
        Ok(Box::new(HttpWriter::new(Arc::clone(&self.0))))
    }

    fn resent(&self) -> u64 {
        self.0.resent.load(Ordering::Relaxed)
    }

    fn check(&self) -> Result<(), WriteError> {
        self.0.access.present(Instant::now())?;
        Ok(())
    }
}
