//! The poll thread: fetches, copies messages into the queue, and commits what was acknowledged. It never waits for the
//! queue or for the batches' broker, so the group never takes it for dead.

use std::{
    mem,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender};
use rdkafka::{
    Message as _,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
    message::BorrowedMessage,
};

use super::{
    super::{BLOCK_BYTES, OVERSIZE_PREFIX},
    KafkaOptions,
    desk::Desk,
    group::Context,
    leaving::leave,
    messages::Message,
    words,
};
use crate::{
    admin::Beat,
    backoff::Backoff,
    budget::Budget,
    kafka::{access::complaint, awaiting, refusal::Refusal, renewal::Renewal, topics::TopicError},
    key::KeyHash,
    produce::Shared,
};

/// How long one poll waits for a message.
const POLL_WAIT: Duration = Duration::from_millis(100);
/// How soon it is noticed that nothing is read any more while an answer is awaited.
const RECHECK: Duration = Duration::from_millis(50);
/// The first and the longest wait between two questions for the topic.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3));
/// How long to wait before joining anew.
const REJOIN_WAIT: Duration = Duration::from_secs(1);
/// How often offsets are committed.
const COMMIT_PERIOD: Duration = Duration::from_secs(1);
/// How often a broker that was away is asked whether it is back, and a fetch that was refused is tried anew.
const PROBE_PERIOD: Duration = Duration::from_secs(2);
/// How long a broker's answer to that may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// How long the intake may take to make room before fetching is paused: a pause throws away what was fetched ahead.
const ROOM_WAIT: Duration = Duration::from_millis(100);
/// The most messages of a bundle.
const BUNDLE: usize = 1000;
/// The most leaps that are looked into at once.
const MOST_LEAPS: usize = 1000;
/// What a message costs beside its bytes, roughly, in bytes.
const MESSAGE_COST: usize = 128;

/// What the poll thread has.
pub(super) struct Poller {
    pub(super) options: KafkaOptions,
    /// What librdkafka may fetch ahead, in bytes.
    pub(super) fetch_bytes: usize,
    /// Memory of messages that wait for the intake.
    pub(super) queue: Arc<Budget>,
    pub(super) bundles: Sender<Vec<Message>>,
    pub(super) desk: Arc<Desk>,
    pub(super) shared: Shared,
}

/// Why a session ended.
enum End {
    /// Nothing more is acknowledged.
    Finished,
    /// The client has to be made anew.
    Rebuild(String),
    /// Other credentials were found to work.
    Renew,
    /// The topic is gone, and with it the meaning of every offset.
    TopicGone,
}

/// Offsets that were left out.
struct Leap {
    partition: i32,
    from: i64,
    to: i64,
}

/// One client of the group at work.
struct Session<'a> {
    poller: &'a Poller,
    client: &'a BaseConsumer<Context>,
    /// Has the committer work; busy, it takes the newest offsets when it comes to it.
    commit: Sender<()>,
    bundle: Vec<Message>,
    bundle_bytes: usize,
    leaps: Vec<Leap>,
    is_paused: bool,
    seen_changes: u64,
    committed_at: Instant,
    probed_at: Instant,
    /// The brokers do not let us read: librdkafka reports that once, and success never.
    is_refused: bool,
}

impl Poller {
    /// Works until the source is finished, and tells then of which partitions the group does not know how far they are.
    pub(super) fn run(self, told: &Sender<Vec<i32>>) {
        let heartbeat = self.shared.side.heartbeat("kafka-source");
        while self.await_topic(&heartbeat) {
            let why = match self.session(&heartbeat, told) {
                End::Finished => return,
                End::Renew => continue,
                End::Rebuild(why) => why,
                End::TopicGone => format!("topic {} is gone", self.options.topic),
            };
            let why = words::about(&why, &self.options);
            tracing::warn!("{why}; joining the group anew");
            self.shared.side.error(&why);
            thread::sleep(REJOIN_WAIT);
        }
        drop(heartbeat);
        let _ = told.send(Vec::new()); // whoever finished may not have waited
    }

    /// Waits until the topic is there; false when nothing is read any more.
    fn await_topic(&self, heartbeat: &Beat) -> bool {
        let mut backoff = Backoff::new(RETRY.0, RETRY.1);
        while let Some(answer) = self.ask(heartbeat) {
            let Err(error) = answer else {
                self.desk.go_on();
                return true;
            };
            self.desk.wait_for(words::explain(&error, &self.options));
            let until = Instant::now() + backoff.next_wait();
            while Instant::now() < until && !self.desk.is_closed() {
                thread::sleep(RECHECK);
            }
        }
        false
    }

