//! Who is measured: the contenders on one profile's records, in the order in which they take turns.

use anyhow::{Result, ensure};
use batchpipe_api::codec::Codec;
use batchpipe_workloads::codec::{Decoder, Encoder};
use zstd::bulk::Compressor;

use crate::{
    bare, cpu,
    data::Data,
    origin::Origin,
    pipeline::{PER_BATCH, Pipeline},
    rounds::{Contender, Run},
    stage::Stage,
};

pub(crate) const ENCODE_BARE: &str = "encode, bare library";
pub(crate) const ENCODE: &str = "encode, batchpipe";
pub(crate) const DECODE_BARE: &str = "decode, bare library";
pub(crate) const DECODE: &str = "decode, batchpipe";
pub(crate) const PRODUCE_BARE: &str = "bare loop, produce";
pub(crate) const PRODUCE_BARE_TEXT: &str = "bare loop, produce from memory";
pub(crate) const CONSUME_BARE: &str = "bare loop, consume";
pub(crate) const CONSUME_BARE_VALIDATING: &str = "bare loop, consume and validate";
pub(crate) const PRODUCE: &str = "batchpipe produce";
pub(crate) const PRODUCE_UNSEALED: &str = "batchpipe produce, no validation";
pub(crate) const CONSUME_SEALED: &str = "batchpipe consume, sealed";
pub(crate) const CONSUME_UNSEALED: &str = "batchpipe consume, unsealed";
pub(crate) const BOTH: &str = "batchpipe run, both sides";
pub(crate) const ORIGIN_STRINGS: &str = "python produce, strings ready";
pub(crate) const ORIGIN_OBJECTS: &str = "python produce, json.dumps";
pub(crate) const ORIGIN_CONSUME: &str = "python consume";

/// Everyone who is measured; `origin` only where there is one.
pub(crate) fn contenders<'a>(
    stage: &'a Stage,
    data: &'a Data,
    origin: Option<&'a Origin>,
) -> Vec<Contender<'a>> {
    let pipeline = move |sealed, round| Pipeline::new(stage, data, sealed, round);
    let [produce_bare, produce_bare_text, consume_bare, consume_bare_validating] = loops(data);
    let mut all = Vec::from(codecs(data));
    // Who is compared with whom has its turn right after: the machine changes within seconds.
    all.extend([
        produce_bare_text,
        produce_bare,
        Contender::new(PRODUCE, move |round| pipeline(true, round).produce()),
        Contender::new(PRODUCE_UNSEALED, move |round| pipeline(false, round).produce()),
        consume_bare,
        Contender::new(CONSUME_SEALED, move |round| pipeline(true, round).consume()),
        consume_bare_validating,
        Contender::new(CONSUME_UNSEALED, move |round| pipeline(false, round).consume()),
        Contender::new(BOTH, move |round| pipeline(true, round).both()),
    ]);
    if let Some(origin) = origin {
        all.extend([
            Contender::new(ORIGIN_STRINGS, move |round| origin.produce_strings(stage, data, round)),
            Contender::new(ORIGIN_OBJECTS, move |round| origin.produce_objects(stage, data, round)),
            Contender::new(ORIGIN_CONSUME, move |round| origin.consume(stage, data, round)),
        ]);
    }
    all
}

/// Compressing and decompressing alone.
fn codecs(data: &Data) -> [Contender<'_>; 4] {
    [
        of_thread(ENCODE_BARE, data, |data| {
            let (mut compressor, mut value) = (Compressor::new(bare::LEVEL)?, Vec::new());
            data.batches
                .iter()
                .try_for_each(|text| bare::compress(&mut compressor, text, &mut value))
        }),
        of_thread(ENCODE, data, |data| {
            let mut encoder = Encoder::new(Codec::Zstd, Some(bare::LEVEL))?;
            let mut value = Vec::new();
            for text in &data.batches {
                ensure!(encoder.encode(text, &mut value) == Codec::Zstd, "a batch did not shrink");
            }
            Ok(())
        }),
        of_thread(DECODE_BARE, data, |data| {
            let (mut decompressor, mut text) = (bare::decompressor()?, Vec::new());
            data.sealed
                .iter()
                .try_for_each(|batch| bare::decompress(&mut decompressor, &batch.value, &mut text))
        }),
        of_thread(DECODE, data, |data| {
            let (mut decoder, mut text) = (Decoder::new(), Vec::new());
            for batch in &data.sealed {
                decoder.decode(Codec::Zstd, &batch.value, 16 << 20, &mut text)?;
            }
            Ok(())
        }),
    ]
}

/// The same work as the pipeline's, with no pipeline.
fn loops(data: &Data) -> [Contender<'_>; 4] {
    let consume = |data: &Data, validate| {
        let records = bare::consume(&data.sealed, validate)?;
        ensure!(records == data.records, "{records} records came back");
        Ok(())
    };
    let forget = |value: &[u8], crc: u32| _ = std::hint::black_box((value, crc));
    [
        of_thread(PRODUCE_BARE, data, move |data| bare::produce(&data.file, PER_BATCH, forget)),
        of_thread(PRODUCE_BARE_TEXT, data, move |data| {
            bare::produce_text(&data.text, PER_BATCH, forget)
        }),
        of_thread(CONSUME_BARE, data, move |data| consume(data, false)),
        of_thread(CONSUME_BARE_VALIDATING, data, move |data| consume(data, true)),
    ]
}

fn of_thread<'a>(
    name: &'static str,
    data: &'a Data,
    work: impl Fn(&Data) -> Result<()> + 'a,
) -> Contender<'a> {
    Contender::new(name, move |_| {
        let ((), cost) = cpu::of_thread(|| work(data))?;
        Ok(Run::of_thread(cost, data.records))
    })
}
