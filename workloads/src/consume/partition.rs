//! One partition at its worker: each message is opened, delivered and settled before the next one is begun.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use batchpipe_api::{envelope::Envelope, reason::Reason};

use super::{
    assignment::{Assigned, UNKNOWN},
    fetched::Fetched,
    sequence::Sequences,
    worker::{Desk, Stop},
};
use crate::{
    backoff::Backoff,
    clock::unix_ms,
    dead_letter::DeadLetter,
    dead_letter_header::DeadLetterHeader,
    decode::{BadRecord, Batch, Opened, Rejection},
    error::chain,
    ledger::Counts,
    sink::{Delivery, Durable, WriteError, Writer},
};

/// What was written and is not durable yet.
#[derive(Clone, Copy, Debug)]
struct Pending {
    offset: i64,
    records: u64,
    raw_bytes: u64,
    wire_bytes: u64,
}

/// A worker's side of one partition.
pub(super) struct Partition {
    pub(super) assigned: Arc<Assigned>,
    writer: Box<dyn Writer>,
    /// Messages before this offset are in the sink already.
    resume_at: i64,
    pending: VecDeque<Pending>,
    /// The offset after the last message that is settled but for the sink's durability.
    reached: i64,
    /// The offset of the last message that came.
    seen: i64,
    sequences: Sequences,
    /// Whether the sink is reported as stalled by this partition.
    is_stalled: bool,
}

impl Partition {
    pub(super) fn new(assigned: Arc<Assigned>, writer: Box<dyn Writer>) -> Self {
        let resume_at = writer.resume_at().unwrap_or(UNKNOWN);
        Self {
            assigned,
            writer,
            resume_at,
            pending: VecDeque::new(),
            reached: UNKNOWN,
            seen: UNKNOWN,
            sequences: Sequences::default(),
            is_stalled: false,
        }
    }

    /// Whether a message comes before one that was here already, although nobody asked for it again: the topic
    /// was deleted and made again.
    pub(super) const fn is_behind(&self, message: &Fetched) -> bool {
        message.offset < self.seen
    }

    /// Settles one message, however long that takes; gives up when the partition or the process has to.
    pub(super) fn process(&mut self, message: &Fetched, desk: &mut Desk) -> Result<(), Stop> {
        if message.offset > self.seen + 1 && self.seen != UNKNOWN {
            self.sequences.forget(); // retention took something away, which is reported elsewhere
        }
        self.seen = message.offset;
        if message.offset < self.resume_at {
            self.reach(message.offset + 1);
            return Ok(());
        }
        self.assigned.set_timestamp_ms(message.timestamp_ms);
        if message.offset == 0 {
            self.sequences.begin_at_start();
        }
        if message.is_cut() {
            let envelope = message.view().headers.envelope().ok().flatten();
            let rejection = Rejection::new(Reason::TooLarge, envelope, &desk.config.limits);
            return self.reject(message, &rejection, desk);
        }
        let validate = desk.config.validate;
        match desk.opener.open(&message.view(), &desk.config.limits, validate, &mut desk.batch) {
            Ok(Opened::Tombstone) => {
                desk.shared.ledger.update(|counts| counts.tombstones += 1);
                self.skip(message.offset, desk);
                Ok(())
            }
            Ok(Opened::Marker { envelope }) => {
                self.observe(Some(&envelope), desk);
                self.skip(message.offset, desk);
                Ok(())
            }
            Ok(Opened::Batch { envelope, .. }) => {
                self.observe(envelope.as_ref(), desk);
                self.deliver(message, desk)
            }
            Err(rejection) => self.reject(message, &rejection, desk),
        }
    }

    fn observe(&mut self, envelope: Option<&Envelope>, desk: &Desk) {
        let missing = envelope.map_or(0, |envelope| self.sequences.observe(envelope));
        if missing > 0 {
            let partition = self.assigned.partition;
            tracing::error!(
                partition,
                missing,
                "records are missing from the topic; see `batchpipe audit`"
            );
            // Whoever may write to the topic may write any number into a header.
            desk.shared.ledger.update(|counts| {
                counts.missing_records = counts.missing_records.saturating_add(missing);
            });
        }
    }

