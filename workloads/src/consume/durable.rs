//! What of a partition is durable: which messages wait for that, what is counted when they are, and which offset the group may
//! be told. Follows from what the sink says; writes nothing.

use std::time::Instant;

use super::{
    assignment::UNKNOWN,
    desk::Desk,
    partition::Partition,
    pending::{Pending, Sizes},
    worker::Stop,
};
use crate::sink::{Durable, WriteError};

impl Partition {
    /// The message needs nothing from the sink.
    pub(super) fn skip(&mut self, offset: i64, desk: &Desk) {
        let durable = self.writer.skip(offset);
        self.push_pending(offset, None, durable, desk);
        self.reach(offset + 1);
        self.settle(durable, desk);
    }

    /// Notes a message that is settled but for the sink's durability. As few are kept as are told apart by it: a file may be
    /// open for hours.
    pub(super) fn push_pending(
        &mut self,
        offset: i64,
        written: Option<Sizes>,
        durable: Durable,
        desk: &Desk,
    ) {
        self.count(durable, desk);
        let carried = std::mem::take(&mut self.carried);
        let next = Pending { offset, written, carried };
        let is_one = self.writer.is_durable_at_once();
        match self.pending.back_mut() {
            Some(last) if is_one || last.is_empty() && next.is_empty() => last.join(next),
            _ => self.pending.push_back(next),
        }
    }

    pub(super) fn reach(&mut self, offset: i64) {
        self.reached = offset;
        if self.pending.is_empty() {
            self.assigned.set_done(offset);
        }
    }

    /// Counts what became durable; returns before which offset all is.
    fn count(&mut self, durable: Durable, desk: &Desk) -> i64 {
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
        before
    }

    /// Counts what became durable, and moves the offset that may be committed.
    pub(super) fn settle(&mut self, durable: Durable, desk: &Desk) {
        let before = self.count(durable, desk);
        if self.reached == UNKNOWN {
            return; // nothing came yet that was not done before
        }
        let done = if self.pending.is_empty() { self.reached } else { before.min(self.reached) };
        if done > self.assigned.done() || self.pending.is_empty() {
            self.assigned.set_done(done);
            // What the group is to be told of a log that went back is not for the sink to tell.
            if desk.sink.keeps_offsets() && !self.assigned.is_beyond() {
                self.assigned.set_committed(done);
            }
        }
    }

    /// Lets the sink do what is due without traffic.
    pub(super) fn tick(&mut self, desk: &Desk) -> Result<(), Stop> {
        let durable = self.writer.tick(Instant::now());
        self.apply(durable, desk)
    }

    /// Makes everything durable that was written.
    pub(super) fn finish(mut self, desk: &Desk) {
        let flushed = self.flush(desk);
        // The sink is well; what it does not have is given back.
        let is_given_back = matches!(flushed, Err(WriteError::Aborted { .. }));
        if let Err(stop) = self.apply(flushed, desk) {
            tracing::warn!(
                partition = self.assigned.partition,
                "{stop}; what is not durable is delivered again"
            );
        }
        if !self.pending.is_empty() && !is_given_back {
            self.assigned.fail();
        }
        self.release(desk);
    }

    /// Flushes until that is done or has failed, or the partition has to be given up.
    fn flush(&mut self, desk: &Desk) -> Result<Durable, WriteError> {
        loop {
            let flushed = self.writer.flush();
            if !matches!(flushed, Err(WriteError::Unfinished { .. })) || self.gives_up(desk) {
                return flushed;
            }
        }
    }

    /// Makes durable what was written, however long that takes, so that what is counted is final.
    pub(super) fn settle_all(&mut self, desk: &Desk) -> Result<(), Stop> {
        let flushed = self.flush(desk);
        self.apply(flushed, desk)
    }

    fn apply(&mut self, durable: Result<Durable, WriteError>, desk: &Desk) -> Result<(), Stop> {
        match durable {
            Ok(durable) => {
                self.settle(durable, desk);
                if std::mem::take(&mut self.is_stalled) {
                    desk.clear_stalled(&self.assigned);
                }
            }
            Err(WriteError::Rewind { offset, .. } | WriteError::Aborted { offset, .. }) => {
                return Err(self.rewind(offset, desk));
            }
            Err(error @ WriteError::Unknown { .. }) => return Err(Stop::Unknown(error)),
            Err(WriteError::Unfinished { .. }) => {} // given up before it was done
            Err(error @ (WriteError::Closed { .. } | WriteError::Locked { .. })) => {
                return Err(Stop::Sink(error));
            }
            Err(error) => {
                self.is_stalled = true;
                desk.stalled(&self.assigned, &error);
            }
        }
        Ok(())
    }

    /// Everything from this offset on comes again; what is before it became durable, though nobody has said so yet.
    pub(super) fn rewind(&mut self, offset: i64, desk: &Desk) -> Stop {
        self.settle(Durable::Before(offset), desk);
        Stop::Rewind(offset)
    }

    /// Gives back what was written and did not become durable.
    pub(super) fn release(&mut self, desk: &Desk) {
        let records: u64 = self.pending.drain(..).map(|pending| pending.records()).sum();
        desk.shared.ledger.update(|counts| counts.released += records);
        desk.clear_stalled(&self.assigned);
        desk.shared.side.forget_lag(self.assigned.partition);
    }
}
