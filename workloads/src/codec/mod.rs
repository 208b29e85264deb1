//! Compressing a batch and getting it back: bytes in, bytes out, no headers and no records.
//!
//! [`Encoder`] and [`Decoder`] keep their contexts and buffers, so each thread has its own. Every format is
//! the one that its usual tools read: zstd frame, gzip member, zlib stream, LZ4 frame, snappy framing.
//! Only `bounded` names the libraries' decoders; whoever else wants to decompress has to state a limit.

mod bounded;
mod deflate;
mod encoder;
mod input;
mod lz4;
mod snappy;
mod sniff;
mod zstd;

use batchpipe_api::{codec::Codec, reason::Reason};

pub use bounded::Decoder;
pub use encoder::Encoder;
pub use sniff::sniff;

/// Why a codec cannot be used as it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The level is out of the codec's range.
    #[error(
        "compression.level is {level}, but {codec} takes {lowest} to {highest}; choose one of them"
    )]
    Level {
        /// The codec.
        codec: Codec,
        /// The level that was asked for.
        level: i32,
        /// The lowest level.
        lowest: i32,
        /// The highest level.
        highest: i32,
    },
    /// The codec has no levels.
    #[error("compression.level is {level}, but {codec} has no levels; leave it out")]
    NoLevels {
        /// The codec.
        codec: Codec,
        /// The level that was asked for.
        level: i32,
    },
    /// The zstd library did not set up a compressor.
    #[error("zstd cannot be set up for compression.level {level}; choose a lower one")]
    Setup {
        /// The level that was asked for.
        level: i32,
    },
}

/// Why compressed bytes could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// They are damaged, or something follows them that does not belong to them.
    #[error("compressed data is damaged or followed by other bytes")]
    Corrupt,
    /// They end too early.
    #[error("compressed data ends too early")]
    Truncated,
    /// They hold, or declare, more than the limit; or a zstd window of more than 128 MiB.
    #[error("decompressed data is larger than the limit")]
    TooLarge,
    /// They need a dictionary.
    #[error("compressed data needs a dictionary, which is not supported")]
    UnsupportedCodec,
}

impl DecodeError {
    /// The reason of the dead letter.
    pub const fn reason(self) -> Reason {
        match self {
            Self::Corrupt => Reason::Corrupt,
            Self::Truncated => Reason::Truncated,
            Self::TooLarge => Reason::TooLarge,
            Self::UnsupportedCodec => Reason::UnsupportedCodec,
        }
    }
}

#[cfg(test)]
mod tests;
