//! One whole message on its way into a transaction, and the messages that become of it.

use std::{ops::Range, sync::Arc};

use super::progress::Progress;
use crate::{
    budget::Charge,
    dead_letter::DeadLetter,
    kafka::outbox::MessageHeader,
    sink::{Refused, tenure::Tenure},
};

/// What a record costs beside its bytes, in bytes: our place and key, and librdkafka's message.
pub(super) const EACH: usize = 256;

/// What writers ask the thread for.
pub(super) enum Request {
    /// Put this into a transaction.
    Store(Parcel),
    /// Commit what was handed over.
    Commit,
    /// Look whether dead letters can be taken.
    PrepareLetters,
}

/// Everything that is to be stored of one message.
pub(super) struct Parcel {
    pub(super) tenure: Arc<dyn Tenure>,
    pub(super) progress: Arc<Progress>,
    pub(super) offset: i64,
    /// Holds the records.
    pub(super) text: Box<[u8]>,
    pub(super) records: Vec<Record>,
    pub(super) letters: Vec<DeadLetter>,
    /// The memory that it takes.
    pub(super) _charges: Vec<Charge>,
}

/// One record.
pub(super) struct Record {
    /// Its place in the message.
    pub(super) number: u32,
    /// Its place in the parcel's text.
    pub(super) range: Range<usize>,
    pub(super) key: Option<Box<[u8]>>,
}

impl Parcel {
    /// Whether storing it would be in vain, or wrong.
    pub(super) fn is_stale(&self) -> bool {
        self.progress.is_broken() || self.tenure.has_ended()
    }
}

impl Record {
    /// A record of a message whose text was copied as it is.
    pub(super) const fn new(place: Refused, key: Option<Box<[u8]>>) -> Self {
        Self { number: place.number, range: place.range, key }
    }
}

/// A record or a dead letter as it is sent.
pub(super) struct Outgoing<'a> {
    pub(super) topic: &'a str,
    pub(super) partition: i32,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: &'a [u8],
    pub(super) headers: &'a [MessageHeader],
    pub(super) timestamp_ms: i64,
}

impl Outgoing<'_> {
    /// Value and key, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.value.len() + self.key.map_or(0, <[u8]>::len)
    }
}
