//! What becomes of every kind of message: whole, foreign, damaged, cut, hostile. No broker is needed.

#![expect(clippy::unwrap_used, reason = "the helpers of tests fail like tests do")]

mod allocations;
mod bombs;
mod golden;
mod memory;
mod random;
mod rows;

use batchpipe_api::{
    codec::Codec,
    envelope::{Envelope, Incarnation},
    reason::Reason,
};
use batchpipe_workloads::{
    codec::Encoder,
    decode::{Batch, Headers, Limits, Message, Opened, Opener, Rejection},
};

/// The limits of a pipeline that sets none.
const LIMITS: Limits = Limits { max_bytes: 16 << 20, max_records: 100_000 };

/// A message that owns its parts.
#[derive(Clone, Debug, Default)]
struct Parts {
    value: Vec<u8>,
    content_encoding: Option<Vec<u8>>,
    envelope: Option<String>,
}

impl Parts {
    /// A value without any header.
    fn bare(value: &[u8]) -> Self {
        Self { value: value.to_vec(), ..Self::default() }
    }

    /// What our producer sends for these records.
    fn sealed(codec: Codec, text: &[u8]) -> Self {
        let (value, codec) = compress(codec, text);
        Self {
            value,
            content_encoding: Some(codec.content_encoding().into()),
            envelope: Some(envelope_of(text).to_string()),
        }
    }

    fn message(&self) -> Message<'_> {
        let envelope = self.envelope.as_ref().map(String::as_bytes);
        let headers = Headers::new(self.content_encoding.as_deref(), envelope);
        Message { value: Some(&self.value), headers }
    }

    fn open(&self) -> (Result<Opened, Rejection>, Batch) {
        open(&self.message(), &LIMITS)
    }

    /// The reason of the rejection.
    fn reason(&self) -> Reason {
        let (opened, batch) = self.open();
        assert!(batch.text.is_empty() && batch.runs.is_empty(), "nothing of it may be delivered");
        opened.expect_err("the message has to be rejected").reason
    }
}

fn compress(codec: Codec, text: &[u8]) -> (Vec<u8>, Codec) {
    let mut value = Vec::new();
    let codec = Encoder::new(codec, None).unwrap().encode(text, &mut value);
    (value, codec)
}

/// The envelope of records joined with line ends, checked by the producer.
fn envelope_of(text: &[u8]) -> Envelope {
    Envelope {
        records: u32::try_from(text.split(|byte| *byte == b'\n').count()).unwrap(),
        raw_bytes: text.len() as u64,
        crc32c: Some(crc32c::crc32c(text)),
        incarnation: Incarnation(0x0f3a_5c7e_9b1d_2f48),
        sequence: 88_000,
        validated: true,
        dead_lettered: None,
    }
}

/// Opens a message into a batch of its own, and checks that memory stayed within the limit.
fn open(message: &Message<'_>, limits: &Limits) -> (Result<Opened, Rejection>, Batch) {
    let mut batch = Batch::default();
    let opened = Opener::new().open(message, limits, true, &mut batch);
    assert!(batch.text.capacity() <= limits.max_bytes + 1, "{} bytes", batch.text.capacity());
    (opened, batch)
}

/// The good records.
fn records(batch: &Batch) -> Vec<&str> {
    let runs = batch.runs.iter().map(|run| std::str::from_utf8(&batch.text[run.clone()]).unwrap());
    let records: Vec<_> = runs.flat_map(|run| run.split('\n')).collect();
    assert_eq!(records.len(), usize::try_from(batch.records).unwrap());
    records
}

/// Places and texts of the bad records.
fn bad(batch: &Batch) -> Vec<(u32, &[u8])> {
    assert!(batch.bad.iter().all(|bad| bad.reason == Reason::InvalidJson));
    batch.bad.iter().map(|bad| (bad.index, &batch.text[bad.range.clone()])).collect()
}
