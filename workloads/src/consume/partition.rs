//! One partition at its worker: each message is opened, delivered and settled before the next one is begun.

use std::{collections::VecDeque, sync::Arc};

use batchpipe_api::{codec::Codec, envelope::Envelope, reason::Reason};

use super::{
    assignment::{Assigned, UNKNOWN},
    desk::Desk,
    fetched::{Fetched, Identity},
    pending::{Pending, Sizes},
    sequence::Sequences,
    worker::Stop,
    writing::Written,
};
use crate::{
    clock::unix_ms,
    dead_letter::DeadLetter,
    dead_letter_header::DeadLetterHeader,
    decode::{Batch, Opened, Rejection},
    kafka::gap::Gap,
    sink::{WriteError, Writer},
};

/// A worker's side of one partition.
pub(super) struct Partition {
    pub(super) assigned: Arc<Assigned>,
    pub(super) writer: Box<dyn Writer>,
    /// Messages before this offset are in the sink already.
    resume_at: i64,
    pub(super) pending: VecDeque<Pending>,
    /// What the sink stores as dead letters together with the message at hand.
    pub(super) carried: Vec<(Reason, u64)>,
    /// The offset after the last message that is settled but for the sink's durability.
    pub(super) reached: i64,
    /// The offset of the last message that came.
    seen: i64,
    gap: Gap,
    /// What tells the last message from another one, where its offset may not.
    identity: Option<Identity>,
    sequences: Sequences,
    /// Whether the sink is reported as stalled by this partition.
    pub(super) is_stalled: bool,
}

impl Partition {
    pub(super) fn new(assigned: Arc<Assigned>, writer: Box<dyn Writer>) -> Self {
        let resume_at = writer.resume_at().unwrap_or(UNKNOWN);
        Self {
            assigned,
            writer,
            resume_at,
            pending: VecDeque::new(),
            carried: Vec::new(),
            reached: UNKNOWN,
            seen: UNKNOWN,
            gap: Gap::default(),
            identity: None,
            sequences: Sequences::default(),
            is_stalled: false,
        }
    }

    /// Whether a message comes before one that was here already, although nobody asked for it again: the topic
    /// was deleted and made again, or it [fills](Self::is_filled_by) what was left out.
    pub(super) const fn is_behind(&self, message: &Fetched) -> bool {
        message.offset < self.seen
    }

    /// How many that are not durable yet are told apart.
    #[cfg(test)]
    pub(super) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// The offset of the last message that came.
    pub(super) const fn seen(&self) -> i64 {
        self.seen
    }

    /// Whether a message fills what was left out: then the offsets of what came behind that are not true. What is before this
    /// message has been delivered, and nothing behind it.
    pub(super) fn is_filled_by(&self, message: &Fetched) -> bool {
        self.gap.is_filled_by(message.offset, self.seen) || self.is_another_at_the_same(message)
    }

    /// Whether a message has the offset of the last one, behind one offset that was left out, and is another one.
    fn is_another_at_the_same(&self, message: &Fetched) -> bool {
        let Some(last) = self.identity.filter(|_| message.offset == self.seen) else {
            return false;
        };
        message.identity().is_some_and(|identity| identity != last)
    }

    /// Goes back to such a message: what came behind the gap belongs into it, in the sink too.
    pub(super) fn go_back(&mut self, message: &Fetched) -> Result<(), WriteError> {
        self.reached = self.reached.min(message.offset);
        let done = self.assigned.done();
        let is_all_done = self.pending.is_empty();
        let done = if is_all_done { done.min(message.offset) } else { self.gap.closed(done) };
        self.assigned.set_done(done);
        for pending in &mut self.pending {
            pending.offset = self.gap.closed(pending.offset);
        }
        self.writer.close_gap(&self.gap)
    }

    /// Settles one message, however long that takes; gives up when the partition or the process has to.
    pub(super) fn process(&mut self, message: &Fetched, desk: &mut Desk) -> Result<(), Stop> {
        if message.offset > self.seen + 1 && self.seen != UNKNOWN {
            self.sequences.forget(); // retention took something away, which is reported elsewhere
            self.gap = Gap::new(self.seen + 1, message.offset);
        }
        self.seen = message.offset;
        self.identity = self.gap.is_of_one().then(|| message.identity()).flatten();
        if message.offset < self.resume_at {
            self.reach(message.offset + 1);
            return Ok(());
        }
        if !message.is_unreadable {
            self.assigned.set_timestamp_ms(message.timestamp_ms);
        }
        if message.offset == 0 {
            self.sequences.begin_at_start();
        }
        if message.is_unreadable {
            let rejection = Rejection::new(Reason::Corrupt, None, &desk.config.limits);
            return self.reject(message, &rejection, desk);
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
            Ok(Opened::Batch { codec, envelope }) => {
                self.observe(envelope.as_ref(), desk);
                self.deliver(message, codec, desk)
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
    fn deliver(&mut self, message: &Fetched, codec: Codec, desk: &mut Desk) -> Result<(), Stop> {
        let batch = std::mem::take(&mut desk.batch);
        let total = u64::from(batch.total());
        desk.shared.ledger.update(|counts| counts.accepted += total);
        let outcome = self.deliver_batch(message, codec, &batch, desk);
        desk.batch = batch;
        outcome.map_err(|(stop, unsettled)| {
            let unsettled = unsettled + self.drop_carried();
            desk.shared.ledger.update(|counts| counts.released += unsettled);
            stop
        })
    }

    /// Forgets which letters were to be stored with the message at hand; returns how many records they are.
    fn drop_carried(&mut self) -> u64 {
        self.carried.drain(..).map(|(_, records)| records).sum()
    }

    /// The error says how many records are neither written nor kept.
    ///
    /// Letters first: once the sink has a message, nobody comes back to it, so what it does not get must be safe
    /// before.
    fn deliver_batch(
        &mut self,
        message: &Fetched,
        codec: Codec,
        batch: &Batch,
        desk: &Desk,
    ) -> Result<(), (Stop, u64)> {
        let good = u64::from(batch.records);
        self.keep_bad(message, batch, desk).map_err(|(stop, bad)| (stop, good + bad))?;
        if good == 0 {
            self.skip(message.offset, desk);
            return Ok(());
        }
        let Written { durable, refused } = self.write(message, codec, batch, desk)?;
        let delivered = good - refused;
        if delivered == 0 {
            self.skip(message.offset, desk);
            return Ok(());
        }
        let written = Sizes {
            messages: 1,
            records: delivered,
            raw_bytes: batch.text.len() as u64,
            wire_bytes: message.value.as_ref().map_or(0, |value| value.len() as u64),
        };
        self.push_pending(message.offset, Some(written), durable, desk);
        let age = unix_ms().saturating_sub(message.timestamp_ms).max(0).unsigned_abs();
        desk.shared.side.latency(age, delivered);
        self.reach(message.offset + 1);
        self.settle(durable, desk);
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
        let stands_for = std::iter::once((rejection.reason, records));
        self.keep_letters(message.offset, vec![letter], stands_for, desk).inspect_err(|_| {
            desk.shared.ledger.update(|counts| counts.released += records);
        })?;
        self.skip(message.offset, desk);
        Ok(())
    }
}

fn letter_of_message(message: &Fetched, mut origin: DeadLetterHeader) -> DeadLetter {
    // Of how many bytes nothing is kept is not known.
    origin.truncated = message.is_unreadable.then_some(0);
    let value = message.value.as_deref().unwrap_or_default().to_vec();
    DeadLetter { size: message.size as u64, value, headers: message.headers.clone(), origin }
}
