//! The watch: asks the brokers how long partitions are, from which lag, expiry and readiness follow.
//!
//! A thread of its own, because such questions wait for answers.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use batchpipe_api::{conditions::reasons, report::PartitionLag};
use crossbeam_channel::{Receiver, Sender};
use rdkafka::{
    Offset,
    consumer::{BaseConsumer, Consumer},
    error::KafkaResult,
};

use super::{
    Config, Shared,
    assignment::{Assigned, UNKNOWN},
    beyond::without_messages,
    group::Context,
    unreadable::Examination,
    watermarks::{Marks, Watermarks},
    worker::Notice,
};
use crate::{
    clock::unix_ms,
    kafka::{
        answers::{REQUEST_TIMEOUT, ask_committed, ask_offsets, is_silence},
        leap::{self, Leap},
    },
};

/// How often the brokers are asked.
const PERIOD: Duration = Duration::from_secs(2);
/// How often they are asked how many partitions there are.
const COUNT_PERIOD: Duration = Duration::from_secs(30);

/// Asks until the session ends.
pub(super) struct Watch {
    pub(super) consumer: Arc<BaseConsumer<Context>>,
    pub(super) shared: Shared,
    pub(super) watermarks: Arc<Watermarks>,
    /// To the poll thread.
    pub(super) notices: Sender<Notice>,
    pub(super) config: Arc<Config>,
}

impl Watch {
    pub(super) fn run(self, wake: &Receiver<()>) {
        let heartbeat = self.shared.side.heartbeat("watch");
        let (mut leaps, mut examination) = (Vec::new(), Examination::default());
        let mut short = BTreeSet::new();
        let mut counted: Option<Instant> = None;
        while !self.consumer.context().is_ended() {
            heartbeat.tick();
            let number = self.watermarks.begin_answer();
            let assigned = self.consumer.context().assignments.all();
            // Taken before asking: the log's start is then heard later than the leap was made.
            leaps.extend(self.consumer.context().assignments.take_leaps());
            let done: Vec<_> = assigned.iter().map(|assigned| assigned.done()).collect();
            match self.ask(&assigned, &leaps, number) {
                Ok(()) => {
                    self.consumer.context().tell_reachable();
                    self.compare(&assigned, number);
                    leap::look_into(
                        &mut leaps,
                        |partition| self.watermarks.start_since(partition, number),
                        |partition, from, expired| self.report_expired(partition, from, expired),
                    );
                    self.notice_lost_ends(assigned.iter().zip(done), number, &mut short);
                    self.examine(&mut examination, &assigned);
                    self.tell_lag(&assigned);
                    if counted.is_none_or(|then| then.elapsed() >= COUNT_PERIOD)
                        && self.count(&self.consumer.context().topic).is_ok()
                    {
                        counted = Some(Instant::now());
                    }
                }
                Err(error) if is_silence(&error) => {
                    self.consumer.context().tell_unreachable(&error.to_string());
                }
                Err(error) => {
                    tracing::debug!(%error, "the brokers do not say how long partitions are");
                }
            }
            let _ = wake.recv_timeout(PERIOD); // whichever it is, it is time to ask again
        }
    }

    fn ask(&self, assigned: &[Arc<Assigned>], leaps: &[Leap], answer: u64) -> KafkaResult<()> {
        let topic = &self.consumer.context().topic;
        if self.config.catch_up.is_wanted() {
            // All of them, since ours may be taken away from us.
            let all: Vec<i32> = (0..self.count(topic)?).collect();
            if all.is_empty() {
                return Ok(());
            }
            self.ask_ends(topic, &all, answer)?;
            return self.ask_group(topic, assigned, &all, answer);
        }
        // Also where something was left out that is not ours any more.
        let mut wanted: BTreeSet<i32> = leaps.iter().map(|leap| leap.partition).collect();
        wanted.extend(assigned.iter().map(|assigned| assigned.partition));
        if wanted.is_empty() {
            return self.count(topic).map(|_| ());
        }
        self.ask_ends(topic, &Vec::from_iter(wanted), answer)
    }

    /// Asks where partitions begin and end.
    fn ask_ends(&self, topic: &str, partitions: &[i32], answer: u64) -> KafkaResult<()> {
        let asked_at_ms = unix_ms();
        let starts = ask_offsets(&self.consumer, topic, partitions, Offset::Beginning)?;
        let ends = ask_offsets(&self.consumer, topic, partitions, Offset::End)?;
        for (partition, end) in ends {
            if let Some(start) = starts.get(&partition).copied() {
                self.watermarks.set(partition, Marks { start, end, answer, asked_at_ms });
            }
        }
        Ok(())
    }

    /// Asks how far the group is in partitions of which the ends were just heard.
    fn ask_group(
        &self,
        topic: &str,
        assigned: &[Arc<Assigned>],
        partitions: &[i32],
        answer: u64,
    ) -> KafkaResult<()> {
        let committed = ask_committed(&self.consumer, topic, partitions)?;
        let id = self.consumer.context().topic_id();
        let mut positions = self.watermarks.positions(partitions, &committed, id);
        // The group of others stands still before the end: there may be nothing left that could be committed.
        let ours: Vec<i32> = assigned.iter().map(|assigned| assigned.partition).collect();
        let stuck = self.watermarks.stuck(&positions, &ours);
        let is_over = || self.consumer.context().is_ended();
        for partition in without_messages(&self.config.cluster, topic, &stuck, is_over) {
            if let Some(end) = self.watermarks.end(partition) {
                positions.insert(partition, end);
            }
        }
        self.watermarks.set_group(answer, positions);
        Ok(())
    }

