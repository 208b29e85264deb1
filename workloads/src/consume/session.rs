//! One client of the group, from joining it to leaving it: what the poll thread does beside polling.

use std::{
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crossbeam_channel::Receiver;
use rdkafka::{
    Offset,
    consumer::{BaseConsumer, Consumer as _},
};

use super::{
    Config, ConsumeError,
    assignment::Assigned,
    assignments::Assignments,
    caught_up::{CaughtUp, Seen},
    commits::Committer,
    group::Context,
    leaving::{self, Leaving, Left, numbers, uncommitted},
    watermarks::Watermarks,
    worker::{Notice, Stop},
};
use crate::{
    budget::Budget,
    kafka::{fetching::Fetching, stranded::Stranded, suspicion::Suspicion},
};

/// How often offsets are committed.
const COMMIT_PERIOD: Duration = Duration::from_secs(1);
/// How often a fetch that was refused is tried anew: librdkafka reports a refusal once and success never.
const REFUSED_PERIOD: Duration = Duration::from_secs(2);
/// How often a consumer that is to catch up says that it waits for other members.
const OTHERS_PERIOD: Duration = Duration::from_secs(10);
/// How long nothing may come before the ends of partitions are asked for again.
const QUIET_PERIOD: Duration = Duration::from_secs(2);
/// How long going back to an earlier offset may take.
const SEEK_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a session ends.
pub(super) enum End {
    /// Everything that was asked for is done.
    Done,
    /// A stop was asked for.
    Stopped,
    /// The client has to be made anew.
    Rebuild(String),
    /// Other credentials were found to work, and the client has to be made anew with them.
    Renew,
    /// The topic is gone, and with it the meaning of every offset.
    TopicGone,
    /// The log of this partition went back: the topic was made again, or the end of the log was lost.
    WentBack(i32),
}

/// A session.
pub(super) struct Session {
    pub(super) client: Arc<BaseConsumer<Context>>,
    pub(super) assignments: Arc<Assignments>,
    pub(super) watermarks: Arc<Watermarks>,
    notices: Receiver<Notice>,
    watch: JoinHandle<()>,
    committer: Committer,
    pub(super) fetching: Fetching,
    committed_at: Instant,
    caught_up: CaughtUp,
    /// The answer of the watch that is awaited since somebody asked whether we have caught up.
    question: Option<u64>,
    /// When something was last fetched, the end of a partition told, or the assignment changed.
    moved_at: Instant,
    /// When it was last said that we wait for others.
    waited_at: Option<Instant>,
    /// When the broker last refused to let us read.
    refused_at: Option<Instant>,
    pub(super) suspicion: Suspicion,
    stranded: Stranded,
}

impl Session {
    pub(super) fn new(
        client: Arc<BaseConsumer<Context>>,
        watermarks: Arc<Watermarks>,
        notices: Receiver<Notice>,
        watch: JoinHandle<()>,
    ) -> Self {
        Self {
            assignments: Arc::clone(&client.context().assignments),
            committer: Committer::start(&client),
            client,
            watermarks,
            notices,
            watch,
            fetching: Fetching::default(),
            committed_at: Instant::now(),
            caught_up: CaughtUp::default(),
            question: None,
            moved_at: Instant::now(),
            waited_at: None,
            refused_at: None,
            suspicion: Suspicion::default(),
            stranded: Stranded::default(),
        }
    }

    pub(super) fn client(&self) -> Arc<BaseConsumer<Context>> {
        Arc::clone(&self.client)
    }

    /// A message came.
    pub(super) fn flow(&mut self) {
        self.refused_at = None;
        self.moved_at = Instant::now();
    }

    /// Whether brokers answer others, but not us.
    pub(super) fn is_stranded(&mut self, config: &Config) -> bool {
        let is_away =
            self.client.context().is_unreachable() && self.moved_at.elapsed() >= QUIET_PERIOD;
        self.stranded.is_found(is_away, &config.cluster, &config.topic.name)
    }

    /// The end of a partition was seen.
    pub(super) fn reach(&mut self, partition: i32) {
        if let Some(assigned) = self.assignments.get(partition) {
            let position = assigned.position();
            // What is not known yet is not reached.
            if position >= 0 {
                self.caught_up.reach_end(partition, position);
            }
        }
        self.flow();
    }

    /// The broker does not let us read.
    pub(super) fn refuse(&mut self) {
        self.refused_at = Some(Instant::now());
    }

    /// Begins fetching anew after a refusal: the answer is then another refusal, a message, or the end of a
    /// partition, each of which tells whether we may read again.
    pub(super) fn fetch_anew_when_refused(&mut self) {
        if self.refused_at.is_some_and(|at| at.elapsed() >= REFUSED_PERIOD) {
            self.refused_at = Some(Instant::now());
            self.fetching.begin_anew(&self.client);
        }
    }

    /// Deals with what workers say.
    pub(super) fn take_notices(
        &mut self,
        queue: &Arc<Budget>,
    ) -> Result<Option<End>, ConsumeError> {
        while let Ok(notice) = self.notices.try_recv() {
            if let Some(end) = self.note(notice, queue)? {
                return Ok(Some(end));
            }
        }
        Ok(None)
    }

    fn note(&mut self, notice: Notice, queue: &Arc<Budget>) -> Result<Option<End>, ConsumeError> {
        match notice {
            Notice::LimitReached => Ok(Some(End::Done)),
            Notice::Fail(Stop::Sink(error)) => Err(ConsumeError::Sink(error)),
            Notice::Fail(Stop::Thread(name)) => Err(ConsumeError::Thread(name)),
            Notice::Fail(stop) => Ok(Some(End::Rebuild(stop.to_string()))),
            Notice::WentBack(assigned) => Ok(self.go_back(&assigned)),
            Notice::PassOver(passing) => Ok(self.pass_over(&passing, queue)),
            Notice::Rewind(assigned, offset) => Ok(self.rewind(&assigned, offset)),
            Notice::BeginAnew(assigned, start) => Ok(self.begin_anew(&assigned, start)),
        }
    }

    /// Ends the session for a partition whose log went back.
    fn go_back(&self, assigned: &Arc<Assigned>) -> Option<End> {
        if !self.is_current(assigned) {
            return None; // given back meanwhile
        }
        let context = self.client.context();
        if context.was_suspected() || assigned.topic_id().is_none() {
            // The place of librdkafka says nothing of the log, or the topic is another one, which these brokers would not say.
            return Some(End::TopicGone);
        }
        assigned.go_beyond();
        if context.sink_keeps_offsets {
            assigned.abandon(); // no transaction may tell the group otherwise
        }
        Some(End::WentBack(assigned.partition))
    }

    /// Fetches a partition again from an offset on.
    fn rewind(&mut self, assigned: &Arc<Assigned>, offset: i64) -> Option<End> {
        if !self.is_current(assigned) {
            return None; // given back meanwhile
        }
        self.assignments.add_from(assigned.partition, offset);
        self.client.context().wake(); // its worker waits to hear where the topic's log is
        self.seek(assigned.partition, offset)
    }

    /// Fetches a partition from the start of its log, whatever the group has of it.
    fn begin_anew(&mut self, assigned: &Arc<Assigned>, start: i64) -> Option<End> {
        if !self.is_current(assigned) {
            return None; // given back meanwhile
        }
        let (topic, partition) = (&self.client.context().topic, assigned.partition);
        tracing::warn!(partition, start, "topic {topic} was made again; reading it from its start");
        let id = self.client.context().topic_id().map(str::to_owned);
        self.assignments.add_anew(partition, start, id);
        assigned.abandon();
        self.seek(partition, start)
    }

    pub(super) fn is_current(&self, assigned: &Arc<Assigned>) -> bool {
        let current = self.assignments.get(assigned.partition);
        current.is_some_and(|current| Arc::ptr_eq(&current, assigned))
    }

    pub(super) fn seek(&mut self, partition: i32, offset: i64) -> Option<End> {
        self.caught_up.rewind(partition);
        let topic = &self.client.context().topic;
        let sought = self.client.seek(topic, partition, Offset::Offset(offset), SEEK_TIMEOUT);
        let rebuild = |error| End::Rebuild(format!("cannot go back to offset {offset}: {error}"));
        sought.err().map(rebuild)
    }

    /// Pauses fetching while too much waits for the workers.
    pub(super) fn balance(&mut self, queue: &Arc<Budget>) {
        let is_changed = self.fetching.is_changed(self.client.context().changes());
        let wanted = self.fetching.is_too_much(queue);
        if is_changed {
            self.moved_at = Instant::now();
        }
        self.fetching.set_paused(&self.client, wanted, is_changed);
    }

    /// Commits once in a while what workers reached; true when it does.
    pub(super) fn commit_when_due(&mut self) -> bool {
        let is_due = self.committed_at.elapsed() >= COMMIT_PERIOD;
        if is_due {
            self.committed_at = Instant::now();
            self.committer.wake();
        }
        is_due
    }

    /// Whether every partition of the topic has passed the end that it had when this was first asked: ours by what was
    /// delivered, those of others by what the group has committed. `is_idle`: whether nothing waits for the workers.
    pub(super) fn is_caught_up(&mut self, is_idle: bool) -> bool {
        if self.client.context().changes() == 0 {
            return false; // the group is not joined yet
        }
        let question = *self.question.get_or_insert_with(|| {
            self.client.context().wake();
            self.watermarks.next_answer()
        });
        let Some(group) = self.watermarks.group_since(question) else { return false };
        let all = self.assignments.all();
        // What the sink has not stored yet may still come again.
        let is_idle = is_idle
            && (!self.client.context().sink_keeps_offsets
                || all.iter().all(|it| it.done() >= it.position()));
        let ours = all.iter().map(|assigned| Seen {
            partition: assigned.partition,
            position: assigned.position(),
            end: self.watermarks.end_since(assigned.partition, question),
        });
        let is_ours = |partition: i32| all.iter().any(|it| it.partition == partition);
        let others = group.iter().filter(|(partition, _)| !is_ours(**partition));
        let others = others.map(|(partition, position)| Seen {
            partition: *partition,
            position: *position,
            end: self.watermarks.end_since(*partition, question),
        });
        let (ours, others): (Vec<_>, Vec<_>) = (ours.collect(), others.collect());
        if !self.caught_up.is_complete(&ours) || !is_idle {
            if is_idle && self.moved_at.elapsed() >= QUIET_PERIOD {
                // The end of a partition is told once; it was told before it counted.
                self.moved_at = Instant::now();
                self.fetching.begin_anew(&self.client);
            }
            return false;
        }
        let behind = self.caught_up.behind(&others);
        self.tell_waiting(&behind);
        behind.is_empty()
    }

    /// Says which partitions of others are waited for, once in a while.
    fn tell_waiting(&mut self, behind: &[i32]) {
        let at = *self.waited_at.get_or_insert_with(Instant::now);
        if !behind.is_empty() && at.elapsed() >= OTHERS_PERIOD {
            self.waited_at = Some(Instant::now());
            tracing::info!(partitions = ?behind, "all of our partitions are delivered; waiting for the group to \
                 commit those of others");
        }
    }

    /// Ends the session: what is being delivered is finished within `grace`, what was reached is committed unless
    /// the topic is gone, and the group is left.
    pub(super) fn leave(self, grace: Duration, commits: bool) -> Left {
        let Self { client, assignments, watch, committer, .. } = self;
        let deadline = Instant::now() + grace;
        client.context().end();
        let partitions: Vec<_> =
            assignments.all().iter().map(|assigned| assigned.partition).collect();
        let left = assignments.finish(&partitions, deadline);
        let membership = Arc::clone(&client.context().membership);
        let is_for_us = !client.context().sink_keeps_offsets;
        let commits = commits && (is_for_us || left.iter().any(|it| it.is_beyond()));
        let leaving = Leaving::begin(client, left.clone(), deadline, commits);
        let until = leaving.until();
        let (told, gone) = crossbeam_channel::bounded::<()>(0);
        // All of this waits for the coordinator, which may be away.
        std::thread::spawn(move || {
            leaving.run();
            committer.end();
            let _ = watch.join(); // it holds the client too
            drop(leaving);
            drop(told);
        });
        leaving::wait(&gone, until, &membership);
        Left {
            unfinished: numbers(&left, Assigned::has_failed),
            uncommitted: if commits { uncommitted(&left) } else { Vec::new() },
        }
    }
}
