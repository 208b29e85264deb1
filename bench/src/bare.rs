//! The bare loops: the same work as a producer's and a consumer's with no pipeline around it, in one thread,
//! and without Kafka. What the pipeline is compared with, so they are as fast as plain code can be.

#![expect(
    clippy::disallowed_types,
    reason = "the library's own calls are what our decoder is compared with; the input is our own"
)]

use std::{fs::File, io::Read as _, path::Path};

use anyhow::{Context as _, Result, ensure};
use serde::de::IgnoredAny;
use zstd::bulk::{Compressor, Decompressor};

/// zstd's level.
pub(crate) const LEVEL: i32 = 1;
/// How much is read at once, in bytes; what fits into an L2 cache with the batch made of it.
const READ_BYTES: usize = 256 * 1024;

/// A compressed batch and its CRC-32C.
pub(crate) struct Sealed {
    pub(crate) value: Vec<u8>,
    pub(crate) crc: u32,
}

/// Reads the file, finds line ends, validates, joins, sums up and compresses.
pub(crate) fn produce(
    file: &Path,
    per_batch: usize,
    mut each: impl FnMut(&[u8], u32),
) -> Result<()> {
    let mut file = File::open(file).with_context(|| format!("cannot open {}", file.display()))?;
    let mut seal = Sealer::new(per_batch)?;
    let mut buffer = vec![0; READ_BYTES];
    let mut kept = 0;
    loop {
        let read = file.read(&mut buffer[kept..]).context("cannot read records")?;
        let filled = kept + read;
        let end = memchr::memrchr(b'\n', &buffer[..filled]).map_or(0, |at| at + 1);
        ensure!(end > 0 || read == 0, "a record is longer than {READ_BYTES} bytes");
        seal.lines(&buffer[..end], &mut each)?;
        buffer.copy_within(end..filled, 0);
        kept = filled - end;
        if read == 0 {
            return seal.finish(&mut each);
        }
    }
}

/// The same on a text that is in memory.
pub(crate) fn produce_text(
    text: &[u8],
    per_batch: usize,
    mut each: impl FnMut(&[u8], u32),
) -> Result<()> {
    let mut seal = Sealer::new(per_batch)?;
    for piece in pieces(text)? {
        seal.lines(piece, &mut each)?;
    }
    seal.finish(&mut each)
}

/// A text in pieces of whole lines, as they are read from a file.
pub(crate) fn pieces(text: &[u8]) -> Result<Vec<&[u8]>> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let reach = &rest[..READ_BYTES.min(rest.len())];
        let end = memchr::memrchr(b'\n', reach).context("a record is too long")? + 1;
        pieces.push(&rest[..end]);
        rest = &rest[end..];
    }
    Ok(pieces)
}

struct Sealer {
    compressor: Compressor<'static>,
    batch: Vec<u8>,
    records: usize,
    per_batch: usize,
    value: Vec<u8>,
}

impl Sealer {
    fn new(per_batch: usize) -> Result<Self> {
        let compressor = Compressor::new(LEVEL).context("cannot set up zstd")?;
        Ok(Self { compressor, batch: Vec::new(), records: 0, per_batch, value: Vec::new() })
    }

    /// Takes whole lines.
    fn lines(&mut self, text: &[u8], each: &mut impl FnMut(&[u8], u32)) -> Result<()> {
        ensure!(std::str::from_utf8(text).is_ok(), "the records are no UTF-8");
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', text) {
            let line = &text[start..end];
            serde_json::from_slice::<IgnoredAny>(line).context("a record is no JSON")?;
            if self.records > 0 {
                self.batch.push(b'\n');
            }
            self.batch.extend_from_slice(line);
            self.records += 1;
            start = end + 1;
            if self.records == self.per_batch {
                self.seal(each)?;
            }
        }
        Ok(())
    }

    fn seal(&mut self, each: &mut impl FnMut(&[u8], u32)) -> Result<()> {
        let crc = crc32c::crc32c(&self.batch);
        compress(&mut self.compressor, &self.batch, &mut self.value)?;
        each(&self.value, crc);
        self.batch.clear();
        self.records = 0;
        Ok(())
    }

    fn finish(mut self, each: &mut impl FnMut(&[u8], u32)) -> Result<()> {
        if self.records > 0 { self.seal(each) } else { Ok(()) }
    }
}

/// The library call that our encoder is compared with.
pub(crate) fn compress(
    compressor: &mut Compressor<'_>,
    text: &[u8],
    value: &mut Vec<u8>,
) -> Result<()> {
    value.clear();
    value.reserve(zstd::zstd_safe::compress_bound(text.len()));
    compressor.compress_to_buffer(text, value).context("zstd cannot compress")?;
    Ok(())
}

/// A decompressor for [`decompress`].
pub(crate) fn decompressor() -> Result<Decompressor<'static>> {
    Decompressor::new().context("cannot set up zstd")
}

/// The library call that our decoder is compared with.
pub(crate) fn decompress(
    decompressor: &mut Decompressor<'_>,
    value: &[u8],
    text: &mut Vec<u8>,
) -> Result<()> {
    text.clear();
    text.reserve(Decompressor::upper_bound(value).context("a frame without a size")?);
    decompressor.decompress_to_buffer(value, text).context("zstd cannot decompress")?;
    Ok(())
}

/// Inflates, compares the sum, and counts records or validates each; returns their number.
pub(crate) fn consume(batches: &[Sealed], validate: bool) -> Result<u64> {
    let (mut decompressor, mut text) = (decompressor()?, Vec::new());
    let mut records = 0;
    for batch in batches {
        decompress(&mut decompressor, &batch.value, &mut text)?;
        ensure!(crc32c::crc32c(&text) == batch.crc, "a batch is not what it was");
        records += if validate { validated(&text)? } else { counted(&text) };
    }
    Ok(records)
}

fn counted(text: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', text).count() as u64 + 1
}

/// Checks UTF-8 and each line; returns their number.
pub(crate) fn validated(text: &[u8]) -> Result<u64> {
    ensure!(std::str::from_utf8(text).is_ok(), "the records are no UTF-8");
    let (mut start, mut records) = (0, 0);
    for end in memchr::memchr_iter(b'\n', text).chain(std::iter::once(text.len())) {
        serde_json::from_slice::<IgnoredAny>(&text[start..end]).context("a record is no JSON")?;
        start = end + 1;
        records += 1;
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_loops_carry_every_record() {
        let text = b"{\"a\":1}\n2\n\"x\"\n[4]\n5\n";
        let mut batches = Vec::new();
        let keep = |value: &[u8], crc| batches.push(Sealed { value: value.to_vec(), crc });
        produce_text(text, 2, keep).unwrap();
        assert_eq!(batches.len(), 3);
        assert_eq!((consume(&batches, false).unwrap(), consume(&batches, true).unwrap()), (5, 5));
        batches[1].crc ^= 1;
        assert!(consume(&batches, false).is_err());
    }

    #[test]
    fn what_is_no_json_stops_the_loop() {
        assert!(produce_text(b"{\n", 2, |_, _| ()).is_err());
    }
}