    /// Asks how many partitions there are; 0 while nobody knows.
    fn count(&self, topic: &str) -> KafkaResult<i32> {
        let metadata = self.consumer.fetch_metadata(Some(topic), REQUEST_TIMEOUT)?;
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        let count = found.map(|found| found.partitions().len()).filter(|count| *count > 0);
        if let Some(count) = count.and_then(|count| i32::try_from(count).ok()) {
            self.shared.side.set_partitions(count);
            return Ok(count);
        }
        Ok(0)
    }

    /// Finds what cannot be read, after something came that could not.
    fn examine(&self, examination: &mut Examination, assigned: &[Arc<Assigned>]) {
        if !self.consumer.context().take_suspicion() {
            return examination.end();
        }
        let context = self.consumer.context();
        let is_over = || context.is_ended();
        match examination.look(&self.config, assigned, &self.watermarks, &is_over) {
            Ok(Some(found)) => {
                let _ = self.notices.send(Notice::PassOver(found)); // the poll thread is gone only at the end
            }
            Ok(None) => {}
            Err(_) if is_over() => {}
            Err(problem) => {
                tracing::warn!("{problem}");
                self.shared.side.error(&problem);
                context.suspect(); // the next look follows, whatever comes meanwhile
            }
        }
    }

    /// A partition that ends before what was done of it when its end was asked for has lost something, and what comes there is
    /// not what is done. Believed when it is heard twice: a broker that has just become the leader may know less.
    fn notice_lost_ends<'a>(
        &self,
        done: impl Iterator<Item = (&'a Arc<Assigned>, i64)>,
        answer: u64,
        short: &mut BTreeSet<i32>,
    ) {
        let before = std::mem::take(short);
        for (assigned, done) in done {
            let partition = assigned.partition;
            let is_short =
                self.watermarks.end_since(partition, answer).is_some_and(|end| end < done);
            if !is_short || !assigned.is_active() || assigned.stands() || !assigned.is_settled() {
                continue;
            }
            if before.contains(&partition) {
                assigned.close();
                let _ = self.notices.send(Notice::WentBack(Arc::clone(assigned))); // the poll thread is gone only at the end
            } else {
                short.insert(partition);
            }
        }
    }

    pub(super) fn report_expired(&self, partition: i32, position: i64, expired: u64) {
        tracing::error!(
            partition,
            position,
            expired,
            "retention removed messages before they were read"
        );
        self.shared.ledger.update(|counts| counts.expired_messages += expired);
        self.shared.side.error(&format!(
            "{}: {expired} messages of partition {partition} were removed by retention before they were \
             read; raise retention.ms or the number of consumers",
            reasons::DATA_EXPIRED,
        ));
    }

    fn tell_lag(&self, assigned: &[Arc<Assigned>]) {
        let counts = self.shared.ledger.snapshot();
        let mean = counts.delivered.checked_div(counts.batches).map(|mean| mean.max(1));
        for assigned in assigned {
            let Some(end) = self.watermarks.end(assigned.partition) else { continue };
            let current = self.consumer.context().assignments.get(assigned.partition);
            if !current.is_some_and(|current| Arc::ptr_eq(&current, assigned)) {
                continue; // taken away while we asked
            }
            let start = self.watermarks.start(assigned.partition);
            let asked_at_ms = self.watermarks.asked_at_ms(assigned.partition);
            self.shared.side.lag(PartitionLag { asked_at_ms, ..lag(assigned, start, end, mean) });
        }
    }
}

/// How far a partition is behind its end.
fn lag(
    assigned: &Assigned,
    start: Option<i64>,
    end: i64,
    records_per_message: Option<u64>,
) -> PartitionLag {
    let (done, committed) = (known_offset(assigned.done()), known_offset(assigned.committed()));
    let messages = done.or(start).map(|from| (end - from).max(0).unsigned_abs());
    let seconds = match (messages, assigned.timestamp_ms()) {
        (Some(0), _) => Some(0.0),
        (_, UNKNOWN) => None,
        (_, then) => Some(seconds_since(then)),
    };
    PartitionLag {
        partition: assigned.partition,
        asked_at_ms: None,
        position: done,
        committed,
        end: Some(end),
        messages,
        records: match (messages, records_per_message) {
            (Some(0), _) => Some(0),
            (messages, mean) => {
                messages.zip(mean).map(|(messages, mean)| messages.saturating_mul(mean))
            }
        },
        seconds,
    }
}

fn known_offset(offset: i64) -> Option<i64> {
    (offset != UNKNOWN).then_some(offset)
}

fn seconds_since(then_ms: i64) -> f64 {
    Duration::from_millis(unix_ms().saturating_sub(then_ms).max(0).unsigned_abs()).as_secs_f64()
}
