//! The poll thread: fetches, hands messages to workers, and commits what they reached. It never waits for a
//! sink, for memory or for dead letters (but for a moment, see `Session::balance`), so the group never takes it for dead.

use std::{
    cell::Cell,
    sync::Arc,
    time::{Duration, Instant},
};

use batchpipe_api::conditions::reasons;
use crossbeam_channel::{Receiver, Sender};
use rdkafka::{
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
};

use super::{
    Config, ConsumeError, Division, Shared,
    assignments::{Assignments, Work},
    dead_letters::DeadLetters,
    desk::Desk,
    group::Context,
    leaving::Left,
    session::{End, Session},
    watch::Watch,
    watermarks::Watermarks,
    worker::{self, Notice, Stop},
};
use crate::{
    admin::Gate,
    budget::{Budget, Charge},
    decode::{Batch, Opener},
    kafka::{
        access::complaint, awaiting::Awaiting, jump::log_went_back, outbox::Settings,
        renewal::Renewal, stranded::STRANDED,
    },
    sink::Sink,
};

/// How long one poll waits for a message.
const POLL_WAIT: Duration = Duration::from_millis(100);
/// How long to wait before joining anew.
const REJOIN_WAIT: Duration = Duration::from_secs(1);

/// A consumer with its workers.
pub(super) struct Consumer {
    pub(super) config: Arc<Config>,
    division: Division,
    sink: Arc<dyn Sink>,
    pub(super) shared: Shared,
    dead_letters: DeadLetters,
    /// How much of what the sink has sent again is counted.
    resent: Cell<u64>,
    /// Memory of messages that wait for a worker.
    pub(super) queue: Arc<Budget>,
    /// What librdkafka, the queue and the workers may take of the budget.
    _reserved: Charge,
}

impl Consumer {
    pub(super) fn new(
        config: Config,
        division: Division,
        sink: Arc<dyn Sink>,
        shared: Shared,
    ) -> Self {
        let reserved = shared.budget.charge_now(division.total(&config));
        let queue = Budget::new(division.queue);
        let dead_letters =
            DeadLetters::start(dead_letter_settings(&config, &division), shared.clone());
        Self {
            config: Arc::new(config),
            division,
            sink,
            shared,
            dead_letters,
            resent: Cell::new(0),
            queue,
            _reserved: reserved,
        }
    }

    /// Consumes until there is nothing more to do, or a stop is asked for.
    pub(super) fn run(self) -> Result<(), ConsumeError> {
        let awaiting = Awaiting::existing(&self.config.cluster, &self.config.topic);
        while awaiting.wait(&self.shared.side, &self.shared.shutdown).is_some() {
            let why = match self.session()? {
                End::Done => return Ok(()),
                End::Stopped => break,
                End::Renew => continue, // as in any rebalance, somebody else may get our partitions
                End::Rebuild(why) => why,
                // What was committed carries the id of the topic, so the next session knows whether it counts.
                End::TopicGone => format!("topic {} is gone", self.config.topic.name),
                End::WentBack(partition) => log_went_back(&self.config.topic.name, partition),
            };
            tracing::warn!("{why}; joining the group anew");
            let side = &self.shared.side;
            side.error(&why);
            side.gate(Gate::Group)
                .close(reasons::GROUP_NOT_JOINED, "the group is being joined anew");
            self.shared.shutdown.wait(REJOIN_WAIT);
        }
        if self.config.catch_up.is_required() { Err(ConsumeError::NotCaughtUp) } else { Ok(()) }
    }

    fn session(&self) -> Result<End, ConsumeError> {
        let (notices, inbox) = crossbeam_channel::unbounded();
        let (wake, woken) = crossbeam_channel::bounded(1);
        let watermarks = Arc::new(Watermarks::default());
        let (work, assigned): (Vec<_>, Vec<_>) =
            (0..self.division.workers).map(|_| crossbeam_channel::unbounded()).unzip();
        let assignments = Arc::new(Assignments::new(work));
        let side = Arc::clone(&self.shared.side);
        let keeps_offsets = self.sink.keeps_offsets();
        let context =
            Context::new(&self.config, keeps_offsets, Arc::clone(&assignments), side, wake);
        let Config { cluster, topic, group, .. } = self.config.as_ref();
        let access = match cluster.access() {
            Ok(access) => access,
            Err(error) => return Ok(End::Rebuild(error.to_string())),
        };
        let mut renewal = Renewal::new(cluster, &topic.name, access.revision());
        let mut settings = access.consumer_config(group, self.config.largest_value());
        settings.set("enable.partition.eof", "true");
        // What librdkafka says of metadata is the only way to learn that a topic is another one than before, and what
        // it says of the group the only one to learn whether commits can succeed and whether the group is left.
        settings.set("debug", "metadata,cgrp").set_log_level(RDKafkaLogLevel::Debug);
        let client: Arc<BaseConsumer<Context>> = match settings.create_with_context(context) {
            Ok(client) => Arc::new(client),
            // Others than those that were just found to work.
            Err(error) if access.has_credentials() => return Ok(End::Rebuild(complaint(&error))),
            Err(error) => return Err(error.into()),
        };
        client.subscribe(&[&topic.name])?;
        for work in assigned {
            self.start_worker(work, &client, &watermarks, &notices);
        }
        let watch = Watch {
            consumer: Arc::clone(&client),
            shared: self.shared.clone(),
            watermarks: Arc::clone(&watermarks),
            notices,
            config: Arc::clone(&self.config),
        };
        let watch = std::thread::Builder::new()
            .name("watch".to_owned())
            .spawn(move || watch.run(&woken))
            .expect("the system can start a thread");
        let mut session = Session::new(client, watermarks, inbox, watch);
        let end = self.poll_all(&mut session, &mut renewal);
        let left = session.leave(self.config.grace, !matches!(end, Ok(End::TopicGone)));
        self.tell_resent();
        match end? {
            end @ (End::Done | End::Stopped) => self.check(left).map(|()| end),
            end => Ok(end),
        }
    }

