//! Sealing: an open batch becomes a message with its envelope, compressed once, and numbered for its partition.

use std::{borrow::Cow, ops::Range, sync::Arc};

use batchpipe_api::{
    codec::Codec,
    envelope::{self, Envelope, Incarnation},
};

use crate::{
    batch::Batch,
    budget::{Budget, Charge},
    codec::{CodecError, Encoder},
    kafka::outbox::{Message, MessageHeader},
    receipt::Share,
};

/// What a batch on its way owes to others, and what it counts as.
#[derive(Debug)]
pub(crate) struct Sealed {
    /// What its header says.
    pub(crate) envelope: Envelope,
    /// How its value is compressed.
    pub(crate) codec: Codec,
    /// The chunks that its records came in.
    pub(crate) debt: Debt,
    /// The memory of its value.
    pub(crate) charge: Charge,
}

/// The chunks that records came in, shared by the parts of a batch that had to be split.
#[derive(Debug)]
pub(crate) struct Debt(Arc<Vec<Share>>);

impl Debt {
    /// For one more part.
    pub(crate) fn another(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    /// This part is done; with the last one the chunks are told.
    pub(crate) fn settle(self) {
        if let Some(shares) = Arc::into_inner(self.0) {
            shares.into_iter().for_each(Share::settle);
        }
    }
}

impl From<Vec<Share>> for Debt {
    fn from(shares: Vec<Share>) -> Self {
        Self(Arc::new(shares))
    }
}

/// What a message keeps of the records' past.
pub(crate) struct Past {
    /// When the oldest record came in: milliseconds since the epoch.
    pub(crate) timestamp_ms: i64,
    /// The chunks that the records came in.
    pub(crate) debt: Debt,
}

/// Makes messages of batches.
pub(crate) struct Sealer {
    encoder: Encoder,
    scratch: Vec<u8>,
    incarnation: Incarnation,
    /// The next sequence number of each partition.
    sequences: Vec<u64>,
    validated: bool,
    budget: Arc<Budget>,
}

impl Sealer {
    pub(crate) fn new(
        codec: Codec,
        level: Option<i32>,
        incarnation: Incarnation,
        validated: bool,
        budget: Arc<Budget>,
    ) -> Result<Self, CodecError> {
        let encoder = Encoder::new(codec, level)?;
        Ok(Self {
            encoder,
            scratch: Vec::new(),
            incarnation,
            sequences: Vec::new(),
            validated,
            budget,
        })
    }

    /// Seals a batch for a partition. The batch keeps its memory and is cleared by its owner.
    pub(crate) fn seal(&mut self, partition: u32, batch: &mut Batch) -> Message<Sealed> {
        let numbers = self.number(partition, batch.records);
        let debt = Debt::from(std::mem::take(&mut batch.shares));
        self.message(&batch.text, numbers, Past { timestamp_ms: batch.oldest_unix_ms(), debt })
    }

    fn number(&mut self, partition: u32, records: u32) -> Range<u64> {
        let index = partition as usize;
        if self.sequences.len() <= index {
            self.sequences.resize(index + 1, 0);
        }
        let first = self.sequences[index];
        self.sequences[index] += u64::from(records);
        first..self.sequences[index]
    }

    /// A message of records that have these numbers.
    pub(crate) fn message(
        &mut self,
        text: &[u8],
        numbers: Range<u64>,
        past: Past,
    ) -> Message<Sealed> {
        let codec = self.encoder.encode(text, &mut self.scratch);
        let envelope = Envelope {
            records: u32::try_from(numbers.end - numbers.start)
                .expect("a batch counts its records with a u32"),
            raw_bytes: text.len() as u64,
            crc32c: Some(crc32c::crc32c(text)),
            incarnation: self.incarnation,
            sequence: numbers.start,
            validated: self.validated,
            dead_lettered: None,
        };
        // Exactly as large as needed: it may have to be kept for as long as an outage lasts.
        let value = Box::from(self.scratch.as_slice());
        self.finish(value, codec, envelope, past)
    }

    /// A message without records, in the place of some that were dead-lettered after they got their numbers.
    pub(crate) fn marker(&self, envelope: Envelope, past: Past) -> Message<Sealed> {
        self.finish(Box::default(), Codec::None, envelope, past)
    }

    fn finish(
        &self,
        value: Box<[u8]>,
        codec: Codec,
        envelope: Envelope,
        past: Past,
    ) -> Message<Sealed> {
        let headers = headers(codec, &envelope);
        let charge = self.budget.charge_now(value.len() + MESSAGE_COST);
        let Past { timestamp_ms, debt } = past;
        Message {
            key: None,
            value,
            headers,
            timestamp_ms,
            token: Sealed { envelope, codec, debt, charge },
        }
    }
}

/// What a message costs beside its value, roughly, in bytes: headers, bookkeeping, shares.
const MESSAGE_COST: usize = 512;

fn headers(codec: Codec, envelope: &Envelope) -> Vec<MessageHeader> {
    let fixed = |name, value: &'static str| MessageHeader {
        name: Cow::Borrowed(name),
        value: Some(Cow::Borrowed(value.as_bytes())),
    };
    vec![
        fixed(envelope::CONTENT_TYPE, envelope::NDJSON),
        fixed(envelope::CONTENT_ENCODING, codec.content_encoding()),
        MessageHeader {
            name: Cow::Borrowed(envelope::HEADER),
            value: Some(Cow::Owned(envelope.to_string().into_bytes())),
        },
    ]
}
