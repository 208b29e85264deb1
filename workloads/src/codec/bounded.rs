//! Decompression with a limit: the only place that names the libraries' decoders.
//!
//! Nothing here allocates or writes more than the caller's limit plus one byte, whatever the input declares.
//! A value is exactly one frame, member or stream, one layer deep; what follows it makes it corrupt.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "this is the bounded decoder that everyone else has to use"
)]

use batchpipe_api::codec::Codec;
use flate2::{Decompress, FlushDecompress, Status};
use lz4_flex::block::{DecompressError, decompress_into, decompress_into_with_dict};
use snap::raw::decompress_len;
use zstd::zstd_safe::DCtx;

use super::{DecodeError, deflate::WINDOW_BITS, input::Input, lz4, snappy, zstd as frame};

/// How far back an LZ4 block may refer, in bytes.
const LZ4_WINDOW: usize = 64 * 1024;
/// No LZ4 block expands more than this.
const LZ4_EXPANSION: usize = 255;
/// What decompressed batches usually are, in times of the compressed size: the first guess at `out`'s size.
const USUAL_EXPANSION: usize = 8;

/// The decoders of all codecs with their working memory; a thread keeps one for as long as it reads.
#[derive(Default)]
pub struct Decoder {
    zstd: Option<DCtx<'static>>,
    gzip: Option<Decompress>,
    zlib: Option<Decompress>,
    snappy: snap::raw::Decoder,
}

impl Decoder {
    /// A decoder; memory for a codec is taken when the codec is first met.
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces the content of `out` by what `value` holds, at most `limit` bytes.
    ///
    /// Bytes that `out` already has are overwritten rather than dropped first: handing over the vector of
    /// the last batch saves initialising it again. After an error it is empty.
    pub fn decode(
        &mut self,
        codec: Codec,
        value: &[u8],
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), DecodeError> {
        let result = match codec {
            Codec::Zstd => self.zstd(value, limit, out),
            Codec::Gzip => {
                let state = self.gzip.get_or_insert_with(|| Decompress::new_gzip(WINDOW_BITS));
                inflate(state, value, &mut Output { out, limit })
            }
            Codec::Zlib => {
                let state = self.zlib.get_or_insert_with(|| Decompress::new(true));
                inflate(state, value, &mut Output { out, limit })
            }
            Codec::Lz4 => lz4(value, limit, out),
            Codec::Snappy => self.snappy(value, limit, out),
            Codec::None => copy(value, limit, out),
        };
        if result.is_err() {
            out.clear();
        }
        result
    }

    fn zstd(&mut self, value: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), DecodeError> {
        let frame = frame::Frame::read(value, limit as u64)?;
        let most = frame.declared.unwrap_or(frame.bound).min(limit as u64);
        out.clear();
        out.reserve_exact(usize::try_from(most).expect("it is at most the limit"));
        let context = self.zstd.get_or_insert_with(DCtx::create);
        match context.decompress(out, value) {
            Ok(size) if size > limit => Err(DecodeError::TooLarge),
            Ok(_) => Ok(()),
            // With a declared size, the frame lied; without one, it holds more than the limit.
            Err(code) if frame.declared.is_none() && frame.bound > most && is_full(code) => {
                Err(DecodeError::TooLarge)
            }
            Err(_) => Err(DecodeError::Corrupt),
        }
    }

    fn snappy(&mut self, value: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), DecodeError> {
        let mut input = Input(value);
        input.expect(snappy::STREAM_IDENTIFIER)?;
        let mut output = Output { out, limit };
        let mut filled = 0;
        let mut chunks = 0_usize;
        while !input.is_empty() {
            let kind = input.u8()?;
            let size = usize::try_from(input.number(3)?).expect("24 bits fit");
            let chunk = input.take(size)?;
            match kind {
                snappy::COMPRESSED | snappy::STORED => {
                    filled += self.snappy_chunk(kind, chunk, filled, &mut output)?;
                    chunks += 1;
                }
                0x80..=0xfe => {} // padding, and what the format lets readers skip
                _ => return Err(DecodeError::Corrupt), // reserved, or the start of a second stream
            }
        }
        // The format has no end mark. An identifier alone is what a cut leaves; no writer sends it.
        if chunks == 0 {
            return Err(DecodeError::Truncated);
        }
        output.out.truncate(filled);
        Ok(())
    }

    fn snappy_chunk(
        &mut self,
        kind: u8,
        chunk: &[u8],
        filled: usize,
        output: &mut Output<'_>,
    ) -> Result<usize, DecodeError> {
        let corrupt = || DecodeError::Corrupt;
        let (sum, data) = chunk.split_at_checked(snappy::CHECKSUM_BYTES).ok_or_else(corrupt)?;
        let is_stored = kind == snappy::STORED;
        let size =
            if is_stored { data.len() } else { decompress_len(data).map_err(|_| corrupt())? };
        if size > snappy::CHUNK_BYTES {
            return Err(DecodeError::Corrupt);
        }
        if size > output.limit - filled {
            return Err(DecodeError::TooLarge);
        }
        let room = output.room(filled, size);
        if is_stored {
            room.copy_from_slice(data);
        } else {
            self.snappy.decompress(data, room).map_err(|_| corrupt())?;
        }
        if snappy::masked_checksum(room).to_le_bytes() == *sum { Ok(size) } else { Err(corrupt()) }
    }
}

