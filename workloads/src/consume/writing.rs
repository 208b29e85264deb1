//! Getting the records of one message to where they belong: to the sink, however often that has to be tried, or, one by
//! one, to the dead-letter topic.

use std::time::{Duration, Instant};

use batchpipe_api::{codec::Codec, reason::Reason};

use super::{desk::Desk, fetched::Fetched, partition::Partition, worker::Stop};
use crate::{
    backoff::Backoff,
    dead_letter::DeadLetter,
    dead_letter_header::DeadLetterHeader,
    decode::{BadRecord, Batch},
    sink::{Carried, Delivery, Durable, Packed, Refused, WriteError},
};

/// How many letters are made and awaited together.
const LETTERS_AT_ONCE: usize = 1000;
/// How long to wait before a writer is asked again to take letters.
const LETTERS_WAIT: Duration = Duration::from_millis(50);
/// The first and the longest wait before a sink is tried again.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// What became of the good records of a message.
pub(super) struct Written {
    /// How far the sink is durable.
    pub(super) durable: Durable,
    /// How many records the sink refused for good; they are in the dead-letter topic.
    pub(super) refused: u64,
}

impl Partition {
    /// Writes until the sink has taken each record, or has refused it for good and it is kept elsewhere. The error says
    /// how many records are neither.
    pub(super) fn write(
        &mut self,
        message: &Fetched,
        codec: Codec,
        batch: &Batch,
        desk: &Desk,
    ) -> Result<Written, (Stop, u64)> {
        let is_whole = matches!(&batch.runs[..], [run] if *run == (0..batch.text.len()));
        let value = message.value.as_deref().filter(|_| is_whole);
        let delivery = Delivery {
            offset: message.offset,
            timestamp_ms: message.timestamp_ms,
            text: &batch.text,
            runs: &batch.runs,
            records: batch.records,
            packed: value.map(|value| Packed { value, codec }),
        };
        let mut left = u64::from(batch.records);
        let mut backoff = Backoff::spread(RETRY.0, RETRY.1);
        loop {
            let error = match self.writer.write(&delivery, Instant::now()) {
                Ok(durable) => {
                    backoff.succeed(|| desk.clear_stalled(&self.assigned));
                    return Ok(Written { durable, refused: u64::from(batch.records) - left });
                }
                Err(error) => error,
            };
            match error {
                WriteError::Unfinished { progress } => {
                    if progress {
                        backoff.succeed(|| desk.clear_stalled(&self.assigned));
                    }
                    if self.gives_up(desk) {
                        return Err((Stop::Abandoned, left));
                    }
                }
                WriteError::Refused { records, why } => {
                    let kept = self.keep_refused(&records, message, batch, desk);
                    let unkept = kept.as_ref().err().map_or(0, |(_, unkept)| *unkept);
                    left -= records.len() as u64 - unkept;
                    kept.map_err(|(stop, _)| (stop, left))?;
                    desk.refused(&self.assigned, records.len(), &why);
                }
                WriteError::Rewind { offset, .. } | WriteError::Aborted { offset, .. } => {
                    return Err((self.rewind(offset, desk), left));
                }
                error @ WriteError::Unknown { .. } => return Err((Stop::Unknown(error), left)),
                error @ (WriteError::Closed { .. } | WriteError::Locked { .. }) => {
                    return Err((Stop::Sink(error), left));
                }
                error => {
                    desk.stalled(&self.assigned, &error);
                    let asked = error.retry_after().unwrap_or_default();
                    if desk.wait(backoff.next_wait().max(asked), || self.gives_up(desk)) {
                        return Err((Stop::Abandoned, left));
                    }
                }
            }
        }
    }

    /// Keeps records that the sink will never take.
    fn keep_refused(
        &mut self,
        refused: &[Refused],
        message: &Fetched,
        batch: &Batch,
        desk: &Desk,
    ) -> Result<(), (Stop, u64)> {
        let record = |(index, refused): (u32, &Refused)| BadRecord {
            index,
            range: refused.range.clone(),
            reason: Reason::SinkRejected,
        };
        let numbers = refused.iter().map(|refused| refused.number);
        let bad: Vec<u32> = batch.bad.iter().map(|bad| bad.index).collect();
        let records: Vec<_> = indices_in_batch(&bad, numbers).zip(refused).map(record).collect();
        self.keep(&records, message, batch, desk)
    }

