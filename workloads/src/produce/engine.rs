//! The engine: batches chunks, sends them, and settles what the broker acknowledges. One loop in one thread.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use batchpipe_api::{conditions::reasons, envelope::Incarnation, reason::Reason};
use crossbeam_channel::{Receiver, RecvError, Sender};

use super::{
    Config, ProduceError, Shared,
    dead_letters::DeadLetters,
    outbox_settings,
    router::{Closed, Router},
    seal::{Debt, Sealed, Sealer},
    split::{Split, split},
};
use crate::{
    admin::Gate,
    budget::Charge,
    chunk::{Chunk, Records, Reject},
    clock::unix_ms,
    codec::Decoder,
    kafka::outbox::{Event, Health, Message, Outbox, Report, Reports},
};

/// The loop turns at least this often, to show that it lives and to look at the request to stop.
const TICK: Duration = Duration::from_millis(500);

/// What waits when dead letters do.
const DEAD_LETTERS: &str = "dead letters";

/// The part of the budget that empty batches may keep.
const KEPT: usize = 8;

/// Batches, sends, settles.
pub(super) struct Engine {
    shared: Shared,
    router: Router,
    sealer: Sealer,
    decoder: Decoder,
    outbox: Outbox<Sealed>,
    events: Vec<Event<Sealed>>,
    dead_letters: DeadLetters,
    /// What librdkafka's copies may take, for as long as the engine lives.
    _window: Charge,
    /// The memory of open batches.
    open: Charge,
    /// A chunk that came before the topic's partitions were known; the others wait, and the source with them.
    early: Option<Chunk>,
    grace: Duration,
    /// Set when a stop was asked for: until then acknowledgements are awaited.
    deadline: Option<Instant>,
}

impl Engine {
    pub(super) fn new(
        config: &Config,
        shared: Shared,
        incarnation: Incarnation,
    ) -> Result<Self, ProduceError> {
        let (window, letters) = config.windows(shared.share);
        let settings = outbox_settings(config, window);
        let mut dead_settings = settings.clone();
        dead_settings.topic = config.dead_letter.clone();
        dead_settings.window_bytes = letters;
        let budget = &shared.budget;
        let validated = config.rules.validate;
        let sealer =
            Sealer::new(config.codec, config.level, incarnation, validated, Arc::clone(budget))?;
        Ok(Self {
            router: Router::new(config.limits, shared.share / KEPT),
            sealer,
            decoder: Decoder::new(),
            outbox: Outbox::new(settings),
            events: Vec::new(),
            dead_letters: DeadLetters::new(
                dead_settings,
                config.topic.name.clone(),
                Arc::clone(budget),
            ),
            _window: budget.charge_now(window + letters),
            open: budget.charge_now(0),
            early: None,
            grace: config.grace,
            deadline: None,
            shared,
        })
    }

    /// Runs until all chunks are sent and acknowledged, or the grace period is over.
    pub(super) fn run(
        mut self,
        incoming: &Receiver<Chunk>,
        recycle: &Sender<Records>,
    ) -> Result<(), ProduceError> {
        let (acknowledged, dead) = (self.outbox.reports(), self.dead_letters.reports());
        let nothing = crossbeam_channel::never();
        let heartbeat = self.shared.side.heartbeat("engine");
        let mut all_read = false;
        loop {
            heartbeat.tick();
            let now = Instant::now();
            let again = self.pump(now)?;
            self.tell();
            if all_read && self.is_done() || self.is_out_of_time(now) {
                return Ok(());
            }
            if self.outbox.partitions().is_some()
                && let Some(chunk) = self.early.take()
            {
                self.take(chunk, recycle);
                if all_read {
                    self.close_all();
                }
                continue;
            }
            let chunks = if all_read || self.early.is_some() { &nothing } else { incoming };
            let wait = again.map_or(TICK, |at| at.saturating_duration_since(now).min(TICK));
            crossbeam_channel::select! {
                recv(acknowledged) -> report => self.settle(report, &acknowledged)?,
                recv(dead) -> report => self.settle_dead(report),
                recv(chunks) -> chunk => match chunk {
                    Ok(chunk) if self.outbox.partitions().is_none() => self.early = Some(chunk),
                    Ok(chunk) => self.take(chunk, recycle),
                    Err(_) => {
                        all_read = true;
                        self.close_all();
                    }
                },
                default(wait) => {}
            }
        }
    }

    /// Moves everything on that can move; says when to come back at the latest.
    fn pump(&mut self, now: Instant) -> Result<Option<Instant>, ProduceError> {
        self.with_closed(|router, closed| router.expire(now, closed));
        let mut again = self.outbox.pump(now, &mut self.events);
        if self.handle_events()? {
            again = Some(now); // something took the place of a refused message
        }
        let dead = self.dead_letters.pump(now, &self.shared.ledger);
        Ok([again, dead, self.router.deadline()].into_iter().flatten().min())
    }

