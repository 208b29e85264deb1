//! Opening messages, one after the other: headers, codec, envelope, records, in this order.

use batchpipe_api::{codec::Codec, envelope::Envelope, reason::Reason};

use super::{Batch, Limits, Message, Opened, Rejection, split};
use crate::{
    codec::{DecodeError, Decoder, sniff},
    json,
};

/// What a full snappy chunk holds, in bytes.
const SNAPPY_CHUNK: usize = 64 * 1024;

/// Opens messages, reusing its decoders' memory; each thread has its own.
#[derive(Default)]
pub struct Opener {
    decoder: Decoder,
}

impl Opener {
    /// An opener.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a message. What `batch` held is dropped; its memory is reused.
    ///
    /// Without `validate` no record is looked at, and none is bad. After a rejection, and for a message
    /// without records, `batch` is empty.
    pub fn open(
        &mut self,
        message: &Message<'_>,
        limits: &Limits,
        validate: bool,
        batch: &mut Batch,
    ) -> Result<Opened, Rejection> {
        batch.clear_records();
        let envelope = message.headers.envelope();
        let opened = envelope.and_then(|envelope| match message.value {
            None | Some([]) => {
                batch.clear();
                open_empty(envelope)
            }
            Some(value) => {
                envelope.as_ref().map_or(Ok(()), |envelope| check_limits(envelope, limits))?;
                let codec = message.headers.codec()?.unwrap_or_else(|| sniff(value));
                self.decoder
                    .decode(codec, value, limits.max_bytes, &mut batch.text)
                    .map_err(DecodeError::reason)?;
                match &envelope {
                    Some(envelope) => take_promised(envelope, codec, limits, validate, batch)?,
                    None => take_foreign(codec, limits, validate, batch)?,
                }
                Ok(Opened::Batch { codec, envelope })
            }
        });
        opened.map_err(|reason| {
            batch.clear();
            Rejection::new(reason, envelope.ok().flatten(), limits)
        })
    }
}

impl Rejection {
    /// A rejection of a message with this envelope, if that can be read.
    pub fn new(reason: Reason, envelope: Option<Envelope>, limits: &Limits) -> Self {
        Self { reason, records: counted(envelope.as_ref(), limits), envelope }
    }
}

/// How many records a rejected message counts as.
fn counted(envelope: Option<&Envelope>, limits: &Limits) -> u32 {
    envelope
        .map(|envelope| envelope.records)
        .filter(|records| (1..=limits.max_records).contains(records))
        .unwrap_or(1)
}

fn open_empty(envelope: Option<Envelope>) -> Result<Opened, Reason> {
    match envelope {
        Some(envelope) if envelope.raw_bytes != 0 => Err(Reason::Truncated),
        Some(envelope) if envelope.dead_lettered.is_some() => Ok(Opened::Marker { envelope }),
        Some(envelope) if envelope.records != 0 => Err(Reason::IntegrityMismatch),
        _ => Ok(Opened::Tombstone),
    }
}

/// Refuses on the envelope's word what would be refused in the end, and markers that have a value.
fn check_limits(envelope: &Envelope, limits: &Limits) -> Result<(), Reason> {
    if envelope.dead_lettered.is_some() {
        Err(Reason::IntegrityMismatch)
    } else if envelope.raw_bytes > limits.max_bytes as u64 {
        Err(Reason::TooLarge)
    } else if envelope.records > limits.max_records {
        Err(Reason::TooManyRecords)
    } else {
        Ok(())
    }
}

/// Takes the records of a batch that has to be what its envelope says.
fn take_promised(
    envelope: &Envelope,
    codec: Codec,
    limits: &Limits,
    validate: bool,
    batch: &mut Batch,
) -> Result<(), Reason> {
    if Some(crc32c::crc32c(&batch.text)) != envelope.crc32c {
        // Only these formats can lose their end without their decoders noticing.
        let can_be_cut = matches!(codec, Codec::None | Codec::Snappy);
        let is_cut = can_be_cut && (batch.text.len() as u64) < envelope.raw_bytes;
        return Err(if is_cut { Reason::Truncated } else { Reason::IntegrityMismatch });
    }
    if batch.text.len() as u64 != envelope.raw_bytes {
        return Err(Reason::IntegrityMismatch);
    }
    if envelope.validated && split::take_sealed(envelope.records, batch) {
        return Ok(());
    }
    let validate = validate && !envelope.validated;
    split_within(batch, validate, limits)?;
    if batch.total() == envelope.records { Ok(()) } else { Err(Reason::IntegrityMismatch) }
}

/// Takes the records of a batch that promises nothing.
fn take_foreign(
    codec: Codec,
    limits: &Limits,
    validate: bool,
    batch: &mut Batch,
) -> Result<(), Reason> {
    split_within(batch, validate, limits)?;
    let Some(last) = batch.bad.last() else { return Ok(()) };
    let ends_badly = last.range.end == batch.text.len();
    let is_full = batch.text.len().is_multiple_of(SNAPPY_CHUNK);
    if codec == Codec::Snappy && is_full && ends_badly {
        return Err(Reason::Truncated);
    }
    let looks_binary = batch.records == 0 || !json::can_start(&batch.text);
    if looks_binary && !json::is_clean_text(&batch.text) { Err(Reason::Corrupt) } else { Ok(()) }
}

fn split_within(batch: &mut Batch, validate: bool, limits: &Limits) -> Result<(), Reason> {
    split::split(batch, validate, limits.max_records)
        .map_err(|split::TooManyRecords| Reason::TooManyRecords)
}
