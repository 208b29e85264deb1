//! Snappy *framing*: the writer, and the names of its chunks. Chunks are decompressed in `bounded`.
//!
//! Like the LZ4 frame, the framing is ours so that batches are not copied around and nothing is allocated.

use snap::raw::{Encoder as BlockEncoder, max_compress_len};

/// The first chunk of every stream.
pub(super) const STREAM_IDENTIFIER: &[u8] = b"\xff\x06\x00\x00sNaPpY";
/// The most that one chunk may hold, in bytes.
pub(super) const CHUNK_BYTES: usize = 64 * 1024;
/// Chunk types.
pub(super) const COMPRESSED: u8 = 0x00;
/// A chunk that is not compressed.
pub(super) const STORED: u8 = 0x01;
/// Bytes of the checksum in front of a chunk's data.
pub(super) const CHECKSUM_BYTES: usize = 4;

/// CRC-32C as the framing writes it, so that a checksum of data with checksums keeps its strength.
pub(super) fn masked_checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Compresses batches.
pub(super) struct Encoder {
    encoder: BlockEncoder,
    /// Initialised once; the library writes into a slice.
    chunk: Vec<u8>,
}

impl Encoder {
    pub(super) fn new() -> Self {
        Self { encoder: BlockEncoder::new(), chunk: vec![0; max_compress_len(CHUNK_BYTES)] }
    }

    pub(super) fn encode(&mut self, raw: &[u8], out: &mut Vec<u8>) -> bool {
        out.clear();
        out.extend_from_slice(STREAM_IDENTIFIER);
        for part in raw.chunks(CHUNK_BYTES) {
            let Ok(size) = self.encoder.compress(part, &mut self.chunk) else {
                return false;
            };
            // Under an eighth is not worth the reader's time; the format's own writer decides the same way.
            if size < part.len() - part.len() / 8 {
                write_chunk(COMPRESSED, part, &self.chunk[..size], out);
            } else {
                write_chunk(STORED, part, part, out);
            }
        }
        true
    }
}

fn write_chunk(kind: u8, raw: &[u8], data: &[u8], out: &mut Vec<u8>) {
    let size = u32::try_from(CHECKSUM_BYTES + data.len()).expect("a chunk is smaller than 16 MiB");
    let [low, middle, high, _] = size.to_le_bytes();
    out.extend_from_slice(&[kind, low, middle, high]);
    out.extend_from_slice(&masked_checksum(raw).to_le_bytes());
    out.extend_from_slice(data);
}
