//! Records by HTTP: each request is checked as a whole, handed over as lines, and answered when the broker has
//! acknowledged all of them.
//!
//! ```text
//! connection -> head -> body -> workshop (decompress, check) -> queue -> read() ... acknowledge() -> answer
//! ```
//!
//! A client that goes away before its records are handed over costs nothing; later they may be delivered.

mod array;
mod body;
mod connection;
mod desk;
mod handover;
mod head;
mod limits;
mod places;
mod quota;
mod records;
mod refusal;
mod secrets;
mod server;
mod stream;
#[cfg(test)]
mod tests;
mod workshop;

use std::{
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use self::{
    desk::Desk, handover::Handover, quota::Quota, records::Checks, secrets::Secrets,
    server::Server, workshop::Workshop,
};
pub use self::{limits::Limits, secrets::SecretOptions};
use super::{Block, Position, Read, Source, SourceError};
use crate::{chunk::Rules, produce::Shared};

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 1024;

/// What is listened to, and what is asked of requests.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// Where to listen; port 0 takes a free one.
    pub address: SocketAddr,
    /// What is asked of every record.
    pub rules: Rules,
    /// The largest record, in bytes.
    pub max_record_bytes: usize,
    /// The files of Secrets.
    pub secrets: SecretOptions,
    /// How long requests are still taken after a request to stop: whoever routes them here learns of it only then.
    pub farewell: Duration,
    /// Limits of the clients; by default they follow from the memory that is there.
    pub limits: Option<Limits>,
}

/// The source of a pipeline with `source.http`.
pub struct HttpSource {
    options: HttpOptions,
    /// Until the server has it.
    listener: Option<TcpListener>,
    address: SocketAddr,
    running: Option<Running>,
}

/// A source that has begun.
struct Running {
    handover: Handover,
    desk_closed: Arc<AtomicBool>,
    server: Server,
}

impl HttpSource {
    /// Listens; connections wait until the source begins.
    pub fn open(options: HttpOptions) -> Result<Self, SourceError> {
        let address = options.address;
        let failed = |source| SourceError::Listen { address, source };
        let listener = TcpListener::bind(address).map_err(failed)?;
        rustix::net::listen(&listener, BACKLOG).map_err(|error| failed(error.into()))?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { options, listener: Some(listener), address, running: None })
    }

    /// Where it listens.
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    fn limits(&self, share: usize) -> Limits {
        let HttpOptions { limits, max_record_bytes, secrets, .. } = &self.options;
        let is_encrypted = secrets.certificate.is_some();
        limits.unwrap_or_else(|| Limits::new(share, *max_record_bytes, is_encrypted))
    }
}

impl Source for HttpSource {
    fn begin(&mut self, shared: &Shared) -> Result<(), SourceError> {
        let Some(listener) = self.listener.take() else { return Ok(()) };
        let limits = self.limits(shared.share);
        let checks = Checks {
            rules: self.options.rules.clone(),
            max_record_bytes: self.options.max_record_bytes,
        };
        // Each connection has one request at a time.
        let (jobs, job) = crossbeam_channel::bounded(limits.connections);
        let (sender, checked) = crossbeam_channel::bounded(limits.connections);
        let charge = shared.budget.charge_now(limits.body_bytes);
        let workshop = Workshop::new(checks, limits.body_bytes, charge);
        let side = Arc::clone(&shared.side);
        thread::Builder::new()
            .name("http-workshop".to_owned())
            .spawn(move || workshop.run(&job, &side))
            .map_err(SourceError::Serve)?;
        let desk_closed = Arc::new(AtomicBool::new(false));
        let desk = Desk {
            limits,
            quota: Quota::new(Arc::clone(&shared.budget), limits.held_bytes),
            secrets: Secrets::open(self.options.secrets.clone(), Arc::clone(&shared.side)),
            shutdown: shared.shutdown.clone(),
            jobs,
            checked: sender,
            is_closed: Arc::clone(&desk_closed),
        };
        let (budget, side) = (Arc::clone(&shared.budget), Arc::clone(&shared.side));
        let server = Server::start(listener, desk, budget, side).map_err(SourceError::Serve)?;
        tracing::info!(address = %self.address, "the HTTP source listens");
        let handover = Handover::new(checked, Arc::clone(&shared.ledger));
        self.running = Some(Running { handover, desk_closed, server });
        Ok(())
    }

    fn read(&mut self, block: &mut Block, wait: Duration) -> Result<Read, SourceError> {
        let Some(running) = &mut self.running else { return Ok(Read::End) };
        running.handover.fill(block, wait)
    }

    fn acknowledge(&mut self, position: Position) -> Result<(), SourceError> {
        if let Some(running) = &mut self.running {
            running.handover.settle(position);
        }
        Ok(())
    }

    fn close(&mut self) {
        if let Some(running) = &mut self.running {
            running.desk_closed.store(true, Ordering::Relaxed);
            running.handover.close();
        }
    }

    fn finish(&mut self) -> Result<(), SourceError> {
        self.close();
        if let Some(Running { handover, server, .. }) = self.running.take() {
            drop(handover);
            drop(server); // when the last answers are written
        }
        Ok(())
    }

    fn after_stop(&self) -> Duration {
        self.options.farewell
    }

    fn memory(&self, share: usize) -> usize {
        self.limits(share).memory()
    }
}
