//! What is counted: single steps of a producer's and a consumer's work, and the library calls in them for themselves.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use batchpipe_api::{
    codec::Codec,
    envelope::{Envelope, Incarnation},
};
use batchpipe_workloads::{
    batch::{self, Batch},
    budget::Budget,
    chunk::{Arrival, Chunk, Records, Rules},
    codec::{Decoder, Encoder},
    decode::{self, Headers, Message, Opener},
    key::Pointer,
    receipt::Receipt,
    source::{
        Block,
        generator::{ProfileName, generate},
    },
};
use zstd::bulk::Compressor;

use super::RECORDS;
use crate::{bare, contenders::batchpipe::PER_BATCH, data};

const MOST_BYTES: usize = 16 << 20;

/// A step that is counted.
pub(super) struct Part {
    pub(super) name: &'static str,
    /// The part that is nothing but the library's work in it.
    pub(super) bare: Option<&'static str>,
    /// Does it for all records, so many times.
    pub(super) work: fn(u32) -> Result<()>,
}

/// All of them.
pub(super) fn all() -> Vec<Part> {
    let part = |name, bare, work| Part { name, bare, work };
    vec![
        part("bare: validate", None, bare_validate),
        part("bare: zstd", None, bare_compress),
        part("bare: unzstd", None, bare_decompress),
        part("chunk: find lines", None, |times| fill(times, false, None)),
        part("chunk: validate", Some("bare: validate"), |times| fill(times, true, None)),
        part("chunk: validate, key", None, |times| fill(times, true, Some("/device/id"))),
        part("batch: join", None, join),
        part("encode: zstd", Some("bare: zstd"), |times| encode(times, Codec::Zstd)),
        part("encode: gzip", None, |times| encode(times, Codec::Gzip)),
        part("encode: zlib", None, |times| encode(times, Codec::Zlib)),
        part("encode: lz4", None, |times| encode(times, Codec::Lz4)),
        part("encode: snappy", None, |times| encode(times, Codec::Snappy)),
        part("decode: zstd", Some("bare: unzstd"), |times| decode(times, Codec::Zstd)),
        part("decode: gzip", None, |times| decode(times, Codec::Gzip)),
        part("decode: zlib", None, |times| decode(times, Codec::Zlib)),
        part("decode: lz4", None, |times| decode(times, Codec::Lz4)),
        part("decode: snappy", None, |times| decode(times, Codec::Snappy)),
        part("open: sealed", None, |times| open(times, true)),
        part("open: validate", None, |times| open(times, false)),
    ]
}

fn records_of_a_batch() -> u32 {
    u32::try_from(PER_BATCH).expect("it is some hundreds")
}

fn text() -> Vec<u8> {
    let mut text = Vec::new();
    generate(ProfileName::Telemetry, 1, RECORDS, &mut text);
    text
}

/// The text of each batch.
fn batches(text: &[u8]) -> Vec<Vec<u8>> {
    data::batches(text, PER_BATCH)
}

fn bare_validate(times: u32) -> Result<()> {
    let text = text();
    for _ in 0..times {
        for block in bare::pieces(&text)? {
            bare::validated(&block[..block.len() - 1])?;
        }
    }
    Ok(())
}

fn bare_compress(times: u32) -> Result<()> {
    let (batches, mut value) = (batches(&text()), Vec::new());
    let mut compressor = Compressor::new(bare::LEVEL)?;
    for _ in 0..times {
        batches.iter().try_for_each(|text| bare::compress(&mut compressor, text, &mut value))?;
    }
    Ok(())
}

fn bare_decompress(times: u32) -> Result<()> {
    let (values, mut text) = (encoded(Codec::Zstd)?, Vec::new());
    let mut decompressor = bare::decompressor()?;
    for _ in 0..times {
        let mut each = values.iter();
        each.try_for_each(|value| bare::decompress(&mut decompressor, value, &mut text))?;
    }
    Ok(())
}

