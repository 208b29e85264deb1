//! The poll thread: fetches, hands messages to workers, and commits what they reached. It never waits for a
//! sink, for memory or for dead letters (but for a moment, see `Session::balance`), so the group never takes it for dead.

use std::{cell::Cell, sync::Arc, time::Duration};

use batchpipe_api::{conditions::reasons, report::LastError};
use crossbeam_channel::{Receiver, Sender};
use rdkafka::{
    Message as _,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaError, RDKafkaErrorCode},
};

use super::{
    Config, ConsumeError, Division, Shared,
    assignment::{Assignments, Work},
    dead_letters::DeadLetters,
    fetched::Fetched,
    group::Context,
    leaving::Left,
    session::{End, Session},
    watch::{Watch, Watermarks},
    worker::{self, Desk, Notice, Stop},
};
use crate::{
    admin::Gate,
    budget::{Budget, Charge},
    decode::{Batch, Opener},
    kafka::{awaiting::Awaiting, outbox::Settings},
    sink::Sink,
};

/// How long one poll waits for a message.
const POLL_WAIT: Duration = Duration::from_millis(100);
/// How long to wait before joining anew.
const REJOIN_WAIT: Duration = Duration::from_secs(1);

/// A consumer with its workers.
pub(super) struct Consumer {
    config: Arc<Config>,
    division: Division,
    sink: Arc<dyn Sink>,
    shared: Shared,
    dead_letters: DeadLetters,
    /// Memory of messages that wait for a worker.
    queue: Arc<Budget>,
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
            DeadLetters::start(dead_letter_settings(&config, &division), Arc::clone(&shared.side));
        Self {
            config: Arc::new(config),
            division,
            sink,
            shared,
            dead_letters,
            queue,
            _reserved: reserved,
        }
    }

    /// Consumes until there is nothing more to do.
    pub(super) fn run(self) -> Result<(), ConsumeError> {
        let awaiting = Awaiting::existing(&self.config.cluster, &self.config.topic);
        let mut from_start = false;
        while awaiting.wait(&self.shared.side, &self.shared.shutdown).is_some() {
            let why = match self.session(std::mem::take(&mut from_start))? {
                End::Done => break,
                End::Rebuild(why) => why,
                End::TopicGone => {
                    // What was committed last may have gone into the new topic already.
                    from_start = true;
                    self.sink.topic_began_anew(&self.config.topic.name);
                    format!("topic {} is gone", self.config.topic.name)
                }
            };
            tracing::warn!("{why}; joining the group anew");
            let side = &self.shared.side;
            side.error(&why);
            side.gate(Gate::Group)
                .close(reasons::GROUP_NOT_JOINED, "the group is being joined anew");
            self.shared.shutdown.wait(REJOIN_WAIT);
        }
        Ok(())
    }

    fn session(&self, from_start: bool) -> Result<End, ConsumeError> {
        let (notices, inbox) = crossbeam_channel::unbounded();
        let (wake, woken) = crossbeam_channel::bounded(1);
        let watermarks = Arc::new(Watermarks::default());
        let (work, assigned): (Vec<_>, Vec<_>) =
            (0..self.division.workers).map(|_| crossbeam_channel::unbounded()).unzip();
        let assignments = Arc::new(Assignments::new(work));
        let side = Arc::clone(&self.shared.side);
        let context = Context::new(&self.config, Arc::clone(&assignments), side, wake);
        if from_start {
            context.begin_at_start();
        }
        let mut settings =
            self.config.cluster.consumer_config(&self.config.group, self.config.largest_value());
        settings.set("enable.partition.eof", "true");
        // What librdkafka says of metadata is the only way to learn that a topic is another one than before, and what
        // it says of the group the only one to learn whether commits can succeed and whether the group is left.
        settings.set("debug", "metadata,cgrp").set_log_level(RDKafkaLogLevel::Debug);
        let client: Arc<BaseConsumer<Context>> = Arc::new(settings.create_with_context(context)?);
        client.subscribe(&[&self.config.topic.name])?;
        for work in assigned {
            self.start_worker(work, &watermarks, &notices);
        }
        drop(notices);
        let watch = Watch {
            consumer: Arc::clone(&client),
            shared: self.shared.clone(),
            watermarks: Arc::clone(&watermarks),
            begins_anew: from_start,
        };
        let watch = std::thread::Builder::new()
            .name("watch".to_owned())
            .spawn(move || watch.run(&woken))
            .expect("the system can start a thread");
        let mut session = Session::new(client, watermarks, inbox, watch);
        let end = self.poll_all(&mut session);
        let left = session.leave(self.config.grace, !matches!(end, Ok(End::TopicGone)));
        if matches!(end, Ok(End::Done)) { self.check(left).map(|()| End::Done) } else { end }
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
        watermarks: &Arc<Watermarks>,
        notices: &Sender<Notice>,
    ) {
        let mut desk = Desk {
            config: Arc::clone(&self.config),
            shared: self.shared.clone(),
            dead_letters: self.dead_letters.clone(),
            sink: Arc::clone(&self.sink),
            watermarks: Arc::clone(watermarks),
            notices: notices.clone(),
            opener: Opener::new(),
            batch: Batch::default(),
            heartbeat: self.shared.side.heartbeat("worker"),
            stopped: Cell::new(false),
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

    fn poll_all(&self, session: &mut Session) -> Result<End, ConsumeError> {
        let heartbeat = self.shared.side.heartbeat("poll");
        let client = session.client();
        while !self.shared.shutdown.is_requested() {
            heartbeat.tick();
            let polled = client.poll(POLL_WAIT);
            if client.context().take_began_anew() {
                // librdkafka goes on where it was in the old topic, which would leave out what is before that.
                return Ok(End::TopicGone);
            }
            match polled {
                Some(Ok(message)) => {
                    session.flow();
                    self.shared.side.gate(Gate::Topic).open();
                    let copy = Fetched::copy(&message, self.config.largest_value(), &self.queue);
                    client.context().assignments.deliver(message.partition(), copy);
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    session.reach(partition);
                    self.shared.side.gate(Gate::Topic).open();
                }
                Some(Err(error)) => {
                    if let Some(end) = self.note_error(session, &error) {
                        return Ok(end);
                    }
                }
                None => {}
            }
            if let Some(end) = session.take_notices()? {
                return Ok(end);
            }
            session.balance(&self.queue);
            session.fetch_anew_when_refused();
            session.commit_when_due();
            let is_idle = self.queue.used() == 0;
            if self.config.catch_up.is_wanted() && session.is_caught_up(is_idle) {
                break;
            }
        }
        Ok(End::Done)
    }

    /// Deals with what librdkafka says instead of a message. Most of it passes by itself.
    fn note_error(&self, session: &mut Session, error: &KafkaError) -> Option<End> {
        use RDKafkaErrorCode as Code;
        let topic = &self.config.topic.name;
        match error.rdkafka_error_code() {
            Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownTopicId) => {
                Some(End::TopicGone)
            }
            Some(Code::Fatal) => Some(End::Rebuild(format!("the consumer failed: {error}"))),
            Some(Code::TopicAuthorizationFailed) => {
                session.refuse();
                self.complain(&format!(
                    "the broker does not authorize this client to read topic {topic}"
                ));
                None
            }
            Some(Code::GroupAuthorizationFailed) => {
                let group = &self.config.group;
                self.complain(&format!(
                    "the broker does not authorize this client to use group {group}"
                ));
                None
            }
            _ => {
                tracing::debug!(%error, "while polling");
                None
            }
        }
    }

    /// The brokers refuse something; librdkafka goes on asking.
    fn complain(&self, problem: &str) {
        let known = |error: LastError| error.message == problem;
        if !self.shared.side.last_error().is_some_and(known) {
            tracing::warn!("{problem}; grant it by an ACL");
        }
        self.shared.side.error(problem);
        self.shared.side.gate(Gate::Topic).close(reasons::AUTHORIZATION_FAILED, problem);
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