fn is_full(code: usize) -> bool {
    use zstd::zstd_safe::{is_error_kind, zstd_sys::ZSTD_ErrorCode};
    is_error_kind(code, ZSTD_ErrorCode::ZSTD_error_dstSize_tooSmall)
}

fn copy(value: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    if value.len() > limit {
        return Err(DecodeError::TooLarge);
    }
    out.clear();
    out.extend_from_slice(value);
    Ok(())
}

/// A vector that never grows past the limit by more than a byte.
struct Output<'a> {
    out: &'a mut Vec<u8>,
    limit: usize,
}

impl Output<'_> {
    /// Makes room for `capacity` bytes in all, or for twice what there was, within the limit.
    fn reserve(&mut self, capacity: usize) {
        let current = self.out.capacity();
        if capacity > current {
            let wanted = capacity.max(current.saturating_mul(2)).min(self.limit.saturating_add(1));
            self.out.reserve_exact(wanted - self.out.len());
        }
    }

    /// Initialised memory for `size` bytes after the first `filled`.
    fn room(&mut self, filled: usize, size: usize) -> &mut [u8] {
        let end = filled + size;
        if self.out.len() < end {
            self.reserve(end);
            self.out.resize(end, 0);
        }
        &mut self.out[filled..end]
    }
}

fn inflate(
    state: &mut Decompress,
    value: &[u8],
    output: &mut Output<'_>,
) -> Result<(), DecodeError> {
    state.reset(true); // keeps the wrapping that it was built for
    output.out.clear();
    output.reserve(value.len().saturating_mul(USUAL_EXPANSION).min(output.limit));
    loop {
        let read = usize::try_from(state.total_in()).expect("it is at most the value's size");
        let had = output.out.len();
        let status = state
            .decompress_vec(&value[read..], output.out, FlushDecompress::Finish)
            .map_err(|error| inflate_error(&error))?;
        if output.out.len() > output.limit {
            return Err(DecodeError::TooLarge);
        }
        let left = value.len() as u64 - state.total_in();
        match status {
            Status::StreamEnd if left == 0 => return Ok(()),
            Status::StreamEnd => return Err(DecodeError::Corrupt),
            _ if output.out.len() == output.out.capacity() => output.reserve(had.max(1) * 2),
            _ if left == 0 => return Err(DecodeError::Truncated),
            _ => return Err(DecodeError::Corrupt),
        }
    }
}

fn inflate_error(error: &flate2::DecompressError) -> DecodeError {
    if error.needs_dictionary().is_some() {
        DecodeError::UnsupportedCodec
    } else {
        DecodeError::Corrupt
    }
}

fn lz4(value: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    let mut input = Input(value);
    let frame = lz4::Frame::read(&mut input)?;
    if frame.declared.is_some_and(|size| size > limit as u64) {
        return Err(DecodeError::TooLarge);
    }
    let mut output = Output { out, limit };
    let mut filled = 0;
    loop {
        let size = input.u32()?;
        if size == 0 {
            break; // the end mark
        }
        let is_stored = size & lz4::STORED != 0;
        let bytes = usize::try_from(size & !lz4::STORED).expect("31 bits fit");
        if bytes > frame.block_bytes {
            return Err(DecodeError::Corrupt);
        }
        let block = input.take(bytes)?;
        if frame.block_checksums && input.u32()? != lz4::checksum(block) {
            return Err(DecodeError::Corrupt);
        }
        filled += lz4_block(&frame, is_stored, block, filled, &mut output)?;
    }
    output.out.truncate(filled);
    if frame.content_checksum && input.u32()? != lz4::checksum(output.out) {
        return Err(DecodeError::Corrupt);
    }
    if frame.declared.is_some_and(|size| size != filled as u64) {
        return Err(DecodeError::Corrupt);
    }
    input.end()
}

fn lz4_block(
    frame: &lz4::Frame,
    is_stored: bool,
    block: &[u8],
    filled: usize,
    output: &mut Output<'_>,
) -> Result<usize, DecodeError> {
    let most = if is_stored { block.len() } else { block.len().saturating_mul(LZ4_EXPANSION) };
    // The declared size was checked against the limit, so it tells the room without asking for too much.
    let declared =
        frame.declared.map_or(usize::MAX, |size| usize::try_from(size).unwrap_or(usize::MAX));
    let end = output.limit.min(declared);
    let left = end.saturating_sub(filled);
    let room = output.room(filled, most.min(frame.block_bytes).min(left));
    if is_stored {
        return room.get_mut(..block.len()).map_or_else(
            || Err(too_much(frame)),
            |room| {
                room.copy_from_slice(block);
                Ok(block.len())
            },
        );
    }
    let is_clipped = left < frame.block_bytes;
    let result = if frame.linked {
        let (before, room) = output.out.split_at_mut(filled);
        let window = &before[filled.saturating_sub(LZ4_WINDOW)..];
        decompress_into_with_dict(block, room, window)
    } else {
        decompress_into(block, room)
    };
    result.map_err(|error| match error {
        DecompressError::OutputTooSmall { .. } if is_clipped => too_much(frame),
        _ => DecodeError::Corrupt,
    })
}

/// More content than there may be: more than declared is a lie, more than the limit is not.
const fn too_much(frame: &lz4::Frame) -> DecodeError {
    if frame.declared.is_some() { DecodeError::Corrupt } else { DecodeError::TooLarge }
}
