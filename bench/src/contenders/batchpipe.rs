//! `batchpipe` itself: the real commands on a real broker, as child processes, with all settings at their defaults but
//! for the size of a batch.

use anyhow::Result;

use super::{Ground, Party, Setting, Version};
use crate::{
    bare,
    pipeline::{Pipeline, Shape},
    rounds::{Contender, Run, Side},
};

/// Records of a batch.
pub(crate) const PER_BATCH: usize = 500;

pub(crate) const OURS: &str = "batchpipe";
pub(crate) const NOT_VALIDATING: &str = "batchpipe, no validation";
pub(crate) const SEALED: &str = "batchpipe, sealed batches";

/// Us.
pub(crate) struct BatchPipe;

impl Party for BatchPipe {
    fn contenders<'a>(&'a self, ground: Ground<'a>) -> Vec<Contender<'a>> {
        let contender = |who, side, work: fn(&Pipeline<'a>) -> Result<Run>, sealed| {
            Contender::new(who, side, move |round| {
                let kind = if sealed { "sealed" } else { "unsealed" };
                let topic = format!("{}-{kind}-{round}", ground.data.profile.name());
                let shape = Shape { sealed, ..Shape::USUAL };
                work(&Pipeline::new(ground.stage, ground.data.again()?, shape, topic))
            })
        };
        vec![
            contender(OURS, Side::Produce, Pipeline::produce, true),
            contender(NOT_VALIDATING, Side::Produce, Pipeline::produce, false),
            contender(SEALED, Side::Consume, Pipeline::consume, true),
            contender(OURS, Side::Consume, Pipeline::consume, false),
            contender(OURS, Side::Both, Pipeline::both, true),
        ]
    }

    fn settings(&self) -> Vec<Setting> {
        let produce = format!(
            "`batchpipe produce`: file source, {PER_BATCH} records per batch, zstd {}, checks UTF-8 and JSON of each \
             record, seals batches with `j=1`; all else by default (acks all, idempotent)",
            bare::LEVEL
        );
        let consume = "`batchpipe consume`: blackhole sink, CRC-32C, checks UTF-8 and JSON of each record of \
                       batches that are not sealed";
        vec![
            Setting::new(OURS, produce, consume),
            Setting::new(NOT_VALIDATING, "the same with `validate: None`", ""),
            Setting::new(SEALED, "", "the same with batches that the producer checked and sealed"),
        ]
    }

    fn versions(&self) -> Result<Vec<Version>> {
        let (_, librdkafka) = rdkafka::util::get_rdkafka_version();
        Ok(vec![
            Version { what: "BatchPipe", version: env!("CARGO_PKG_VERSION").to_owned() },
            Version { what: "librdkafka of batchpipe", version: librdkafka },
        ])
    }
}
