//! The outbox's connection: a librdkafka client that is made, taken down and made again.
//!
//! Making one asks the brokers for the topic first, and dropping one waits for its threads; both happen in
//! threads of their own, so that the outbox never blocks.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use batchpipe_api::conditions::reasons;
use crossbeam_channel::{Receiver, Sender, TryRecvError};
use rdkafka::{
    error::RDKafkaErrorCode,
    message::{Header, OwnedHeaders},
    producer::{BaseRecord, Producer, PurgeConfig},
};

use super::{
    Message, Report, Settings,
    connect::{Client, Connected, connect},
    context::Context,
    health::Health,
};
use crate::{
    backoff::Backoff,
    kafka::{log::Remark, renewal::Renewal, topics::TopicError, waiting::Waiting},
};

/// The first and the longest wait before a new client is made.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// The longest wait for files.
const SECRET_RETRY: Duration = Duration::from_secs(1);
/// How long a client that is taken down may wait for answers to requests that are on their way.
const INFLIGHT_PATIENCE: Duration = Duration::from_secs(10);
/// How long a limit that was learned is relied on.
const SIZE_PERIOD: Duration = Duration::from_mins(1);

/// What [`Link::open`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Linking {
    Open,
    /// It has just been opened: everything has to be handed over again.
    Opened,
    RetryAt(Instant),
}

enum State {
    Closed { retry_at: Option<Instant> },
    Opening(Receiver<Result<Connected, TopicError>>),
    Open(Client),
    Closing { client: Client, until: Option<Instant>, backoff: bool },
}

fn internal(what: &str) -> Waiting {
    Waiting { reason: reasons::INVALID_SPEC, what: what.to_owned() }
}

/// The connection of an outbox.
pub(super) struct Link {
    state: State,
    generation: u32,
    backoff: Backoff,
    problem: Option<Waiting>,
    health: Arc<Health>,
    /// When the topic was last looked at.
    looked: Option<Instant>,
    /// The topic's `max.message.bytes`, once a refusal made us ask.
    size_limit: Option<usize>,
    ask_size: bool,
    /// When the limit was last asked for again.
    sized: Option<Instant>,
    /// Watches over the credentials of the open client.
    renewal: Option<Renewal>,
}

impl Link {
    pub(super) fn new() -> Self {
        Self {
            state: State::Closed { retry_at: None },
            generation: 0,
            backoff: Backoff::new(BACKOFF.0, BACKOFF.1),
            problem: None,
            health: Arc::default(),
            looked: None,
            size_limit: None,
            ask_size: false,
            sized: None,
            renewal: None,
        }
    }

    pub(super) const fn generation(&self) -> u32 {
        self.generation
    }

    pub(super) fn partitions(&self) -> Option<u32> {
        Some(self.health.partitions()).filter(|partitions| *partitions > 0)
    }

    /// Looks at the topic if it is time; says when it is time again.
    pub(super) fn look(&mut self, now: Instant, settings: &Settings) -> Instant {
        let due = self.health.next_look(*self.looked.get_or_insert(now));
        let State::Open(client) = &self.state else { return due };
        if due > now {
            return due;
        }
        self.looked = Some(now);
        self.health.look(client.clone(), &settings.cluster, &settings.topic.name);
        self.health.next_look(now)
    }

    /// Why nothing can be sent, as far as the connection knows.
    pub(super) fn problem(&self) -> Option<Waiting> {
        if self.problem.is_some() {
            return self.problem.clone();
        }
        self.health.waiting()
    }

    pub(super) const fn is_closing(&self) -> bool {
        matches!(self.state, State::Closing { .. })
    }

    /// A message got through.
    pub(super) fn succeed(&mut self) {
        self.backoff.succeed(|| ());
    }

    /// Whether the limit was asked for so long ago that it is asked for again, by a new client, before anything is
    /// split or cut for it.
    pub(super) fn asks_size_again(&mut self, now: Instant) -> bool {
        if self.size_limit.is_none()
            || self.sized.is_some_and(|at| now.saturating_duration_since(at) < SIZE_PERIOD)
        {
            return false;
        }
        self.forget_size();
        self.sized = Some(now);
        self.close(false);
        true
    }

    /// What is known of the limit is not to be relied on.
    pub(super) const fn forget_size(&mut self) {
        self.ask_size = true;
        self.size_limit = None;
    }

    /// The broker refused a size: ask for the limit before the next client is made. When a message of so many
    /// bytes was alone, learn from it in case we may not ask.
    pub(super) fn refuse_size(&mut self, alone: Option<usize>) {
        self.ask_size = true;
        if let Some(limit) = alone.map(|bytes| bytes.saturating_sub(1)) {
            self.size_limit = Some(self.size_limit.map_or(limit, |known| known.min(limit)));
        }
    }

