//! The consumer: broker -> decode -> sink -> offset.
//!
//! One thread polls and never waits for anything else; a few workers decode and deliver, each of them responsible
//! for some of the partitions, so that order is kept; one thread asks for watermarks; one commits; one writes dead
//! letters when there are any. An offset is committed after everything before it was delivered or dead-lettered.

mod assignment;
mod assignments;
mod beyond;
mod caught_up;
mod commits;
mod dead_letters;
mod desk;
mod durable;
mod fetched;
mod group;
mod leaving;
mod partition;
mod passing_over;
mod pending;
mod poll;
mod polled;
mod resuming;
mod sequence;
mod session;
mod tenure;
#[cfg(test)]
mod tests;
mod unreadable;
mod watch;
mod watermarks;
mod worker;
mod writing;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

pub use crate::produce::Shared;
use crate::{
    budget::TooLittleMemory,
    decode::Limits,
    kafka::{
        client::{AHEAD_BYTES, Cluster},
        topics::TopicSpec,
    },
    sink::{Sink, WriteError},
};

/// The most that waits for the workers, in bytes: enough for all of them, and little enough to stay warm.
const MOST_QUEUED: usize = 8 * 1024 * 1024;
/// Room for a message's headers, in bytes.
const HEADER_BYTES: usize = 1024 * 1024;
/// The most workers, whatever the memory.
const MOST_WORKERS: usize = 32;

/// What a consumer needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// The cluster.
    pub cluster: Cluster,
    /// Where batches come from; awaited, never made.
    pub topic: TopicSpec,
    /// The consumer group.
    pub group: String,
    /// Where messages and records go that cannot be delivered.
    pub dead_letter: TopicSpec,
    /// What a batch may be after decompression.
    pub limits: Limits,
    /// Whether every record must be JSON.
    pub validate: bool,
    /// How long the work at hand may take after a request to stop.
    pub grace: Duration,
    /// End at the first batch boundary at or after so many records.
    pub limit: Option<u64>,
    /// End when caught up.
    pub catch_up: CatchUp,
    /// What the sink holds beside what it is given, in bytes.
    pub sink_bytes: usize,
}

/// Whether a consumer ends when everything has been delivered, by it or by other members of its group, that is in
/// the topic when this is first asked for; until then it goes on for ever.
#[derive(Clone, Debug, Default)]
pub struct CatchUp {
    is_wanted: Arc<AtomicBool>,
    is_required: bool,
}

impl CatchUp {
    /// Asked for from the start: ending before that is a failure.
    pub fn required() -> Self {
        Self { is_wanted: Arc::new(AtomicBool::new(true)), is_required: true }
    }

    /// Asks for it.
    pub fn want(&self) {
        self.is_wanted.store(true, Ordering::Release);
    }

    /// Whether it was asked for.
    pub fn is_wanted(&self) -> bool {
        self.is_wanted.load(Ordering::Acquire)
    }

    /// Whether it was asked for from the start.
    pub const fn is_required(&self) -> bool {
        self.is_required
    }
}

/// Why a consumer ended without finishing its work.
#[derive(Debug, thiserror::Error)]
pub enum ConsumeError {
    /// librdkafka refuses the settings.
    #[error("librdkafka refuses the settings of the consumer")]
    Client(#[from] rdkafka::error::KafkaError),
    /// The sink is gone for good.
    #[error("sink failed")]
    Sink(#[from] WriteError),
    /// The sink could not make durable what it had taken.
    #[error(
        "the sink could not store the last records of partitions {0:?}; the next run delivers them again"
    )]
    Unfinished(Vec<i32>),
    /// The group did not take how far some partitions were delivered.
    #[error(
        "group {group} did not take the last offsets of partitions {partitions:?} in time; what was delivered since \
         the commit before is delivered again"
    )]
    Uncommitted {
        /// The group.
        group: String,
        /// The partitions.
        partitions: Vec<i32>,
    },
    /// It was stopped before it had done what was asked for.
    #[error(
        "stopped before everything was delivered that was in the topic at the start; run it again to go on"
    )]
    NotCaughtUp,
    /// A thread of ours died.
    #[error("the {0} thread died; this is a defect of batchpipe")]
    Thread(&'static str),
}

/// How the budget is divided, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Division {
    /// What librdkafka may have fetched and not yet handed to us.
    fetch: usize,
    /// What may wait for the workers.
    queue: usize,
    /// What librdkafka may hold of dead letters.
    letters: usize,
    /// How many workers may unpack a batch at the same time.
    workers: usize,
}

impl Division {
    fn of(share: usize, config: &Config) -> Self {
        let fetch = AHEAD_BYTES.max(config.largest_value());
        let queue = (share / 4).min(MOST_QUEUED);
        let letters = config.largest_letter();
        let left = share.saturating_sub(fetch + queue + letters + config.sink_bytes);
        let workers = (left / 2 / config.limits.max_bytes.max(1)).clamp(1, MOST_WORKERS);
        // A limit can only be exact when one batch is delivered after the other.
        let workers = if config.limit.is_some() { 1 } else { workers };
        Self { fetch, queue, letters, workers }
    }

    fn total(&self, config: &Config) -> usize {
        self.fetch
            + self.queue
            + self.letters
            + config.sink_bytes
            + self.workers * config.limits.max_bytes
    }
}

impl Config {
    /// The largest value that can hold a batch within the limits, in bytes: codecs make what they cannot shrink a
    /// little larger.
    pub(crate) const fn largest_value(&self) -> usize {
        self.limits.max_bytes + self.limits.max_bytes / 8 + 1024
    }

    /// The largest dead letter, in bytes: such a value with its headers.
    pub(crate) const fn largest_letter(&self) -> usize {
        self.largest_value() + HEADER_BYTES
    }

    /// Checks that the consumer can work in so many bytes of memory.
    pub fn check_memory(&self, share: usize) -> Result<(), TooLittleMemory> {
        TooLittleMemory::check(Division::of(share, self).total(self), share)
    }
}

/// Runs a consumer until a stop is asked for or its limit is reached, and commits what was delivered. The ledger
/// tells how it went.
pub fn run(config: Config, sink: Arc<dyn Sink>, shared: &Shared) -> Result<(), ConsumeError> {
    let division = Division::of(shared.share, &config);
    poll::Consumer::new(config, division, sink, shared.clone()).run()
}