    /// Whether all is sent. The topic is awaited also when there is nothing to send, because who idles
    /// afterwards says that it is ready; but not after a request to stop.
    fn is_done(&self) -> bool {
        let is_ended = self.outbox.partitions().is_some() || self.shared.shutdown.is_requested();
        is_ended
            && self.early.is_none()
            && self.router.is_empty()
            && self.outbox.is_empty()
            && self.dead_letters.is_empty()
    }

    fn is_out_of_time(&mut self, now: Instant) -> bool {
        if self.deadline.is_none() && self.shared.shutdown.is_requested() {
            self.deadline = Some(now + self.grace);
        }
        self.deadline.is_some_and(|deadline| deadline <= now)
    }

    /// Puts a chunk's records into batches and its rejects into the dead-letter topic.
    fn take(&mut self, mut chunk: Chunk, recycle: &Sender<Records>) {
        if let Some(partitions) = self.outbox.partitions() {
            self.router.set_partitions(partitions);
        }
        for reject in chunk.records.take_rejects() {
            self.dead_letters.push(reject, Debt::from(vec![chunk.share.another()]));
        }
        self.with_closed(|router, closed| router.route(&chunk, closed));
        self.open.resize(self.router.capacity());
        let Chunk { records, share, charge, .. } = chunk;
        share.settle();
        drop(charge);
        let _ = recycle.try_send(records); // only to use its memory again
    }

    fn close_all(&mut self) {
        self.with_closed(|router, closed| router.close_all(closed));
        self.open.resize(self.router.capacity());
    }

    /// Lets the router close batches, which are sealed and sent at once.
    fn with_closed(&mut self, work: impl FnOnce(&mut Router, &mut Closed<'_>)) {
        let Self { router, sealer, outbox, shared, .. } = self;
        work(router, &mut |partition, batch, reason| {
            shared.side.batch_closed(reason);
            outbox.push(partition, sealer.seal(partition, batch));
        });
    }

    fn settle(
        &mut self,
        first: Result<Report, RecvError>,
        more: &Reports,
    ) -> Result<(), ProduceError> {
        for report in first.into_iter().chain(more.try_iter()) {
            self.outbox.report(report, &mut self.events);
            self.handle_events()?;
        }
        Ok(())
    }

    fn settle_dead(&mut self, report: Result<Report, RecvError>) {
        if let Ok(report) = report {
            self.dead_letters.report(report, &self.shared.ledger);
        }
    }

    /// Deals with what happened to messages; true when there is more to send.
    fn handle_events(&mut self) -> Result<bool, ProduceError> {
        let mut more = false;
        for event in std::mem::take(&mut self.events) {
            match event {
                Event::Delivered(message) => self.deliver(message),
                Event::TooLarge { partition, message } => {
                    self.replace(partition, message)?;
                    more = true;
                }
            }
        }
        Ok(more)
    }

    fn deliver(&mut self, message: Message<Sealed>) {
        let Sealed { envelope, debt, .. } = message.token;
        if envelope.dead_lettered.is_none() {
            let age = unix_ms().saturating_sub(message.timestamp_ms).max(0).unsigned_abs();
            self.shared.side.latency(age, u64::from(envelope.records));
            self.shared.ledger.update(|counts| {
                counts.delivered += u64::from(envelope.records);
                counts.batches += 1;
                counts.raw_bytes += envelope.raw_bytes;
                counts.wire_bytes += message.value.len() as u64;
            });
        }
        debt.settle();
    }

    fn replace(&mut self, partition: u32, message: Message<Sealed>) -> Result<(), ProduceError> {
        if message.token.envelope.dead_lettered.is_some() {
            self.outbox.put_back(partition, message); // a marker is as small as a message can be
            return Ok(());
        }
        let parts =
            split(message, &mut self.sealer, &mut self.decoder).map_err(ProduceError::Unpack)?;
        match parts {
            Split::Halves(halves) => self.outbox.replace(partition, halves.into_iter()),
            Split::Record { marker, record, debt } => {
                let reject = Reject {
                    size: record.len() as u64,
                    bytes: record,
                    reason: Reason::RecordTooLarge,
                    place: None,
                };
                self.dead_letters.push(reject, debt);
                self.outbox.replace(partition, std::iter::once(marker));
            }
        }
        Ok(())
    }

    /// Tells the admin server how things are.
    fn tell(&self) {
        let side = &self.shared.side;
        let resent = self.outbox.resent() + self.dead_letters.resent();
        if resent > 0 {
            self.shared.ledger.update(|counts| counts.resent = resent);
        }
        let known = self.outbox.partitions().is_some();
        match self.outbox.health() {
            Health::Waiting(waiting) => waiting.tell(side),
            Health::Flowing if known => {
                side.gate(Gate::Configuration).open();
                side.gate(Gate::Brokers).open();
                side.gate(Gate::Topic).open();
            }
            Health::Flowing => {} // connecting
        }
        match self.dead_letters.health() {
            Health::Waiting(waiting) => {
                side.stalled_at(DEAD_LETTERS, reasons::DEAD_LETTER_UNAVAILABLE, &waiting.what);
            }
            Health::Flowing => _ = side.clear_stalled_at(DEAD_LETTERS),
        }
    }
}