    /// Delivers the good records and keeps the bad ones.
    fn deliver(&mut self, message: &Fetched, desk: &mut Desk) -> Result<(), Stop> {
        let batch = std::mem::take(&mut desk.batch);
        let total = u64::from(batch.total());
        desk.shared.ledger.update(|counts| counts.accepted += total);
        let outcome = self.deliver_batch(message, &batch, desk);
        desk.batch = batch;
        outcome.map_err(|(stop, unsettled)| {
            desk.shared.ledger.update(|counts| counts.released += unsettled);
            stop
        })
    }

    /// The error says how many records are neither written nor kept.
    ///
    /// Letters first: once the sink has a message, nobody comes back to it, so what it does not get must be safe
    /// before.
    fn deliver_batch(
        &mut self,
        message: &Fetched,
        batch: &Batch,
        desk: &Desk,
    ) -> Result<(), (Stop, u64)> {
        let good = u64::from(batch.records);
        self.keep_bad(message, batch, desk).map_err(|(stop, bad)| (stop, good + bad))?;
        if good == 0 {
            self.skip(message.offset, desk);
            return Ok(());
        }
        let durable = self.write(message, batch, desk).map_err(|stop| (stop, good))?;
        self.pending.push_back(Pending {
            offset: message.offset,
            records: good,
            raw_bytes: batch.text.len() as u64,
            wire_bytes: message.value.as_ref().map_or(0, |value| value.len() as u64),
        });
        let age = unix_ms().saturating_sub(message.timestamp_ms).max(0).unsigned_abs();
        desk.shared.side.latency(age, good);
        self.reach(message.offset + 1);
        self.settle(durable, desk);
        Ok(())
    }

    /// Keeps the bad records of a batch, some at a time: a hostile batch holds very many. The error says how many
    /// are left.
    fn keep_bad(&self, message: &Fetched, batch: &Batch, desk: &Desk) -> Result<(), (Stop, u64)> {
        let mut left = batch.bad.len() as u64;
        for some in batch.bad.chunks(LETTERS_AT_ONCE) {
            let letter = |bad: &BadRecord| {
                letter_of_record(batch, bad, self.origin(bad.reason, message, desk))
            };
            if !desk.dead_letters.send(some.iter().map(letter).collect(), || self.gives_up(desk)) {
                return Err((self.unacknowledged(desk), left));
            }
            left -= some.len() as u64;
            desk.shared.ledger.update(|counts| {
                for bad in some {
                    counts.add_dead_letters(bad.reason, 1);
                }
            });
        }
        Ok(())
    }

    /// Keeps a message that cannot be read, whole.
    fn reject(
        &mut self,
        message: &Fetched,
        rejection: &Rejection,
        desk: &mut Desk,
    ) -> Result<(), Stop> {
        let records = u64::from(rejection.records);
        // Without its envelope, what follows may seem to have a hole.
        match &rejection.envelope {
            Some(envelope) => self.observe(Some(envelope), desk),
            None => self.sequences.forget(),
        }
        let origin = self.origin(rejection.reason, message, desk);
        desk.shared.ledger.update(|counts| counts.accepted += records);
        let letter = letter_of_message(message, origin);
        if !desk.dead_letters.send(vec![letter], || self.gives_up(desk)) {
            desk.shared.ledger.update(|counts| counts.released += records);
            return Err(self.unacknowledged(desk));
        }
        desk.shared.ledger.update(|counts| counts.add_dead_letters(rejection.reason, records));
        self.skip(message.offset, desk);
        Ok(())
    }

    /// Writes until the sink takes it.
    fn write(&mut self, message: &Fetched, batch: &Batch, desk: &Desk) -> Result<Durable, Stop> {
        let delivery = Delivery {
            offset: message.offset,
            timestamp_ms: message.timestamp_ms,
            text: &batch.text,
            runs: &batch.runs,
            records: batch.records,
        };
        let mut backoff = Backoff::new(RETRY.0, RETRY.1);
        loop {
            match self.writer.write(&delivery, Instant::now()) {
                Ok(durable) => {
                    backoff.succeed(|| desk.clear_stalled(&self.assigned));
                    return Ok(durable);
                }
                Err(WriteError::Rewind { offset, .. }) => return Err(Stop::Rewind(offset)),
                Err(error @ (WriteError::Closed { .. } | WriteError::Locked { .. })) => {
                    return Err(Stop::Sink(error));
                }
                Err(error) => {
                    desk.stalled(&self.assigned, &chain(&error));
                    if desk.wait(backoff.next_wait(), || self.gives_up(desk)) {
                        return Err(Stop::Abandoned);
                    }
                }
            }
        }
    }

