//! The poll thread: fetches, hands messages to workers, and commits what they reached. It never waits for a
//! sink, for memory or for dead letters (but for a moment, see [`ROOM_WAIT`]), so the group never takes it for dead.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use batchpipe_api::conditions::reasons;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use rdkafka::{
    Message as _, Offset,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
    error::{KafkaError, RDKafkaErrorCode},
};

use super::{
    Config, ConsumeError, Division, Shared,
    assignment::{Assignments, Work},
    dead_letters::DeadLetters,
    fetched::Fetched,
    group::{Context, commit},
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
/// How long the workers may take to make room before fetching is paused. A pause throws away what was fetched
/// ahead, so it is for sinks that wait, not for workers that are merely busy: fetching again and again cost 26 % of
/// consuming three million records.
const ROOM_WAIT: Duration = Duration::from_millis(100);
/// How often offsets are committed.
const COMMIT_PERIOD: Duration = Duration::from_secs(1);
/// How long leaving the group may take; a coordinator that is away is not waited for.
const LEAVE_PATIENCE: Duration = Duration::from_secs(5);

/// The most that waits in librdkafka for the dead-letter topic, in bytes.
const DEAD_LETTER_WINDOW: usize = 4 * 1024 * 1024;

/// Where a partition ended when somebody wanted to know.
#[derive(Clone, Copy, Debug)]
enum Target {
    /// The answer with this number will tell.
    Asked(u64),
    /// At this offset. What stands before it may be no message (the end of a transaction, say); then having
    /// seen the end of the partition counts, when nothing has come until the answer with this number.
    End(i64, u64),
}

/// Why the poll loop ended.
enum End {
    /// Everything that was asked for is done, or a stop was asked for.
    Done,
    /// The client has to be made anew.
    Rebuild(String),
}

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

/// One client, from joining the group to leaving it.
struct Session {
    client: Arc<BaseConsumer<Context>>,
    assignments: Arc<Assignments>,
    watermarks: Arc<Watermarks>,
    notices: Receiver<Notice>,
    paused: bool,
    seen_changes: u64,
    committed_at: Instant,
    /// How far each partition has to come before we are caught up.
    targets: BTreeMap<i32, Target>,
    /// Partitions whose end was reached at least once.
    reached: BTreeSet<i32>,
    watch: JoinHandle<()>,
}

impl Consumer {
    pub(super) fn new(
        config: Config,
        division: Division,
        sink: Arc<dyn Sink>,
        shared: Shared,
    ) -> Self {
        let buffers = division.workers * config.limits.max_bytes;
        let reserved = shared.budget.charge_now(division.fetch + division.queue + buffers);
        let queue = Budget::new(division.queue);
        let dead_letters =
            DeadLetters::start(dead_letter_settings(&config), Arc::clone(&shared.side));
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
        while awaiting.wait(&self.shared.side, &self.shared.shutdown).is_some() {
            match self.session()? {
                End::Done => break,
                End::Rebuild(why) => {
                    tracing::warn!("{why}; joining the group anew");
                    self.shared.side.error(&why);
                    self.shared
                        .side
                        .gate(Gate::Group)
                        .close(reasons::GROUP_NOT_JOINED, "the group is being joined anew");
                    self.shared.shutdown.wait(Duration::from_secs(1));
                }
            }
        }
        Ok(())
    }

    fn session(&self) -> Result<End, ConsumeError> {
        let (notices, inbox) = crossbeam_channel::unbounded();
        let (wake, woken) = crossbeam_channel::bounded(1);
        let watermarks = Arc::new(Watermarks::default());
        let (work, assigned): (Vec<_>, Vec<_>) =
            (0..self.division.workers).map(|_| crossbeam_channel::unbounded()).unzip();
        let assignments = Arc::new(Assignments::new(work));
        let topic = self.config.topic.name.clone();
        let context =
            Context::new(topic, Arc::clone(&assignments), Arc::clone(&self.shared.side), wake);
        let mut settings =
            self.config.cluster.consumer_config(&self.config.group, self.division.fetch);
        settings.set("enable.partition.eof", "true");
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
        };
        let watch = std::thread::Builder::new()
            .name("watch".to_owned())
            .spawn(move || watch.run(&woken))
            .expect("the system can start a thread");
        let mut session = Session {
            client,
            assignments,
            watermarks,
            notices: inbox,
            paused: false,
            seen_changes: 0,
            committed_at: Instant::now(),
            targets: BTreeMap::new(),
            reached: BTreeSet::new(),
            watch,
        };
        let end = self.poll_all(&mut session);
        self.leave(session);
        end
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
        std::thread::Builder::new()
            .name("worker".to_owned())
            .spawn(move || worker::run(&work, &mut desk))
            .expect("the system can start a thread");
    }

    fn poll_all(&self, session: &mut Session) -> Result<End, ConsumeError> {
        let heartbeat = self.shared.side.heartbeat("poll");
        while !self.shared.shutdown.is_requested() {
            heartbeat.tick();
            match session.client.poll(POLL_WAIT) {
                Some(Ok(message)) => {
                    self.shared.side.gate(Gate::Topic).open();
                    let copy = Fetched::copy(&message, &self.queue);
                    session.assignments.deliver(message.partition(), copy);
                }
                Some(Err(error)) => {
                    if let Some(end) = self.note_error(&mut session.reached, &error) {
                        return Ok(end);
                    }
                }
                None => {}
            }
            while let Ok(notice) = session.notices.try_recv() {
                if let Some(end) = session.note(&self.config.topic.name, notice)? {
                    return Ok(end);
                }
            }
            session.balance(&self.queue);
            session.commit_when_due(&self.config.topic.name);
            let is_wanted = self.config.catch_up.is_wanted();
            if is_wanted && session.is_caught_up() && self.queue.used() == 0 {
                break;
            }
        }
        Ok(End::Done)
    }

    /// Deals with what librdkafka says instead of a message. Most of it passes by itself.
    fn note_error(&self, reached: &mut BTreeSet<i32>, error: &KafkaError) -> Option<End> {
        use RDKafkaErrorCode as Code;
        let topic = &self.config.topic.name;
        if let KafkaError::PartitionEOF(partition) = error {
            reached.insert(*partition);
            return None;
        }
        match error.rdkafka_error_code() {
            Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownTopicId) => {
                Some(End::Rebuild(format!("topic {topic} is gone")))
            }
            Some(Code::Fatal) => Some(End::Rebuild(format!("the consumer failed: {error}"))),
            Some(Code::TopicAuthorizationFailed) => {
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
        tracing::warn!("{problem}; grant it by an ACL");
        self.shared.side.error(problem);
        self.shared.side.gate(Gate::Topic).close(reasons::AUTHORIZATION_FAILED, problem);
    }

    /// Ends a session: what is being delivered is finished, what was reached is committed, the group is left.
    fn leave(&self, session: Session) {
        let Session { client, assignments, watch, .. } = session;
        client.context().end();
        let partitions: Vec<_> =
            assignments.all().iter().map(|assigned| assigned.partition).collect();
        let left = assignments.finish(&partitions, Instant::now() + self.config.grace);
        let topic = self.config.topic.name.clone();
        let (leaving, gone) = crossbeam_channel::bounded::<()>(0);
        // Committing and leaving wait for the coordinator, which may be away.
        std::thread::spawn(move || {
            if !client.assignment_lost() {
                commit(&client, &topic, &left, CommitMode::Sync);
            }
            let _ = watch.join(); // it holds the client too
            drop(client);
            drop(leaving);
        });
        if gone.recv_timeout(LEAVE_PATIENCE) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("the group's coordinator does not answer; leaving without it");
        }
    }
}

