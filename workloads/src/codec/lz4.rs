//! LZ4 *frames*: the writer, and what a frame's header says. Blocks are decompressed in `bounded`.
//!
//! The library's own frame types copy each batch twice more and allocate up to 12 MiB for each frame, on the
//! word of a header that anyone can write. Hence the frame is ours and the blocks are the library's.

use lz4_flex::block::{CompressTable, compress_into_with_table, get_maximum_output_size};
use twox_hash::XxHash32;

use super::{DecodeError, input::Input};

/// The magic number, 0x184D2204, as it is written.
pub(super) const MAGIC: &[u8] = &[0x04, 0x22, 0x4d, 0x18];
/// Version 01, the only one.
const VERSION: u8 = 0x40;
const INDEPENDENT_BLOCKS: u8 = 0x20;
const BLOCK_CHECKSUMS: u8 = 0x10;
const CONTENT_SIZE: u8 = 0x08;
const CONTENT_CHECKSUM: u8 = 0x04;
const RESERVED: u8 = 0x02;
const DICTIONARY: u8 = 0x01;
/// Set in a block's size when the block is not compressed.
pub(super) const STORED: u32 = 1 << 31;
/// Codes and sizes of the blocks that a frame may announce.
const BLOCK_SIZES: [(u8, usize); 4] =
    [(4, 64 * 1024), (5, 256 * 1024), (6, 1024 * 1024), (7, 4 * 1024 * 1024)];

/// The checksum of headers, blocks and contents.
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    XxHash32::oneshot(0, bytes)
}

/// The second byte of the checksum guards the header.
const fn header_checksum(sum: u32) -> u8 {
    sum.to_le_bytes()[1]
}

/// Compresses batches into frames of independent blocks with a content size and no checksum.
pub(super) struct Encoder {
    table: CompressTable,
    /// Initialised once; the library writes into a slice.
    block: Vec<u8>,
}

impl Encoder {
    pub(super) fn new() -> Self {
        Self { table: CompressTable::large(), block: Vec::new() }
    }

    pub(super) fn encode(&mut self, raw: &[u8], out: &mut Vec<u8>) -> bool {
        out.clear();
        let (code, block_size) = BLOCK_SIZES
            .into_iter()
            .find(|(_, size)| raw.len() <= *size)
            .unwrap_or(BLOCK_SIZES[BLOCK_SIZES.len() - 1]);
        write_header(raw.len(), code, out);
        for part in raw.chunks(block_size) {
            if !self.write_block(part, out) {
                return false;
            }
        }
        out.extend_from_slice(&[0; 4]);
        true
    }

    fn write_block(&mut self, part: &[u8], out: &mut Vec<u8>) -> bool {
        let room = get_maximum_output_size(part.len());
        if self.block.len() < room {
            self.block.resize(room, 0);
        }
        let Ok(size) = compress_into_with_table(part, &mut self.block, &mut self.table) else {
            return false;
        };
        let (flag, data) =
            if size < part.len() { (0, &self.block[..size]) } else { (STORED, part) };
        let size = u32::try_from(data.len()).expect("a block has at most 4 MiB");
        out.extend_from_slice(&(size | flag).to_le_bytes());
        out.extend_from_slice(data);
        true
    }
}

fn write_header(raw_bytes: usize, block_code: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&[VERSION | INDEPENDENT_BLOCKS | CONTENT_SIZE, block_code << 4]);
    out.extend_from_slice(&(raw_bytes as u64).to_le_bytes());
    out.push(header_checksum(checksum(&out[MAGIC.len()..])));
}

/// What a frame's header says.
pub(super) struct Frame {
    /// Whether blocks may refer to earlier ones.
    pub(super) linked: bool,
    /// Whether each block is followed by its checksum.
    pub(super) block_checksums: bool,
    /// Whether the frame ends with a checksum of its content.
    pub(super) content_checksum: bool,
    /// Content size, if the frame declares it.
    pub(super) declared: Option<u64>,
    /// The most that one block may hold, in bytes.
    pub(super) block_bytes: usize,
}

impl Frame {
    pub(super) fn read(input: &mut Input<'_>) -> Result<Self, DecodeError> {
        input.expect(MAGIC)?;
        let start = input.0;
        let flags = input.u8()?;
        let block_code = input.u8()?;
        let declared = if flags & CONTENT_SIZE == 0 { None } else { Some(input.number(8)?) };
        let dictionary = if flags & DICTIONARY == 0 { None } else { Some(input.u32()?) };
        let header = &start[..start.len() - input.0.len()];
        if input.u8()? != header_checksum(checksum(header)) {
            return Err(DecodeError::Corrupt);
        }
        let is_known = flags & 0xc0 == VERSION && flags & RESERVED == 0 && block_code & 0x8f == 0;
        let size = BLOCK_SIZES.into_iter().find(|(code, _)| *code == block_code >> 4);
        let (Some((_, block_bytes)), true) = (size, is_known) else {
            return Err(DecodeError::Corrupt);
        };
        if dictionary.is_some() {
            return Err(DecodeError::UnsupportedCodec);
        }
        Ok(Self {
            linked: flags & INDEPENDENT_BLOCKS == 0,
            block_checksums: flags & BLOCK_CHECKSUMS != 0,
            content_checksum: flags & CONTENT_CHECKSUM != 0,
            declared,
            block_bytes,
        })
    }
}