/// Makes checked records of blocks.
fn fill(times: u32, validate: bool, key: Option<&str>) -> Result<()> {
    let (text, key) = (text(), key.map(Pointer::parse).transpose()?);
    let (blocks, rules) = (bare::pieces(&text)?, Rules { validate, key });
    let (mut records, mut block) = (Records::default(), Block::default());
    for _ in 0..times {
        let mut found = 0;
        for text in &blocks {
            block.text.extend_from_slice(text);
            records.fill(&mut block, &rules);
            found += records.len() as u64;
        }
        ensure!(found == RECORDS, "{found} records");
    }
    Ok(())
}

/// Joins checked records to batches.
fn join(times: u32) -> Result<()> {
    let text = text();
    let chunks: Vec<_> = bare::pieces(&text)?.into_iter().map(chunk).collect();
    let linger = Duration::from_secs(1);
    let limits = batch::Limits { max_records: records_of_a_batch(), max_bytes: 1 << 20, linger };
    let mut batch = Batch::default();
    for _ in 0..times {
        for chunk in &chunks {
            let mut from = 0;
            while from < chunk.records.len() {
                let (taken, reason) = batch.take(chunk, from, chunk.records.len() - from, &limits);
                from += taken;
                if reason.is_some() {
                    batch.clear(limits.max_bytes);
                }
            }
        }
    }
    Ok(())
}

fn chunk(text: &[u8]) -> Chunk {
    let mut records = Records::default();
    let mut block = Block { text: text.to_vec(), ..Block::default() };
    records.fill(&mut block, &Rules { validate: false, key: None });
    let arrival = Arrival { instant: Instant::now(), unix_ms: 0 };
    Chunk { records, arrival, share: Receipt::new().1, charge: Budget::new(1).charge_now(0) }
}

fn encode(times: u32, codec: Codec) -> Result<()> {
    let (batches, mut value) = (batches(&text()), Vec::new());
    let mut encoder = Encoder::new(codec, None)?;
    for _ in 0..times {
        for text in &batches {
            ensure!(encoder.encode(text, &mut value) == codec, "a batch did not shrink");
        }
    }
    Ok(())
}

/// All batches, compressed.
fn encoded(codec: Codec) -> Result<Vec<Vec<u8>>> {
    let mut encoder = Encoder::new(codec, None)?;
    let encode = |text: &Vec<u8>| {
        let mut value = Vec::new();
        encoder.encode(text, &mut value);
        value
    };
    Ok(batches(&text()).iter().map(encode).collect())
}

fn decode(times: u32, codec: Codec) -> Result<()> {
    let (values, mut text) = (encoded(codec)?, Vec::new());
    let mut decoder = Decoder::new();
    for _ in 0..times {
        for value in &values {
            decoder.decode(codec, value, MOST_BYTES, &mut text)?;
        }
    }
    Ok(())
}

/// What a consumer does with a message: decompress, compare the sum, find the records, and check those that the producer
/// has not checked.
fn open(times: u32, validated: bool) -> Result<()> {
    let texts = batches(&text());
    let envelopes = texts.iter().map(|text| envelope(text, validated));
    let messages: Vec<_> = encoded(Codec::Zstd)?.into_iter().zip(envelopes).collect();
    let limits = decode::Limits { max_bytes: MOST_BYTES, max_records: 100_000 };
    let (mut opener, mut batch) = (Opener::new(), decode::Batch::default());
    for _ in 0..times {
        let mut found = 0;
        for (value, envelope) in &messages {
            let headers = Headers::new(Some(b"zstd"), Some(envelope.as_bytes()));
            let message = Message { value: Some(value), headers };
            let outcome = opener.open(&message, &limits, true, &mut batch);
            ensure!(outcome.is_ok(), "a message cannot be read: {outcome:?}");
            found += u64::from(batch.records);
        }
        ensure!(found == RECORDS, "{found} records");
    }
    Ok(())
}

fn envelope(text: &[u8], validated: bool) -> String {
    let envelope = Envelope {
        records: records_of_a_batch(),
        raw_bytes: text.len() as u64,
        crc32c: Some(crc32c::crc32c(text)),
        incarnation: Incarnation(7),
        sequence: 0,
        validated,
        dead_lettered: None,
    };
    envelope.to_string()
}