impl Session {
    /// Deals with what a worker says.
    fn note(&mut self, topic: &str, notice: Notice) -> Result<Option<End>, ConsumeError> {
        match notice {
            Notice::LimitReached => Ok(Some(End::Done)),
            Notice::Fail(Stop::Sink(error)) => Err(ConsumeError::Sink(error)),
            Notice::Fail(Stop::Thread(name)) => Err(ConsumeError::Thread(name)),
            Notice::Fail(stop) => Ok(Some(End::Rebuild(stop.to_string()))),
            Notice::Rewind(assigned, offset) => {
                let current = self.assignments.get(assigned.partition);
                if !current.is_some_and(|current| Arc::ptr_eq(&current, &assigned)) {
                    return Ok(None); // given back meanwhile
                }
                self.assignments.add(assigned.partition);
                let sought = self.client.seek(
                    topic,
                    assigned.partition,
                    Offset::Offset(offset),
                    Duration::from_secs(5),
                );
                let rebuild =
                    |error| End::Rebuild(format!("cannot go back to offset {offset}: {error}"));
                Ok(sought.err().map(rebuild))
            }
        }
    }

    /// Pauses fetching while too much waits for the workers.
    fn balance(&mut self, queue: &Arc<Budget>) {
        let changes = self.client.context().changes();
        let is_changed = std::mem::replace(&mut self.seen_changes, changes) != changes;
        let wanted = if self.paused {
            queue.used() > queue.limit() / 2
        } else {
            queue.used() > queue.limit() && queue.charge(queue.limit() / 2, ROOM_WAIT).is_none()
        };
        if wanted == self.paused && !(self.paused && is_changed) {
            return;
        }
        let outcome = self.client.assignment().and_then(|all| {
            if wanted { self.client.pause(&all) } else { self.client.resume(&all) }
        });
        match outcome {
            Ok(()) => self.paused = wanted,
            Err(error) => tracing::debug!(%error, "cannot pause or resume; trying again"),
        }
    }

    fn commit_when_due(&mut self, topic: &str) {
        if self.committed_at.elapsed() >= COMMIT_PERIOD {
            self.committed_at = Instant::now();
            commit(&self.client, topic, &self.assignments.all(), CommitMode::Async);
        }
    }

    /// Whether every partition has passed the end that it had when this was first asked.
    fn is_caught_up(&mut self) -> bool {
        if self.client.context().changes() == 0 {
            return false; // the group is not joined yet
        }
        let all = self.assignments.all();
        for assigned in &all {
            self.aim(assigned.partition);
        }
        all.iter().all(|assigned| match self.targets[&assigned.partition] {
            Target::Asked(_) => false,
            Target::End(end, later) => {
                let was_there = self.reached.contains(&assigned.partition);
                assigned.position() >= end || was_there && self.watermarks.has_answer(later)
            }
        })
    }

    /// Learns how far a partition has to come.
    fn aim(&mut self, partition: i32) {
        let next = self.watermarks.next_answer();
        let target = self.targets.entry(partition).or_insert_with(|| {
            self.client.context().wake();
            Target::Asked(next)
        });
        if let Target::Asked(number) = *target
            && self.watermarks.has_answer(number)
            && let Some(end) = self.watermarks.end(partition)
        {
            *target = Target::End(end, next + 1);
        }
    }
}

fn dead_letter_settings(config: &Config) -> Settings {
    Settings {
        cluster: config.cluster.clone(),
        topic: config.dead_letter.clone(),
        transport: "none".to_owned(),
        // A message that came to us came through a broker; a larger one is cut.
        max_message_bytes: config.limits.max_bytes,
        window_bytes: DEAD_LETTER_WINDOW,
    }
}
