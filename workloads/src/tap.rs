//! The tap: looks into a topic of batches and writes its records, or a line about each batch.
//!
//! Reads without a group, so nobody else is disturbed. Records are written as they are, one per line; a dead letter
//! becomes one line of JSON, because its value need not be a record, nor a batch that can be read. What
//! cannot be read is told to the caller and left out; it never ends the tap.

use std::{
    io::{self, Write},
    ops::ControlFlow,
};

use batchpipe_api::reason::Reason;
use rdkafka::{Message as _, message::BorrowedMessage};

use crate::{
    dead_letter_header::DeadLetterHeader,
    decode::{Batch, Limits, Opened, Opener, Rejection},
    kafka::{
        client::Cluster,
        message,
        reader::{self, Event, Reader, ReaderError, Unreadable},
    },
    lines,
    shutdown::Shutdown,
};

mod letter;
mod line;

/// How much is gathered before it is written, in bytes. Nothing waits for more when no message does.
const WRITE_BYTES: usize = 64 * 1024;

/// What to look at, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The topic.
    pub topic: String,
    /// Where to begin and whether to end.
    pub reading: reader::Options,
    /// Write a line about each batch instead of its records.
    pub batches: bool,
    /// End after so many lines.
    pub limit: Option<u64>,
    /// What a batch may be after decompression.
    pub limits: Limits,
}

/// Where the lines go.
pub trait Output: Write {
    /// Whether nobody will ever read them.
    fn is_closed(&self) -> bool {
        false
    }
}

impl Output for Vec<u8> {}

/// Something that was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The message's partition.
    pub partition: i32,
    /// The message's offset.
    pub offset: i64,
    /// What is wrong.
    pub reason: Reason,
    /// How many lines are concerned; `None` when it is the whole message.
    pub lines: Option<usize>,
}