    /// Opens the connection, step by step.
    pub(super) fn open(
        &mut self,
        now: Instant,
        settings: &Settings,
        reports: &Sender<Report>,
    ) -> Linking {
        match &self.state {
            State::Open(_) => Linking::Open,
            State::Closing { .. } => Linking::RetryAt(now + BACKOFF.0),
            State::Closed { retry_at: Some(at) } if *at > now => Linking::RetryAt(*at),
            State::Closed { .. } => {
                self.start_opening(settings, reports);
                Linking::RetryAt(now + BACKOFF.1)
            }
            State::Opening(result) => match result.try_recv() {
                Err(TryRecvError::Empty) => Linking::RetryAt(now + BACKOFF.1),
                Err(TryRecvError::Disconnected) => {
                    self.fail(now, internal("the connecting thread died"))
                }
                Ok(Err(error)) => self.fail(now, (&error).into()),
                Ok(Ok(connected)) => {
                    self.install(connected, settings);
                    Linking::Opened
                }
            },
        }
    }

    fn install(&mut self, connected: Connected, settings: &Settings) {
        let Connected { client, partitions, revision } = connected;
        self.problem = None;
        self.health.set_partitions(partitions);
        self.health.set_up();
        self.renewal = Some(Renewal::new(&settings.cluster, &settings.topic.name, revision));
        self.state = State::Open(client);
    }

    /// Takes the client down when the credentials changed and the new ones work; the next one has them.
    pub(super) fn renew(&mut self, now: Instant) {
        if matches!(self.state, State::Open(_))
            && self.renewal.as_mut().is_some_and(|renewal| renewal.is_due(now))
        {
            self.close(false);
        }
    }

    fn fail(&mut self, now: Instant, problem: Waiting) -> Linking {
        if problem.is_news_after(self.problem.as_ref()) {
            tracing::warn!("{}; trying again", problem.what);
        }
        // Looking at files costs nothing.
        let is_local = problem.reason == reasons::SECRET_MISSING;
        self.problem = Some(problem);
        let wait = self.backoff.next_wait();
        let at = now + if is_local { wait.min(SECRET_RETRY) } else { wait };
        self.state = State::Closed { retry_at: Some(at) };
        Linking::RetryAt(at)
    }

    fn start_opening(&mut self, settings: &Settings, reports: &Sender<Report>) {
        self.generation = self.generation.wrapping_add(1);
        let context = Context {
            generation: self.generation,
            reports: reports.clone(),
            health: Arc::clone(&self.health),
            servers: settings.cluster.bootstrap_servers.clone(),
            remark: Remark::default(),
        };
        let (sender, receiver) = crossbeam_channel::bounded(1);
        let (settings, wake) = (settings.clone(), reports.clone());
        let ask = std::mem::take(&mut self.ask_size);
        let known = self.size_limit;
        std::thread::spawn(move || {
            let _ = sender.send(connect(&settings, known, ask, context));
            let _ = wake.send(Report::wake());
        });
        self.state = State::Opening(receiver);
    }

    /// Hands a message to librdkafka, which copies it.
    pub(super) fn send<T>(
        &self,
        partition: i32,
        number: u32,
        message: &Message<T>,
        topic: &str,
    ) -> Result<(), RDKafkaErrorCode> {
        let State::Open(client) = &self.state else { return Err(RDKafkaErrorCode::QueueFull) };
        let mut headers = OwnedHeaders::new_with_capacity(message.headers.len());
        for header in &message.headers {
            headers = headers.insert(Header { key: &header.name, value: header.value.as_deref() });
        }
        let mut record =
            BaseRecord::<'_, [u8], [u8], usize>::with_opaque_to(topic, number as usize)
                .partition(partition)
                .timestamp(message.timestamp_ms)
                .headers(headers)
                .payload(&message.value);
        record.key = message.key.as_deref();
        client
            .send(record)
            .map_err(|(error, _)| error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown))
    }

    /// Starts to take the client down. With `backoff` the next one is made only after a wait.
    pub(super) fn close(&mut self, backoff: bool) {
        match std::mem::replace(&mut self.state, State::Closed { retry_at: None }) {
            State::Open(client) => {
                // What waits inside would never be answered after a fatal error; these come back at once,
                // and certainly did not reach the broker.
                client.purge(PurgeConfig::default().queue());
                self.state = State::Closing { client, until: None, backoff };
            }
            State::Closing { client, until, backoff: before } => {
                self.state = State::Closing { client, until, backoff: before || backoff };
            }
            other => self.state = other,
        }
    }

    /// While closing: waits for `outstanding` reports, then gives the client up. Returns when to call again.
    pub(super) fn drain(&mut self, now: Instant, outstanding: usize) -> Instant {
        let State::Closing { client, until, backoff } = &mut self.state else { return now };
        if outstanding > 0 {
            let until = *until.get_or_insert(now + INFLIGHT_PATIENCE);
            if until <= now {
                client.purge(PurgeConfig::default().queue().inflight());
            }
            return until.max(now + Duration::from_secs(1));
        }
        let retry_at = if *backoff { Some(now + self.backoff.next_wait()) } else { None };
        self.drop_client(retry_at);
        retry_at.unwrap_or(now)
    }

    fn drop_client(&mut self, retry_at: Option<Instant>) {
        let state = std::mem::replace(&mut self.state, State::Closed { retry_at });
        // Joins librdkafka's threads.
        std::thread::spawn(move || drop(state));
    }
}
