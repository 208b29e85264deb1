//! The bare loops as contenders: the same work as the pipeline's, with no pipeline and no Kafka.

use anyhow::{Result, ensure};

use super::{Ground, Party, Setting, Version, batchpipe::PER_BATCH, codec::in_thread};
use crate::{
    bare,
    data::Data,
    rounds::{Contender, Side},
};

pub(crate) const LOOP: &str = "bare loop";
pub(crate) const FROM_MEMORY: &str = "bare loop, from memory";
pub(crate) const NOT_VALIDATING: &str = "bare loop, no validation";

/// No client and no pipeline.
pub(crate) struct Bare;

impl Party for Bare {
    fn contenders<'a>(&'a self, ground: Ground<'a>) -> Vec<Contender<'a>> {
        let data = ground.data;
        let forget = |value: &[u8], crc: u32| _ = std::hint::black_box((value, crc));
        vec![
            in_thread(FROM_MEMORY, Side::Produce, data, move |data| {
                bare::produce_text(&data.text, PER_BATCH, forget)
            }),
            in_thread(LOOP, Side::Produce, data, move |data| {
                bare::produce(&data.file, PER_BATCH, forget)
            }),
            in_thread(NOT_VALIDATING, Side::Consume, data, |data| consume(data, false)),
            in_thread(LOOP, Side::Consume, data, |data| consume(data, true)),
        ]
    }

    fn settings(&self) -> Vec<Setting> {
        let level = bare::LEVEL;
        let produce = format!(
            "no Kafka, one thread: reads the file, finds line ends, checks UTF-8 and JSON of each record, joins \
             {PER_BATCH}, CRC-32C, zstd {level}"
        );
        let consume =
            "no Kafka, one thread: zstd, CRC-32C, splits, checks UTF-8 and JSON of each record";
        vec![
            Setting::new(LOOP, produce, consume),
            Setting::new(FROM_MEMORY, "the same on a text in memory", ""),
            Setting::new(NOT_VALIDATING, "", "the same, but only counts records"),
        ]
    }

    fn versions(&self) -> Result<Vec<Version>> {
        Ok(Vec::new())
    }
}

fn consume(data: &Data, validate: bool) -> Result<()> {
    let records = bare::consume(&data.sealed, validate)?;
    ensure!(records == data.records, "{records} records came back");
    Ok(())
}
