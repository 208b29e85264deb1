//! Compressing batches, one after the other, with one codec.

use batchpipe_api::codec::Codec;

use super::{
    CodecError,
    deflate::{self, Wrapping},
    lz4, snappy, zstd,
};

/// A codec with its level and its working memory; a thread keeps one for as long as it compresses.
pub struct Encoder {
    codec: Codec,
    state: State,
}

enum State {
    Zstd(zstd::Encoder),
    Deflate(deflate::Encoder),
    Lz4(Box<lz4::Encoder>),
    Snappy(Box<snappy::Encoder>),
    None,
}

impl Encoder {
    /// An encoder with this level, or with the codec's default.
    pub fn new(codec: Codec, level: Option<i32>) -> Result<Self, CodecError> {
        let level = checked_level(codec, level)?;
        let state = match codec {
            Codec::Zstd => State::Zstd(zstd::Encoder::new(level)?),
            Codec::Gzip => State::Deflate(deflate::Encoder::new(level, Wrapping::Gzip)),
            Codec::Zlib => State::Deflate(deflate::Encoder::new(level, Wrapping::Zlib)),
            Codec::Lz4 => State::Lz4(Box::new(lz4::Encoder::new())),
            Codec::Snappy => State::Snappy(Box::new(snappy::Encoder::new())),
            Codec::None => State::None,
        };
        Ok(Self { codec, state })
    }

    /// Puts the compressed form of `raw` into `out`, whose old content is dropped and whose memory is reused.
    ///
    /// Returns what the message is to be labelled as: [`Codec::None`] when compression would not make it
    /// smaller (or the library ran out of memory); `out` then holds `raw`.
    pub fn encode(&mut self, raw: &[u8], out: &mut Vec<u8>) -> Codec {
        let is_done = match &mut self.state {
            State::Zstd(encoder) => encoder.encode(raw, out),
            State::Deflate(encoder) => encoder.encode(raw, out),
            State::Lz4(encoder) => encoder.encode(raw, out),
            State::Snappy(encoder) => encoder.encode(raw, out),
            State::None => false,
        };
        if is_done && out.len() < raw.len() {
            return self.codec;
        }
        out.clear();
        out.extend_from_slice(raw);
        Codec::None
    }
}

/// The level to use; 0 for codecs without levels.
fn checked_level(codec: Codec, level: Option<i32>) -> Result<i32, CodecError> {
    match (codec.levels(), level.or_else(|| codec.default_level())) {
        (Some((lowest, highest)), Some(level)) if !(lowest..=highest).contains(&level) => {
            Err(CodecError::Level { codec, level, lowest, highest })
        }
        (None, Some(level)) => Err(CodecError::NoLevels { codec, level }),
        (_, level) => Ok(level.unwrap_or(0)),
    }
}
