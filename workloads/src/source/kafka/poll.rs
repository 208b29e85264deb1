//! The poll thread: awaits the topic and keeps a client of the group at work, one after the other. It never waits for the
//! queue or for the batches' broker, so the group never takes it for dead.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender};
use rdkafka::{
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer as _},
};

use super::{
    KafkaOptions,
    desk::Desk,
    group::Context,
    leaving::leave,
    messages::Message,
    session::{End, Session},
    words,
};
use crate::{
    admin::Beat,
    backoff::Backoff,
    budget::Budget,
    kafka::{
        access::complaint, awaiting, jump::log_went_back, renewal::Renewal, topics::TopicError,
    },
    produce::Shared,
};

/// How soon it is noticed that nothing is read any more while an answer is awaited.
const RECHECK: Duration = Duration::from_millis(50);
/// The first and the longest wait between two questions for the topic.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3));
/// How long to wait before joining anew.
const REJOIN_WAIT: Duration = Duration::from_secs(1);

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
                End::WentBack(partition) => log_went_back(&self.options.topic, partition),
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
