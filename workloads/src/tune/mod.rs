//! Measuring codec, level and batch size on the user's own records: what `batchpipe tune` does.
//!
//! ```text
//! file -> sample -> plan x cuts -> measure -> choose -> table, JSON, HTML report
//! ```
//!
//! Only `sample` reads, only `measure` looks at a clock; everything else is pure. Messages are made and opened by
//! the codecs, contexts and checks that the pipeline itself uses, so its bytes are the pipeline's bytes.

pub mod choose;
mod cut;
mod framing;
pub mod json;
pub mod measure;
mod numbers;
pub mod plain;
pub mod plan;
mod plot;
pub mod report;
pub mod sample;
pub mod snippet;
pub mod table;
#[cfg(test)]
mod tests;
mod words;

use batchpipe_api::{
    codec::Codec,
    units::{ByteSize, Timespan},
};

use self::{
    choose::Choice,
    cut::Layout,
    measure::{MeasureError, Progress},
    plain::Plain,
    plan::Setting,
    sample::{Facts, Sample},
};

/// One way to make messages of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// How a batch is compressed.
    pub codec: Codec,
    /// With which level; absent for codecs without levels.
    pub level: Option<i32>,
    /// Most records in a batch.
    pub max_records: u32,
}

/// What a candidate was measured to need.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// What was measured.
    pub candidate: Candidate,
    /// Messages of the whole sample.
    pub messages: u64,
    /// Records in a message, on average.
    pub records_per_message: f64,
    /// Bytes of message values for each record.
    pub value_bytes: f64,
    /// Bytes on the topic for each record: value, headers and Kafka's framing.
    pub topic_bytes: f64,
    /// CPU seconds to compress and seal a million records.
    pub compress: f64,
    /// CPU seconds to decompress and check a million records.
    pub decompress: f64,
}

/// How many records come, and how long they may wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Records per second into one open batch; not 0.
    pub rate: u64,
    /// The longest `batch.linger` that is recommended.
    pub max_linger: Timespan,
}

/// What is to be measured, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Codecs with their levels; at least one.
    pub settings: Vec<Setting>,
    /// Most records in a batch: the values to try, in rising order; at least one.
    pub batches: Vec<u32>,
    /// `batch.maxBytes` of all batches.
    pub max_bytes: ByteSize,
    /// How often each candidate is measured; at least once.
    pub rounds: u32,
    /// What comes in, if that is known.
    pub demand: Option<Demand>,
}

/// Everything that was found out.
#[derive(Clone, Debug)]
pub struct Tuning {
    /// What the records came from, for people.
    pub name: String,
    /// What is known of the sample.
    pub facts: Facts,
    /// What was asked for.
    pub options: Options,
    /// Batch sizes that would have made no difference.
    pub left_out: Vec<u32>,
    /// CPU seconds that a producer needs for a million records whatever the candidate: finding and checking them.
    pub handling: f64,
    /// The candidates, batch sizes inside of codecs; at least one.
    pub measured: Vec<Measured>,
    /// The same records without us.
    pub plain: Vec<Plain>,
    /// What is recommended.
    pub choice: Choice,
}

impl Tuning {
    /// The candidate that is recommended.
    pub fn best(&self) -> &Measured {
        &self.measured[self.choice.index]
    }

    /// Mean size of a record in bytes.
    pub fn record_bytes(&self) -> f64 {
        numbers::quotient(self.facts.record_bytes, self.facts.records)
    }

    /// How many times smaller than the records themselves.
    pub fn ratio(&self, bytes_per_record: f64) -> f64 {
        self.record_bytes() / bytes_per_record
    }

    /// How many percent of the records' bytes are saved; negative when there are more.
    pub fn saved_percent(&self, bytes_per_record: f64) -> f64 {
        100.0 - 100.0 * bytes_per_record / self.record_bytes()
    }

    /// How many messages a million records make.
    pub fn messages_per_million(&self, measured: &Measured) -> u64 {
        let records = self.facts.records.max(1);
        (measured.messages * 1_000_000 + records / 2) / records
    }

    /// CPU seconds of both sides for a million records, without the Kafka client.
    pub fn cpu(&self, measured: &Measured) -> f64 {
        self.handling + measured.compress + measured.decompress
    }
}

/// Measures a sample. `tell` is called before each candidate of each round.
pub fn tune(
    name: String,
    sample: &Sample,
    options: Options,
    tell: impl FnMut(Progress),
) -> Result<Tuning, MeasureError> {
    let (layouts, left_out) = cut::layouts(sample, &options.batches, options.max_bytes.as_usize());
    let candidates = plan::candidates(&options.settings, &layouts);
    let outcome = measure::measure(sample, &layouts, &candidates, options.rounds, tell)?;
    let plain = layouts.iter().flat_map(|layout| plain::compare(sample, layout));
    let plain: Vec<Plain> = std::iter::once(plain::alone(sample)).chain(plain).collect();
    let choice = choose::choose(&outcome.measured, outcome.handling, options.demand.as_ref());
    let measure::Outcome { handling, measured } = outcome;
    let facts = sample.facts.clone();
    Ok(Tuning { name, facts, options, left_out, handling, measured, plain, choice })
}

/// The layout of a candidate's batches.
fn layout_of<'a>(layouts: &'a [Layout], candidate: &Candidate) -> &'a Layout {
    layouts
        .iter()
        .find(|layout| layout.max_records == candidate.max_records)
        .expect("candidates are made of layouts")
}