    fn gives_up(&self, desk: &Desk) -> bool {
        desk.beat();
        self.assigned.is_abandoned()
    }

    fn unacknowledged(&self, desk: &Desk) -> Stop {
        if self.gives_up(desk) { Stop::Abandoned } else { Stop::Thread("dead-letter") }
    }

    fn origin(&self, reason: Reason, message: &Fetched, desk: &Desk) -> DeadLetterHeader {
        let (topic, partition) = (&desk.config.topic.name, self.assigned.partition);
        let mut origin = DeadLetterHeader::new(reason, topic, partition, message.offset);
        // It may have been a letter before: whoever sends it back must come to an end.
        origin.attempts = message.attempts();
        origin
    }

    /// The message needs nothing from the sink.
    fn skip(&mut self, offset: i64, desk: &Desk) {
        let durable = self.writer.skip(offset);
        self.reach(offset + 1);
        self.settle(durable, desk);
    }

    fn reach(&mut self, offset: i64) {
        self.reached = offset;
        if self.pending.is_empty() {
            self.assigned.set_done(offset);
        }
    }

    /// Counts what became durable, and moves the offset that may be committed.
    fn settle(&mut self, durable: Durable, desk: &Desk) {
        let before = match durable {
            Durable::All => i64::MAX,
            Durable::Before(offset) => offset,
        };
        let settled = self.pending.iter().take_while(|pending| pending.offset < before).count();
        if settled > 0 {
            desk.shared.ledger.update(|counts| {
                self.pending.drain(..settled).for_each(|pending| pending.count(counts));
            });
        }
        let done = if self.pending.is_empty() { self.reached } else { before.min(self.reached) };
        if done > self.assigned.done() || self.pending.is_empty() {
            self.assigned.set_done(done);
        }
    }

    /// Lets the sink do what is due without traffic.
    pub(super) fn tick(&mut self, desk: &Desk) -> Result<(), Stop> {
        let durable = self.writer.tick(Instant::now());
        self.apply(durable, desk)
    }

    /// Makes everything durable that was written.
    pub(super) fn finish(mut self, desk: &Desk) {
        let flushed = self.writer.flush();
        if let Err(stop) = self.apply(flushed, desk) {
            tracing::warn!(
                partition = self.assigned.partition,
                "{stop}; what is not durable is delivered again"
            );
        }
        if !self.pending.is_empty() {
            self.assigned.fail();
        }
        self.release(desk);
    }

    fn apply(&mut self, durable: Result<Durable, WriteError>, desk: &Desk) -> Result<(), Stop> {
        match durable {
            Ok(durable) => {
                self.settle(durable, desk);
                if std::mem::take(&mut self.is_stalled) {
                    desk.clear_stalled(&self.assigned);
                }
            }
            Err(WriteError::Rewind { offset, .. }) => return Err(Stop::Rewind(offset)),
            Err(error @ (WriteError::Closed { .. } | WriteError::Locked { .. })) => {
                return Err(Stop::Sink(error));
            }
            Err(error) => {
                self.is_stalled = true;
                desk.stalled(&self.assigned, &chain(&error));
            }
        }
        Ok(())
    }

    /// Gives back what was written and did not become durable.
    pub(super) fn release(&mut self, desk: &Desk) {
        let records: u64 = self.pending.drain(..).map(|pending| pending.records).sum();
        desk.shared.ledger.update(|counts| counts.released += records);
        desk.clear_stalled(&self.assigned);
        desk.shared.side.forget_lag(self.assigned.partition);
    }
}

/// How many letters are made and awaited together.
const LETTERS_AT_ONCE: usize = 1000;
/// The first and the longest wait before a sink is tried again.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

impl Pending {
    fn count(self, counts: &mut Counts) {
        counts.delivered += self.records;
        counts.batches += 1;
        counts.raw_bytes += self.raw_bytes;
        counts.wire_bytes += self.wire_bytes;
    }
}

fn letter_of_record(batch: &Batch, record: &BadRecord, mut origin: DeadLetterHeader) -> DeadLetter {
    origin.index = Some(record.index);
    let value = batch.text[record.range.clone()].to_vec();
    DeadLetter { size: value.len() as u64, value, headers: Vec::new(), origin }
}

fn letter_of_message(message: &Fetched, origin: DeadLetterHeader) -> DeadLetter {
    let value = message.value.as_deref().unwrap_or_default().to_vec();
    DeadLetter { size: message.size as u64, value, headers: message.headers.clone(), origin }
}
