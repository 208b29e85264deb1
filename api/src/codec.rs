//! How a batch is compressed: the `compression.codec` of a pipeline and the `content-encoding` of a message.
//!
//! Names only; the codecs themselves live in the data plane.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The codec of a batch.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// One zstd frame (RFC 8878).
    #[default]
    Zstd,
    /// One gzip member (RFC 1952).
    Gzip,
    /// A zlib stream (RFC 1950); HTTP calls it `deflate`.
    Zlib,
    /// One LZ4 *frame*.
    Lz4,
    /// Snappy *framing* format.
    Snappy,
    /// No compression; on the wire `identity`.
    None,
}

impl Codec {
    /// Every codec, in the order in which documents list them.
    pub const ALL: [Self; 6] =
        [Self::Zstd, Self::Gzip, Self::Zlib, Self::Lz4, Self::Snappy, Self::None];

    /// The name in a pipeline's `compression.codec`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
            Self::Zlib => "zlib",
            Self::Lz4 => "lz4",
            Self::Snappy => "snappy",
            Self::None => "none",
        }
    }

    /// The value of the `content-encoding` header.
    pub const fn content_encoding(self) -> &'static str {
        match self {
            Self::None => "identity",
            named => named.name(),
        }
    }

    /// Reads a `content-encoding` value: case-insensitive, `deflate` is zlib. `None` when unknown.
    pub fn from_content_encoding(value: &[u8]) -> Option<Self> {
        if value.eq_ignore_ascii_case(b"deflate") {
            return Some(Self::Zlib);
        }
        Self::ALL
            .into_iter()
            .find(|codec| value.eq_ignore_ascii_case(codec.content_encoding().as_bytes()))
    }

    /// The levels that the codec accepts, lowest to highest; `None` for codecs without levels.
    ///
    /// zstd's negative and ultra levels (20-22) are left out: the former are worse than lz4 here, the
    /// latter take more than 100 MiB of memory for each compressor.
    pub const fn levels(self) -> Option<(i32, i32)> {
        match self {
            Self::Zstd => Some((1, 19)),
            Self::Gzip | Self::Zlib => Some((1, 9)),
            Self::Lz4 | Self::Snappy | Self::None => None,
        }
    }

    /// The level used when a pipeline names none.
    pub const fn default_level(self) -> Option<i32> {
        match self {
            Self::Zstd => Some(1),
            Self::Gzip | Self::Zlib => Some(6),
            Self::Lz4 | Self::Snappy | Self::None => None,
        }
    }
}

impl std::fmt::Display for Codec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