/// Why a tap ended early.
#[derive(Debug, thiserror::Error)]
pub enum TapError {
    /// The topic cannot be read.
    #[error(transparent)]
    Read(#[from] ReaderError),
    /// The lines cannot be written.
    #[error("cannot write to standard output")]
    Write(#[source] io::Error),
}

/// Copies records from the topic to `out` until the limit, the end or a stop is reached. Returns how many lines were
/// written.
pub fn run(
    cluster: &Cluster,
    options: &Options,
    out: &mut impl Output,
    shutdown: &Shutdown,
    complain: impl FnMut(LeftOut),
) -> Result<u64, TapError> {
    let mut reader = Reader::open(cluster, &options.topic, options.reading, shutdown)?;
    let left = options.limit.unwrap_or(u64::MAX);
    let mut tap = Tap {
        options,
        out,
        complain,
        opener: Opener::new(),
        batch: Batch::default(),
        pending: Vec::with_capacity(2 * WRITE_BYTES),
        left,
    };
    let outcome = reader.read(shutdown, |event| match event {
        Event::Message(message) => tap.take(message),
        Event::Unreadable(unreadable) => {
            tap.pass_over(unreadable);
            Ok(ControlFlow::Continue(()))
        }
        Event::Idle => tap.rest(),
    });
    let written = tap.write();
    outcome?;
    written?;
    Ok(left - tap.left)
}

struct Tap<'a, W, C> {
    options: &'a Options,
    out: &'a mut W,
    complain: C,
    opener: Opener,
    batch: Batch,
    /// Whole lines that are not written yet.
    pending: Vec<u8>,
    /// Lines that are still wanted.
    left: u64,
}

impl<W: Output, C: FnMut(LeftOut)> Tap<'_, W, C> {
    fn take(&mut self, message: &BorrowedMessage<'_>) -> Result<ControlFlow<()>, TapError> {
        match dead_letter(message) {
            Some(header) => self.take_letter(message, &header),
            None => self.take_batch(message),
        }
        if self.pending.len() >= WRITE_BYTES {
            self.write()?;
        }
        Ok(if self.left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    fn pass_over(&mut self, Unreadable { partition, from, until, why }: Unreadable) {
        tracing::warn!(partition, from, until, "messages cannot be read: {why}");
        for offset in from..until {
            let reason = Reason::Corrupt;
            (self.complain)(LeftOut { partition, offset, reason, lines: None });
        }
    }

    fn take_letter(&mut self, message: &BorrowedMessage<'_>, header: &DeadLetterHeader) {
        if self.options.batches {
            line::describe_letter(message, header, &mut self.pending);
        } else {
            let headers =
                message::headers(message).filter_map(|header| Some((header.key, header.value?)));
            let value = message.payload().unwrap_or_default();
            self.pending.extend_from_slice(letter::json(header, value, headers).as_bytes());
            self.pending.push(b'\n');
        }
        self.left -= 1;
    }

    fn take_batch(&mut self, message: &BorrowedMessage<'_>) {
        let view = message::view(message);
        let validate = message::is_unproved(&view);
        let opened = self.opener.open(&view, &self.options.limits, validate, &mut self.batch);
        if self.options.batches {
            line::describe(message, &opened, &self.batch, &mut self.pending);
            self.left -= 1;
        } else {
            self.left -= copy_records(&self.batch, self.left, &mut self.pending);
        }
        self.complain(message, &opened);
    }

    fn complain(&mut self, message: &BorrowedMessage<'_>, opened: &Result<Opened, Rejection>) {
        let (partition, offset) = (message.partition(), message.offset());
        match opened {
            Err(rejection) => {
                let reason = rejection.reason;
                (self.complain)(LeftOut { partition, offset, reason, lines: None });
            }
            Ok(_) if !self.batch.bad.is_empty() => {
                let (reason, lines) = (Reason::InvalidJson, Some(self.batch.bad.len()));
                (self.complain)(LeftOut { partition, offset, reason, lines });
            }
            Ok(_) => {}
        }
    }

    /// No message waits: shows what there is.
    fn rest(&mut self) -> Result<ControlFlow<()>, TapError> {
        self.write()?;
        Ok(if self.out.is_closed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    fn write(&mut self) -> Result<(), TapError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let written = self.out.write_all(&self.pending).and_then(|()| self.out.flush());
        self.pending.clear();
        self.pending.shrink_to(2 * WRITE_BYTES);
        written.map_err(TapError::Write)
    }
}

/// What makes a message a dead letter, if it is one that can be read.
fn dead_letter(message: &BorrowedMessage<'_>) -> Option<DeadLetterHeader> {
    let headers = message::headers(message).map(|header| (header.key, header.value));
    DeadLetterHeader::find(headers)?.ok()
}

/// Appends at most `most` records, each with a line end; returns how many.
fn copy_records(batch: &Batch, most: u64, out: &mut Vec<u8>) -> u64 {
    if u64::from(batch.records) <= most {
        for run in &batch.runs {
            out.extend_from_slice(&batch.text[run.clone()]);
            out.push(b'\n');
        }
        return u64::from(batch.records);
    }
    let mut copied = 0;
    for run in &batch.runs {
        let text = &batch.text[run.clone()];
        for record in lines::lines(text) {
            if copied == most {
                return copied;
            }
            out.extend_from_slice(&text[record]);
            out.push(b'\n');
            copied += 1;
        }
    }
    copied
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Message;

    const LIMITS: Limits = Limits { max_bytes: 1 << 20, max_records: 1000 };

    fn copied(text: &str, most: u64) -> (u64, String) {
        let mut batch = Batch::default();
        let message = Message { value: Some(text.as_bytes()), ..Message::default() };
        Opener::new().open(&message, &LIMITS, true, &mut batch).unwrap();
        let mut out = Vec::new();
        let count = copy_records(&batch, most, &mut out);
        (count, String::from_utf8(out).unwrap())
    }

    #[test]
    fn every_record_becomes_one_line() {
        assert_eq!(copied("1\n2", 9), (2, "1\n2\n".to_owned()));
        assert_eq!(copied("1\n\n2\n", 9), (2, "1\n2\n".to_owned()), "blank lines are no records");
        assert_eq!(copied("1\nbad\n2\n3", 9), (3, "1\n2\n3\n".to_owned()));
    }

    #[test]
    fn the_limit_is_exact_across_runs() {
        for (most, expected) in
            [(0, ""), (1, "1\n"), (2, "1\n2\n"), (3, "1\n2\n3\n"), (4, "1\n2\n3\n")]
        {
            let (count, text) = copied("1\nbad\n2\n3", most);
            assert_eq!((count, text.as_str()), (most.min(3), expected));
        }
    }
}
