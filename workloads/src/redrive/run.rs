//! One run: letters are read, decided upon, sent, and noted as done once the broker has them. One thread.

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    sync::Arc,
    time::{Duration, Instant},
};

use batchpipe_api::{envelope::Incarnation, report::RedriveReport};
use crossbeam_channel::Select;
use rdkafka::{Message as _, message::BorrowedMessage};

use super::{
    Notice, Options, Outcome, RedriveError,
    bookmarks::Bookmarks,
    letter::{Left, Place, Rules, Sendable, judge},
    target::{Addressed, Common, Counts, Target},
    tracker::Tracker,
};
use crate::{
    budget::Budget,
    dead_letter_header::DeadLetterHeader,
    kafka::{
        client::Cluster,
        message,
        outbox::MessageHeader,
        reader::{self, Event, Reader, Unreadable, Watermarks},
    },
    produce,
    receipt::Receipt,
    shutdown::Shutdown,
};

/// What may be on its way, in bytes.
const MEMORY: usize = 32 * 1024 * 1024;
/// How often the group is told how far it is.
const COMMIT_EVERY: Duration = Duration::from_secs(1);
/// How often the caller is told how far it has come.
const TELL_EVERY: Duration = Duration::from_millis(200);
/// The loop turns at least this often.
const TICK: Duration = Duration::from_millis(100);
/// How long acknowledgements are awaited after a request to stop.
const GRACE: Duration = Duration::from_secs(10);

/// Sends letters back until the end that the dead-letter topic has now, a limit, or a request to stop.
///
/// # Panics
/// When the system gives no thread or no random numbers.
pub fn run(
    cluster: &Cluster,
    options: &Options,
    shutdown: &Shutdown,
    tell: &mut dyn FnMut(Notice),
) -> Outcome {
    let mut session = Session {
        cluster,
        options,
        shutdown,
        tell,
        rules: Rules {
            from: options.from.clone(),
            reasons: options.wanted(),
            max_attempts: options.max_attempts,
        },
        budget: Budget::new(MEMORY),
        incarnation: produce::incarnation(),
        targets: BTreeMap::new(),
        tracker: Tracker::default(),
        bookmarks: None,
        starts: BTreeMap::new(),
        counts: Counts::default(),
        sent: 0,
        of: 0,
        committed: Instant::now(),
        told: Instant::now(),
    };
    let ended = session.run();
    let resent = session.targets.values().map(Target::resent).sum();
    Outcome { report: session.counts.report, resent, ended }
}

struct Session<'a> {
    cluster: &'a Cluster,
    options: &'a Options,
    shutdown: &'a Shutdown,
    tell: &'a mut dyn FnMut(Notice),
    rules: Rules,
    budget: Arc<Budget>,
    incarnation: Incarnation,
    targets: BTreeMap<String, Target>,
    tracker: Tracker,
    /// What the group knows; from the moment on that it was asked.
    bookmarks: Option<Bookmarks>,
    /// Where partitions are read from.
    starts: BTreeMap<i32, i64>,
    counts: Counts,
    /// Letters that were sent, acknowledged or not.
    sent: u64,
    /// Letters that there were at the start, at most.
    of: u64,
    committed: Instant,
    told: Instant,
}