    /// Asks for the topic in a thread of its own, because the answer may take long; `None` when nothing is read any
    /// more.
    fn ask(&self, heartbeat: &Beat) -> Option<Result<u32, TopicError>> {
        let (sender, answer) = crossbeam_channel::bounded(1);
        let (cluster, topic) = (self.options.cluster.clone(), self.options.topic.clone());
        thread::spawn(move || {
            let _ = sender.send(awaiting::partitions(&cluster, topic)); // nobody listens after a stop
        });
        while !self.desk.is_closed() {
            heartbeat.tick();
            if let Ok(answer) = answer.recv_timeout(RECHECK) {
                return Some(answer);
            }
        }
        None
    }

    fn session(&self, heartbeat: &Beat, told: &Sender<Vec<i32>>) -> End {
        let KafkaOptions { cluster, topic, group, max_record_bytes, .. } = &self.options;
        let access = match cluster.access() {
            Ok(access) => access,
            Err(error) => return End::Rebuild(error.to_string()),
        };
        let mut renewal = Renewal::new(cluster, topic, access.revision());
        let mut settings = access.consumer_config(group, *max_record_bytes);
        // The end of a partition is the only sign of a fetch that is let in where nothing is to be read.
        settings.set("enable.partition.eof", "true");
        settings.set("queued.max.messages.kbytes", (self.fetch_bytes / 1024).max(1).to_string());
        // What librdkafka says of metadata is the only way to learn a topic's id, and what it says of the group the only
        // one to learn whether commits can succeed and whether the group is left.
        settings.set("debug", "metadata,cgrp").set_log_level(RDKafkaLogLevel::Debug);
        let context =
            Context::new(self.options.clone(), Arc::clone(&self.desk), self.shared.clone());
        let client: BaseConsumer<Context> = match settings.create_with_context(context) {
            Ok(client) => client,
            Err(error) => return End::Rebuild(complaint(&error)),
        };
        client.context().learn_id(&client);
        if let Err(error) = client.subscribe(&[topic]) {
            return End::Rebuild(error.to_string());
        }
        let (wake, woken) = crossbeam_channel::bounded(1);
        thread::scope(|scope| {
            let commits = || commit_when_woken(&client, &woken);
            let committer = thread::Builder::new()
                .name("source-commits".to_owned())
                .spawn_scoped(scope, commits);
            if let Err(error) = committer {
                return End::Rebuild(format!("the system gives no thread: {error}"));
            }
            let end = Session::new(self, &client, wake).run(heartbeat, &mut renewal);
            heartbeat.tick();
            let uncommitted = leave(&client, &self.desk, !matches!(end, End::TopicGone));
            if self.desk.is_finished() {
                let _ = told.send(uncommitted); // whoever finished may not have waited
            }
            end
        })
    }
}

/// Commits what was acknowledged: in a thread of its own, because an answer may take long.
fn commit_when_woken(client: &BaseConsumer<Context>, woken: &Receiver<()>) {
    while woken.recv().is_ok() {
        client.context().commit_all(client);
    }
}

impl<'a> Session<'a> {
    fn new(poller: &'a Poller, client: &'a BaseConsumer<Context>, commit: Sender<()>) -> Self {
        Self {
            poller,
            client,
            commit,
            bundle: Vec::new(),
            bundle_bytes: 0,
            leaps: Vec::new(),
            is_paused: false,
            seen_changes: 0,
            committed_at: Instant::now(),
            probed_at: Instant::now(),
            is_refused: false,
        }
    }

    fn run(mut self, heartbeat: &Beat, renewal: &mut Renewal) -> End {
        let desk = &self.poller.desk;
        while !desk.is_finished() {
            heartbeat.tick();
            if let Some(end) = self.poll() {
                return end;
            }
            self.balance();
            if self.committed_at.elapsed() >= COMMIT_PERIOD {
                self.committed_at = Instant::now();
                let _ = self.commit.try_send(()); // one is on its way already
                self.look_into_leaps();
            }
            self.probe();
            // Nothing is gained by new credentials when nothing is read any more.
            if renewal.is_due(Instant::now()) && !desk.is_closed() {
                return End::Renew;
            }
        }
        End::Finished
    }

    /// Takes what is there, as many messages as make a bundle, waiting for the first of them.
    fn poll(&mut self) -> Option<End> {
        let mut wait = POLL_WAIT;
        loop {
            let polled = self.client.poll(wait);
            let context = self.client.context();
            if context.take_began_anew() {
                // librdkafka goes on where it was in the old topic, which would leave out what is before that.
                self.bundle.clear();
                return Some(End::TopicGone);
            }
            if context.is_undecided() {
                return Some(End::Rebuild("the group does not say where to begin".to_owned()));
            }
            match polled {
                Some(Ok(message)) => self.take(&message),
                Some(Err(KafkaError::PartitionEOF(_))) => self.flow(),
                Some(Err(error)) => {
                    if let Some(end) = self.note_error(&error) {
                        return Some(end);
                    }
                }
                None => break,
            }
            if self.bundle.len() >= BUNDLE || self.bundle_bytes >= BLOCK_BYTES {
                break;
            }
            wait = Duration::ZERO;
        }
        if !self.bundle.is_empty() {
            self.bundle_bytes = 0;
            let _ = self.poller.bundles.send(mem::take(&mut self.bundle)); // a source that is gone reads no more
        }
        None
    }

