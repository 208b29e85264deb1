//! zstd: the compressor, and what a frame says of itself (RFC 8878). Nothing is decompressed here.
//!
//! Walking the blocks costs a few bytes' reading for each 128 KiB, and tells before any decompression whether
//! the frame is whole, whether something follows it, and how much it can hold at most. So a frame is decoded
//! in one go into memory of the right size, and no window has to be allocated.

use zstd::{bulk::Compressor, zstd_safe::compress_bound};

use super::{CodecError, DecodeError, input::Input};

/// The magic number, 0xFD2FB528, as it is written.
pub(super) const MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// Larger windows are refused; `zstd --ultra -22` asks for this much.
const MAX_WINDOW: u64 = 1 << 27;
/// The most that one block can hold after decompression.
const MAX_BLOCK: u64 = 128 * 1024;

/// Compresses batches into frames that carry their content size and no checksum: the envelope has one.
pub(super) struct Encoder(Compressor<'static>);

impl Encoder {
    pub(super) fn new(level: i32) -> Result<Self, CodecError> {
        // The library's defaults are a content size and no checksum.
        Compressor::new(level).map(Self).map_err(|_| CodecError::Setup { level })
    }

    /// False when the library could not do it (out of memory is the only way).
    pub(super) fn encode(&mut self, raw: &[u8], out: &mut Vec<u8>) -> bool {
        out.clear();
        out.reserve(compress_bound(raw.len()));
        self.0.compress_to_buffer(raw, out).is_ok()
    }
}

/// What is known of a frame without decompressing it.
pub(super) struct Frame {
    /// Content size, if the frame declares it.
    pub(super) declared: Option<u64>,
    /// The most that its blocks can hold.
    pub(super) bound: u64,
}

impl Frame {
    /// Reads the header of a value that has to be exactly one frame, and walks its blocks.
    pub(super) fn read(value: &[u8], limit: u64) -> Result<Self, DecodeError> {
        let mut input = Input(value);
        input.expect(MAGIC)?;
        let flags = input.u8()?;
        let is_single_segment = flags & 0x20 != 0;
        let window = if is_single_segment { 0 } else { window_size(input.u8()?) };
        let dictionary = input.number([0, 1, 2, 4][usize::from(flags & 3)])?;
        let declared = content_size(&mut input, flags >> 6, is_single_segment)?;
        if flags & 0x08 != 0 {
            return Err(DecodeError::Corrupt); // reserved
        }
        if dictionary != 0 {
            return Err(DecodeError::UnsupportedCodec);
        }
        if window > MAX_WINDOW || declared.is_some_and(|size| size > limit) {
            return Err(DecodeError::TooLarge);
        }
        let largest_block = if is_single_segment { MAX_BLOCK } else { window.min(MAX_BLOCK) };
        let bound = walk(&mut input, largest_block)?;
        let checksum = if flags & 0x04 != 0 { 4 } else { 0 };
        input.take(checksum)?;
        input.end()?;
        if declared.is_some_and(|size| size > bound) {
            return Err(DecodeError::Corrupt);
        }
        Ok(Self { declared, bound })
    }
}

fn window_size(descriptor: u8) -> u64 {
    let base = 1_u64 << (10 + (descriptor >> 3));
    base + base / 8 * u64::from(descriptor & 7)
}

fn content_size(
    input: &mut Input<'_>,
    flag: u8,
    is_single_segment: bool,
) -> Result<Option<u64>, DecodeError> {
    Ok(match flag {
        0 if !is_single_segment => None,
        0 => Some(input.number(1)?),
        1 => Some(input.number(2)? + 256),
        2 => Some(input.number(4)?),
        _ => Some(input.number(8)?),
    })
}

/// Goes over all blocks and says how much they can hold.
fn walk(input: &mut Input<'_>, largest_block: u64) -> Result<u64, DecodeError> {
    let mut bound = 0;
    loop {
        let header = input.number(3)?;
        let size = header >> 3;
        let (stored, holds) = match header >> 1 & 3 {
            0 => (size, size),
            1 => (1, size), // one byte, repeated
            2 => (size, largest_block),
            _ => return Err(DecodeError::Corrupt),
        };
        input.take(usize::try_from(stored).expect("a size of 21 bits fits"))?;
        bound += holds;
        if header & 1 != 0 {
            return Ok(bound);
        }
    }
}
