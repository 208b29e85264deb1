//! Compressing and decompressing alone: what our encoder and decoder add to the library's own calls.

use anyhow::{Result, ensure};
use batchpipe_api::codec::Codec;
use batchpipe_workloads::codec::{Decoder, Encoder};
use zstd::bulk::Compressor;

use super::{Ground, Party, Setting, Version};
use crate::{
    bare, cpu,
    data::Data,
    rounds::{Contender, Run, Side},
};

pub(crate) const BARE: &str = "bare library";
pub(crate) const OURS: &str = "batchpipe's codec";

/// The library, and ours around it.
pub(crate) struct Codecs;

impl Party for Codecs {
    fn contenders<'a>(&'a self, ground: Ground<'a>) -> Vec<Contender<'a>> {
        let data = ground.data;
        vec![
            in_thread(BARE, Side::Encode, data, encode_bare),
            in_thread(OURS, Side::Encode, data, encode),
            in_thread(BARE, Side::Decode, data, decode_bare),
            in_thread(OURS, Side::Decode, data, decode),
        ]
    }

    fn settings(&self) -> Vec<Setting> {
        let level = bare::LEVEL;
        vec![
            Setting::new(BARE, format!("zstd {level} of batches in memory"), "the reverse"),
            Setting::new(OURS, "the same by batchpipe's encoder", "the same by its decoder"),
        ]
    }

    fn versions(&self) -> Result<Vec<Version>> {
        let version = zstd::zstd_safe::version_string().to_owned();
        Ok(vec![Version { what: "libzstd of batchpipe", version }])
    }
}

/// A contender that works in this thread, on what is in memory or in the page cache.
pub(super) fn in_thread<'a>(
    who: &'static str,
    side: Side,
    data: &'a Data,
    work: impl Fn(&Data) -> Result<()> + 'a,
) -> Contender<'a> {
    Contender::new(who, side, move |_| {
        let ((), cost) = cpu::of_thread(|| work(data))?;
        Ok(Run::new(cost, data.records))
    })
}

fn encode_bare(data: &Data) -> Result<()> {
    let (mut compressor, mut value) = (Compressor::new(bare::LEVEL)?, Vec::new());
    data.batches.iter().try_for_each(|text| bare::compress(&mut compressor, text, &mut value))
}

fn encode(data: &Data) -> Result<()> {
    let mut encoder = Encoder::new(Codec::Zstd, Some(bare::LEVEL))?;
    let mut value = Vec::new();
    for text in &data.batches {
        ensure!(encoder.encode(text, &mut value) == Codec::Zstd, "a batch did not shrink");
    }
    Ok(())
}

fn decode_bare(data: &Data) -> Result<()> {
    let (mut decompressor, mut text) = (bare::decompressor()?, Vec::new());
    data.sealed
        .iter()
        .try_for_each(|batch| bare::decompress(&mut decompressor, &batch.value, &mut text))
}

fn decode(data: &Data) -> Result<()> {
    let (mut decoder, mut text) = (Decoder::new(), Vec::new());
    for batch in &data.sealed {
        decoder.decode(Codec::Zstd, &batch.value, 16 << 20, &mut text)?;
    }
    Ok(())
}
