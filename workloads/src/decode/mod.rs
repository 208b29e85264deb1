//! Reading one message: value and headers in, records or a reason out.
//!
//! Pure: no client, no clock, no sink. Used by whatever reads a topic of batches. A message is either
//! understood as a whole or rejected as a whole; single records of an understood batch can still be bad.
//!
//! # Which codec
//!
//! A `content-encoding` header rules, in any case and with blanks around it; without one (or with a null
//! value) the first bytes decide, plain NDJSON last. Headers named twice are fine as long as they say the same;
//! else `content-encoding` gives `unsupported_codec` (several layers, which nobody here removes) and
//! `batchpipe` gives `integrity_mismatch`. Other headers are not looked at.
//!
//! # What an envelope promises
//!
//! Number of records, size and CRC-32C have to be right, or the message is rejected (`integrity_mismatch`;
//! `truncated` when the text is shorter than promised and its checksum wrong). More records or bytes than the
//! limits are refused on the envelope's word, before anything is decompressed. A malformed envelope is
//! `integrity_mismatch`, an unknown version `unsupported_version`.
//!
//! # Which records are good
//!
//! Lines that hold only whitespace are no records. All others have to be JSON as `json` defines it, unless the
//! envelope says that the producer checked (`j=1`) and the checksum is right. Bad ones are listed, good ones
//! form runs. Without an envelope, two more rules keep damage from passing for a batch with bad records. It is `corrupt`
//! when the text holds control characters or is not UTF-8, and either begins like no JSON or has no good record
//! at all: so looks a compressed value whose first bytes are damaged. It is `truncated` when a snappy stream
//! ends with a full chunk in the middle of a record (the format has no end mark).
//!
//! # Messages without records
//!
//! A null or empty value is a tombstone; with an envelope that names a reason it is a marker in the place of
//! records that were dead-lettered; with one that promises bytes it is `truncated`.

mod headers;
mod opener;
mod split;

use std::ops::Range;

use batchpipe_api::{codec::Codec, envelope::Envelope, reason::Reason};

pub use headers::Headers;
pub use opener::Opener;

/// A message as it came from the topic.
#[derive(Clone, Copy, Debug, Default)]
pub struct Message<'a> {
    /// The value; `None` when it is null.
    pub value: Option<&'a [u8]>,
    /// What matters of the headers.
    pub headers: Headers<'a>,
}

/// What a batch may be after decompression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of text (`limits.maxBatchBytes`).
    pub max_bytes: usize,
    /// Records (`limits.maxBatchRecords`).
    pub max_records: u32,
}

/// The records of a message; reused from one message to the next.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Everything that the message holds.
    pub text: Vec<u8>,
    /// The parts of `text` that hold good records, in order: each is one or more whole records joined with
    /// `\n`, without one at the end. A flawless batch is one run.
    pub runs: Vec<Range<usize>>,
    /// Number of good records.
    pub records: u32,
    /// The others, in order.
    pub bad: Vec<BadRecord>,
}

/// A record that is not JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRecord {
    /// Its place among the batch's records, good and bad, from 0.
    pub index: u32,
    /// Where it is in the text.
    pub range: Range<usize>,
    /// What is wrong with it.
    pub reason: Reason,
}

/// What a message turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// Nothing; to be counted and skipped.
    Tombstone,
    /// An empty message in the place of records that the producer dead-lettered.
    Marker {
        /// What it says: how many records, their numbers, and (`dead_lettered`) why.
        envelope: Envelope,
    },
    /// A batch; its records are in the [`Batch`].
    Batch {
        /// How the value was compressed.
        codec: Codec,
        /// What the producer says of it; `None` for messages of other programs.
        envelope: Option<Envelope>,
    },
}

/// A message that cannot be read; nothing of it may be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("message cannot be read ({reason}); it counts as {records} records")]
pub struct Rejection {
    /// Why, as in its dead letter.
    pub reason: Reason,
    /// How many records it counts as: what its envelope says, if that can be read and is within the limits,
    /// else 1.
    pub records: u32,
    /// Its envelope, if that can be read.
    pub envelope: Option<Envelope>,
}

impl Batch {
    /// Number of all records, good and bad.
    pub fn total(&self) -> u32 {
        let bad = u32::try_from(self.bad.len()).unwrap_or(u32::MAX);
        self.records.saturating_add(bad)
    }

    /// Gives memory back that an unusually large batch needed: keeps at most `kept` bytes.
    pub fn give_back(&mut self, kept: usize) {
        if self.text.capacity() > kept {
            self.clear();
            self.text.shrink_to(kept);
            self.runs.shrink_to(kept / size_of::<Range<usize>>());
            self.bad.shrink_to(0);
        }
    }

    fn clear(&mut self) {
        self.text.clear();
        self.clear_records();
    }

    /// Forgets the records, but keeps the old text, which the decoder overwrites.
    fn clear_records(&mut self) {
        self.runs.clear();
        self.bad.clear();
        self.records = 0;
    }
}