    /// Keeps the bad records of a batch, some at a time: a hostile batch holds very many. The error says how many
    /// are left.
    pub(super) fn keep_bad(
        &mut self,
        message: &Fetched,
        batch: &Batch,
        desk: &Desk,
    ) -> Result<(), (Stop, u64)> {
        self.keep(&batch.bad, message, batch, desk)
    }

    fn keep(
        &mut self,
        records: &[BadRecord],
        message: &Fetched,
        batch: &Batch,
        desk: &Desk,
    ) -> Result<(), (Stop, u64)> {
        let mut left = records.len() as u64;
        for some in records.chunks(LETTERS_AT_ONCE) {
            let letter = |bad: &BadRecord| {
                letter_of_record(batch, bad, self.origin(bad.reason, message, desk))
            };
            let letters = some.iter().map(letter).collect();
            let reasons = some.iter().map(|bad| (bad.reason, 1));
            self.keep_letters(message.offset, letters, reasons, desk)
                .map_err(|stop| (stop, left))?;
            left -= some.len() as u64;
        }
        Ok(())
    }

    /// Keeps dead letters of a message that is settled next: with it, if the writer takes them, or else at once.
    /// `records` says what they stand for.
    pub(super) fn keep_letters(
        &mut self,
        offset: i64,
        mut letters: Vec<DeadLetter>,
        records: impl Iterator<Item = (Reason, u64)>,
        desk: &Desk,
    ) -> Result<(), Stop> {
        let mut waited = false;
        let letters = loop {
            letters = match self.writer.carry(offset, letters) {
                Carried::Not(letters) => break letters,
                Carried::WithMessage => {
                    if waited {
                        desk.letters_flow();
                    }
                    self.carried.extend(records);
                    return Ok(());
                }
                Carried::Later(letters, why) => {
                    if let Some(why) = why {
                        waited = true;
                        desk.letters_wait(&why);
                    }
                    letters
                }
            };
            if desk.wait(LETTERS_WAIT, || self.gives_up(desk)) {
                return Err(Stop::Abandoned);
            }
        };
        if !desk.dead_letters.send(letters, || self.gives_up(desk)) {
            return Err(self.unacknowledged(desk));
        }
        desk.shared.ledger.update(|counts| {
            records.for_each(|(reason, records)| counts.add_dead_letters(reason, records));
        });
        Ok(())
    }

    pub(super) fn gives_up(&self, desk: &Desk) -> bool {
        desk.beat();
        self.assigned.is_abandoned()
    }

    pub(super) fn unacknowledged(&self, desk: &Desk) -> Stop {
        if self.gives_up(desk) { Stop::Abandoned } else { Stop::Thread("dead-letter") }
    }

    pub(super) fn origin(
        &self,
        reason: Reason,
        message: &Fetched,
        desk: &Desk,
    ) -> DeadLetterHeader {
        let (topic, partition) = (&desk.config.topic.name, self.assigned.partition);
        let mut origin = DeadLetterHeader::new(reason, topic, partition, message.offset);
        // It may have been a letter before: whoever sends it back must come to an end.
        origin.attempts = message.attempts();
        origin
    }
}

/// Where records are in their batch, given where they are among its good ones; both in order.
fn indices_in_batch(bad: &[u32], good: impl Iterator<Item = u32>) -> impl Iterator<Item = u32> {
    let mut before = 0;
    good.map(move |number| {
        while bad.get(before as usize).is_some_and(|index| *index <= number + before) {
            before += 1;
        }
        number + before
    })
}

fn letter_of_record(batch: &Batch, record: &BadRecord, mut origin: DeadLetterHeader) -> DeadLetter {
    origin.index = Some(record.index);
    let value = batch.text[record.range.clone()].to_vec();
    DeadLetter { size: value.len() as u64, value, headers: Vec::new(), origin }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_record_has_its_place_among_all_of_its_batch() {
        let indices =
            |bad: &[u32]| indices_in_batch(bad, [0, 1, 2, 5].into_iter()).collect::<Vec<_>>();
        assert_eq!(indices(&[]), [0, 1, 2, 5]);
        assert_eq!(indices(&[0, 1]), [2, 3, 4, 7]);
        assert_eq!(indices(&[1, 3, 9]), [0, 2, 4, 7]);
    }
}