impl Session<'_> {
    fn run(&mut self) -> Result<(), RedriveError> {
        let reading = reader::Options::default();
        let mut reader = Reader::open(self.cluster, &self.options.from, reading, self.shutdown)?;
        let at_start: BTreeMap<i32, Watermarks> = reader.partitions().collect();
        self.begin(&mut reader, &at_start)?;
        let read = reader.read(self.shutdown, |event| match event {
            Event::Message(message) => self.take(message),
            Event::Unreadable(unreadable) => {
                self.pass_over(unreadable);
                Ok(ControlFlow::Continue(()))
            }
            Event::Idle => self.turn().map(|_| ControlFlow::Continue(())),
        });
        let is_whole = self.finish(read);
        if let Ok(true) = is_whole {
            for (id, marks) in &at_start {
                self.tracker.reach(*id, marks.high);
            }
        }
        // Whoever else moves the group knows better than we do how far it is.
        let saved = match is_whole {
            Err(RedriveError::Moved { .. }) => Ok(()),
            _ => self.save(),
        };
        let is_done = is_whole? || self.is_limit_reached();
        saved?;
        let topic = self.options.from.clone();
        if is_done { Ok(()) } else { Err(RedriveError::Stopped { topic }) }
    }

    /// Begins where the group is, and makes sure that it can be told how far we come before anything is sent.
    fn begin(
        &mut self,
        reader: &mut Reader,
        at_start: &BTreeMap<i32, Watermarks>,
    ) -> Result<(), RedriveError> {
        let bookmarks = Bookmarks::read(self.cluster, self.options, at_start)?;
        self.starts = bookmarks.starts(self.options, at_start);
        self.bookmarks = Some(bookmarks);
        for (id, start) in &self.starts {
            self.tracker.begin(*id, *start);
            let end = at_start.get(id).map_or(*start, |marks| marks.high);
            self.of += u64::try_from(end - start).unwrap_or(0);
        }
        reader.begin_at(&self.starts)?;
        self.save()
    }

    fn take(&mut self, message: &BorrowedMessage<'_>) -> Result<ControlFlow<()>, RedriveError> {
        let place = Place { partition: message.partition(), offset: message.offset() };
        if self.starts.get(&place.partition).is_none_or(|start| place.offset < *start) {
            return Ok(ControlFlow::Continue(())); // fetched before the start was known
        }
        let value = message.payload().unwrap_or_default();
        let named = message::headers(message).map(|header| (header.key, header.value));
        let progress = self.bookmarks.as_ref().and_then(|all| all.of(place.partition));
        let is_sent = |reason, attempts| {
            progress.is_some_and(|known| place.offset < known.position(reason, attempts))
        };
        match judge(DeadLetterHeader::find(named), value, &self.rules, is_sent) {
            Err(left) => {
                self.counts.report.read += 1;
                self.tracker.add(place, None);
                self.leave(place, left);
            }
            Ok((header, sendable)) => {
                if !self.send(place, &header, sendable, message)? {
                    return Ok(ControlFlow::Break(()));
                }
                self.counts.report.read += 1;
                self.sent += 1;
            }
        }
        self.make_room()?;
        let is_enough = self.is_limit_reached() || self.shutdown.is_requested();
        Ok(if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    fn pass_over(&mut self, Unreadable { partition, from, until, why }: Unreadable) {
        for offset in from..until {
            let place = Place { partition, offset };
            self.counts.report.read += 1;
            self.tracker.add(place, None);
            self.leave(place, Left::Damaged(why));
        }
    }

    /// Sends a letter; false when a stop was asked for before its topic was known.
    fn send(
        &mut self,
        place: Place,
        header: &DeadLetterHeader,
        sendable: Sendable<'_>,
        message: &BorrowedMessage<'_>,
    ) -> Result<bool, RedriveError> {
        if self.options.dry_run {
            self.counts.report.redriven += 1;
            return Ok(true);
        }
        let topic = self.options.to.as_ref().unwrap_or(&header.topic);
        if !self.await_target(topic)? {
            return Ok(false);
        }
        let Some(target) = self.targets.get_mut(topic) else { return Ok(false) };
        let (receipt, share) = Receipt::new();
        let (partition, attempts) = (header.partition, header.attempts.saturating_add(1));
        let letter = Addressed { place, partition, attempts, share };
        match sendable {
            Sendable::Record(record) => target.send_record(letter, record.into_owned()),
            Sendable::Whole => {
                let headers = message::headers(message).map(|it| MessageHeader {
                    name: it.key.to_owned().into(),
                    value: it.value.map(|value| value.to_vec().into()),
                });
                let value = message.payload().unwrap_or_default();
                target.send_whole(letter, value, headers.collect());
            }
        }
        self.tracker.add(place, Some(receipt));
        Ok(true)
    }

    /// Waits until it is known how many partitions a topic has; false when a stop was asked for first.
    fn await_target(&mut self, topic: &str) -> Result<bool, RedriveError> {
        if !self.targets.contains_key(topic) {
            let common = Common {
                cluster: self.cluster,
                batching: &self.options.batching,
                incarnation: self.incarnation,
                budget: &self.budget,
            };
            self.targets.insert(topic.to_owned(), Target::new(topic, &common)?);
        }
        while self.targets.get(topic).is_some_and(|target| !target.is_known()) {
            if self.shutdown.is_requested() {
                return Ok(false);
            }
            let again = self.turn()?;
            self.wait(again);
        }
        Ok(true)
    }

    /// Waits while too much is on its way.
    fn make_room(&mut self) -> Result<(), RedriveError> {
        loop {
            let again = self.turn()?;
            if self.budget.used() < MEMORY || self.shutdown.is_requested() {
                return Ok(());
            }
            self.wait(again);
        }
    }

    /// Does what can be done now; says when to come back at the latest.
    fn turn(&mut self) -> Result<Option<Instant>, RedriveError> {
        let now = Instant::now();
        let mut again = None;
        for target in self.targets.values_mut() {
            target.take_reports(&mut self.counts)?;
            let at = target.pump(now, &mut self.counts)?;
            again = [again, at].into_iter().flatten().min();
        }
        for (place, left) in std::mem::take(&mut self.counts.refused) {
            self.leave(place, left);
        }
        if now.saturating_duration_since(self.committed) >= COMMIT_EVERY {
            self.save()?;
        }
        if now.saturating_duration_since(self.told) >= TELL_EVERY {
            self.told = now;
            (self.tell)(Notice::Progress { read: self.counts.report.read, of: self.of });
        }
        Ok(again)
    }

    /// Waits for the next report, or until something is due.
    fn wait(&self, until: Option<Instant>) {
        let due = until.map_or(TICK, |at| at.saturating_duration_since(Instant::now()).min(TICK));
        let reports: Vec<_> = self.targets.values().map(Target::reports).collect();
        let mut select = Select::new();
        for receiver in &reports {
            select.recv(receiver);
        }
        let _ = select.ready_timeout(due); // whatever came is taken at the next turn
    }

    /// Waits for acknowledgements; gives back whether all letters were read.
    fn finish(&mut self, read: Result<bool, RedriveError>) -> Result<bool, RedriveError> {
        match &read {
            Ok(_) | Err(RedriveError::Read(_)) => {}
            Err(_) => return read, // the other side is at fault
        }
        self.targets.values_mut().for_each(|target| target.close_batches(None));
        let mut deadline = None;
        loop {
            let again = self.turn()?;
            if self.targets.values().all(Target::is_empty) {
                return read;
            }
            if self.shutdown.is_requested() {
                let deadline = *deadline.get_or_insert_with(|| Instant::now() + GRACE);
                if Instant::now() >= deadline {
                    let letters = self.tracker.unsettled();
                    return Err(RedriveError::Unacknowledged { letters });
                }
            }
            self.wait(again);
        }
    }

    /// Tells the group how far everything is settled.
    fn save(&mut self) -> Result<(), RedriveError> {
        self.committed = Instant::now();
        let Some(bookmarks) = self.bookmarks.as_mut().filter(|_| !self.options.dry_run) else {
            return Ok(());
        };
        bookmarks.write(self.options, &self.tracker.positions())
    }

    fn leave(&mut self, place: Place, left: Left) {
        count(&mut self.counts.report, &left);
        (self.tell)(Notice::Left(place, left));
    }

    fn is_limit_reached(&self) -> bool {
        self.options.limit.is_some_and(|limit| self.sent >= limit)
    }
}

const fn count(report: &mut RedriveReport, left: &Left) {
    let counter = match left {
        Left::Foreign | Left::Unreadable(_) | Left::Damaged(_) => &mut report.unreadable,
        Left::Truncated { .. } => &mut report.truncated,
        Left::TooManyAttempts { .. } => &mut report.too_many_attempts,
        Left::NotAsked(_)
        | Left::SentBefore
        | Left::NotOneLine
        | Left::OwnTopic
        | Left::TooLarge { .. } => &mut report.skipped,
    };
    *counter += 1;
}