    /// Counts what the sink has sent again since this was last called.
    fn tell_resent(&self) {
        let resent = self.sink.resent();
        let more = resent - self.resent.replace(resent);
        if more > 0 {
            self.shared.ledger.update(|counts| counts.resent += more);
        }
    }

    /// Whoever asked for an end gets to know what the next run does again.
    fn check(&self, left: Left) -> Result<(), ConsumeError> {
        if !left.unfinished.is_empty() {
            return Err(ConsumeError::Unfinished(left.unfinished));
        }
        if !left.uncommitted.is_empty() {
            let group = self.config.group.clone();
            return Err(ConsumeError::Uncommitted { group, partitions: left.uncommitted });
        }
        Ok(())
    }

    fn start_worker(
        &self,
        work: Receiver<Work>,
        client: &Arc<BaseConsumer<Context>>,
        watermarks: &Arc<Watermarks>,
        notices: &Sender<Notice>,
    ) {
        let mut desk = Desk {
            config: Arc::clone(&self.config),
            shared: self.shared.clone(),
            dead_letters: self.dead_letters.clone(),
            sink: Arc::clone(&self.sink),
            watermarks: Arc::clone(watermarks),
            client: Arc::downgrade(client),
            notices: notices.clone(),
            opener: Opener::new(),
            batch: Batch::default(),
            heartbeat: self.shared.side.heartbeat("worker"),
            stopped: Cell::new(false),
            checked: Cell::new(None),
        };
        let alarm = Alarm(notices.clone());
        std::thread::Builder::new()
            .name("worker".to_owned())
            .spawn(move || {
                worker::run(&work, &mut desk);
                drop(alarm);
            })
            .expect("the system can start a thread");
    }

    fn poll_all(&self, session: &mut Session, renewal: &mut Renewal) -> Result<End, ConsumeError> {
        let heartbeat = self.shared.side.heartbeat("poll");
        let client = session.client();
        while !self.shared.shutdown.is_requested() {
            heartbeat.tick();
            let polled = client.poll(POLL_WAIT);
            if client.context().take_began_anew() {
                // librdkafka goes on where it was in the old topic, which would leave out what is before that.
                return Ok(End::TopicGone);
            }
            if let Some(why) = client.context().broken() {
                return Ok(End::Rebuild(why.to_owned()));
            }
            let end = match polled {
                Some(Ok(message)) => self.take(session, &message).err(),
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    self.reach(session, partition).err()
                }
                Some(Err(error)) => self.note_error(session, &error),
                None => None,
            };
            if let Some(end) = end {
                return Ok(end);
            }
            // Looked at before the notices: whoever stops in the middle of a message says so before the message is gone.
            let was_idle = self.queue.used() == 0;
            if let Some(end) = session.take_notices(&self.queue)? {
                return Ok(end);
            }
            session.balance(&self.queue);
            session.fetch_anew_when_refused();
            session.begin_anew_when_suspected();
            if session.commit_when_due() {
                self.tell_resent();
            }
            if renewal.is_due(Instant::now()) {
                return Ok(End::Renew);
            }
            if session.is_stranded(&self.config) {
                return Ok(End::Rebuild(STRANDED.to_owned()));
            }
            // And again behind them: one of them may have handed over something.
            let is_idle = was_idle && self.queue.used() == 0;
            if self.config.catch_up.is_wanted() && session.is_caught_up(is_idle) {
                return Ok(End::Done);
            }
        }
        Ok(End::Stopped)
    }
}

/// Tells the poll thread when a worker panics: what it had would otherwise just be missing.
struct Alarm(Sender<Notice>);

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.0.send(Notice::Fail(Stop::Thread("worker"))); // the poll thread may have gone first
        }
    }
}

fn dead_letter_settings(config: &Config, division: &Division) -> Settings {
    Settings {
        cluster: config.cluster.clone(),
        topic: config.dead_letter.clone(),
        transport: "none".to_owned(),
        max_message_bytes: config.largest_letter(),
        window_bytes: division.letters,
    }
}
