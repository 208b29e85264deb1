//! The consumer: broker -> decode -> sink -> offset.
//!
//! One thread polls and never waits for anything else; a few workers decode and deliver, each of them responsible
//! for some of the partitions, so that order is kept; one thread asks for watermarks; one writes dead letters when
//! there are any. An offset is committed after everything before it was delivered or dead-lettered.

mod assignment;
mod dead_letters;
mod fetched;
mod group;
mod partition;
mod poll;
mod sequence;
mod session;
mod watch;
mod worker;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

pub use crate::produce::Shared;
use crate::{
    decode::Limits,
    kafka::{client::Cluster, topics::TopicSpec},
    sink::{Sink, WriteError},
};

/// The most that waits for the workers, in bytes: enough for all of them, and little enough to stay warm.
const MOST_QUEUED: usize = 8 * 1024 * 1024;
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
}

/// Whether a consumer ends when everything has been delivered that is in its partitions when this is first
/// asked for; until then it goes on for ever.
#[derive(Clone, Debug, Default)]
pub struct CatchUp(Arc<AtomicBool>);

impl CatchUp {
    /// Asked for from the start, or not yet.
    pub fn new(is_wanted: bool) -> Self {
        Self(Arc::new(AtomicBool::new(is_wanted)))
    }

    /// Asks for it.
    pub fn want(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether it was asked for.
    pub fn is_wanted(&self) -> bool {
        self.0.load(Ordering::Acquire)
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
    /// How many workers may unpack a batch at the same time.
    workers: usize,
}

impl Division {
    fn of(budget: usize, limits: &Limits, config: &Config) -> Self {
        let quarter = budget / 4;
        let workers = (quarter / limits.max_bytes.max(1)).clamp(1, MOST_WORKERS);
        // A limit can only be exact when one batch is delivered after the other.
        let workers = if config.limit.is_some() { 1 } else { workers };
        Self { fetch: quarter, queue: quarter.min(MOST_QUEUED), workers }
    }
}

/// Runs a consumer until a stop is asked for or its limit is reached, and commits what was delivered. The ledger
/// tells how it went.
pub fn run(config: Config, sink: Arc<dyn Sink>, shared: &Shared) -> Result<(), ConsumeError> {
    let division = Division::of(shared.share, &config.limits, &config);
    poll::Consumer::new(config, division, sink, shared.clone()).run()
}
