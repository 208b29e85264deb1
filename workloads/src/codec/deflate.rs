//! gzip and zlib: the compressor. Both are the same algorithm in different wrappings.

use flate2::{Compress, Compression, FlushCompress, Status};

/// The largest window that the format has, 32 KiB, as a power of two.
pub(super) const WINDOW_BITS: u8 = 15;

/// The wrapping of a deflate stream.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrapping {
    Gzip,
    Zlib,
}

/// Compresses batches; the state is reset, not built anew, for each of them.
pub(super) struct Encoder(Compress);

impl Encoder {
    pub(super) fn new(level: i32, wrapping: Wrapping) -> Self {
        let level = Compression::new(u32::try_from(level).expect("the level was checked"));
        Self(match wrapping {
            Wrapping::Gzip => Compress::new_gzip(level, WINDOW_BITS),
            Wrapping::Zlib => Compress::new(level, true),
        })
    }

    /// False when the result would not be smaller than `raw`; then it is not finished.
    pub(super) fn encode(&mut self, raw: &[u8], out: &mut Vec<u8>) -> bool {
        self.0.reset();
        out.clear();
        out.reserve(raw.len());
        matches!(self.0.compress_vec(raw, out, FlushCompress::Finish), Ok(Status::StreamEnd))
    }
}