    /// Something was fetched.
    fn flow(&mut self) {
        if mem::take(&mut self.is_refused) || self.client.context().is_unreachable() {
            self.client.context().tell_reachable();
        }
    }

    fn take(&mut self, message: &BorrowedMessage<'_>) {
        self.flow();
        let Poller { options, queue, desk, .. } = self.poller;
        if desk.is_closed() {
            return;
        }
        let (partition, offset) = (message.partition(), message.offset());
        let Some(fetched) = desk.offsets().fetch(partition, offset) else { return };
        if let Some(from) = fetched.leap_from.filter(|_| self.leaps.len() < MOST_LEAPS) {
            self.leaps.push(Leap { partition, from, to: offset });
        }
        let whole = message.payload();
        let size = whole.map_or(0, <[u8]>::len);
        let kept = if size > options.max_record_bytes { OVERSIZE_PREFIX.min(size) } else { size };
        let key = message.key().filter(|_| options.rules.key.is_none());
        self.bundle_bytes += kept;
        self.bundle.push(Message {
            partition,
            tenure: fetched.tenure,
            offset,
            hash: key.map(KeyHash::of),
            value: whole.map(|whole| Box::from(&whole[..kept])),
            size,
            charge: Some(queue.charge_now(kept + MESSAGE_COST)),
        });
    }

    /// Deals with what librdkafka says instead of a message.
    fn note_error(&mut self, error: &KafkaError) -> Option<End> {
        let options = &self.poller.options;
        match Refusal::of(error, &options.topic, &options.group) {
            Some(Refusal::TopicGone) => return Some(End::TopicGone),
            Some(Refusal::Fatal(why)) => return Some(End::Rebuild(why)),
            Some(Refusal::Reading(problem)) => {
                self.is_refused = true;
                self.complain(&problem);
            }
            Some(Refusal::Group(problem) | Refusal::Joining(problem)) => self.complain(&problem),
            None => tracing::debug!(%error, "while polling"),
        }
        None
    }

    fn complain(&self, problem: &str) {
        let problem = words::about(problem, &self.poller.options);
        self.poller.shared.side.error(&problem);
        self.poller.desk.wait_for(problem);
    }

    /// Pauses fetching while too much waits for the intake, and when nothing is read any more.
    fn balance(&mut self) {
        let changes = self.client.context().changes();
        let is_changed = mem::replace(&mut self.seen_changes, changes) != changes;
        let queue = &self.poller.queue;
        let wanted = self.poller.desk.is_closed()
            || if self.is_paused {
                queue.used() > queue.limit() / 2
            } else {
                queue.used() > queue.limit() && queue.charge(queue.limit() / 2, ROOM_WAIT).is_none()
            };
        // A partition that was taken away while it was paused is still paused when it comes back.
        if wanted == self.is_paused && !is_changed {
            return;
        }
        let outcome = self.client.assignment().and_then(|all| {
            if wanted { self.client.pause(&all) } else { self.client.resume(&all) }
        });
        match outcome {
            Ok(()) => self.is_paused = wanted,
            Err(error) => tracing::debug!(%error, "cannot pause or resume; trying again"),
        }
    }

    /// Asks once in a while whether what was missing is there again: an idle topic does not tell.
    fn probe(&mut self) {
        let context = self.client.context();
        let is_wanted = context.is_unreachable() || self.is_refused;
        if !is_wanted || self.probed_at.elapsed() < PROBE_PERIOD {
            return;
        }
        self.probed_at = Instant::now();
        if context.is_unreachable() {
            let topic = Some(self.poller.options.topic.as_str());
            if self.client.fetch_metadata(topic, PROBE_TIMEOUT).is_ok() {
                context.tell_reachable();
            }
        } else if !self.is_paused {
            let anew = self.client.assignment().and_then(|all| {
                self.client.pause(&all)?;
                self.client.resume(&all)
            });
            if let Err(error) = anew {
                tracing::debug!(%error, "cannot begin fetching anew; trying again");
            }
        }
    }

    /// Tells what retention removed under our hands: the part of a leap that is before the log's start. What compaction
    /// and transactions leave out is behind it.
    fn look_into_leaps(&mut self) {
        if self.leaps.is_empty() {
            return;
        }
        let mut partitions: Vec<_> = self.leaps.iter().map(|leap| leap.partition).collect();
        partitions.sort_unstable();
        partitions.dedup();
        let context = self.client.context();
        let starts = match context.starts(self.client, &partitions) {
            Ok(starts) => starts,
            Err(error) => {
                tracing::debug!(%error, "the brokers do not say where logs start; trying again");
                return;
            }
        };
        for Leap { partition, from, to } in self.leaps.drain(..) {
            let expired = starts.get(&partition).map_or(0, |start| start.min(&to) - from);
            if expired > 0 {
                context.report_expired(partition, from, expired.unsigned_abs());
            }
        }
    }
}
