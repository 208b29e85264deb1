//! The producer: source -> chunk -> lane -> codec -> broker -> acknowledgement -> source.
//!
//! Two threads: the intake reads and checks records, the engine batches, compresses and sends them. They meet
//! at a short queue of chunks; everything that waits is charged to the budget, so a slow broker slows the
//! source and nothing else.

mod dead_letters;
mod engine;
mod intake;
mod router;
pub(crate) mod seal;
pub(crate) mod split;

use std::{sync::Arc, time::Duration};

use batchpipe_api::{codec::Codec, envelope::Incarnation};

use self::{engine::Engine, intake::Intake};
use crate::{
    admin::Side,
    batch,
    budget::{Budget, TooLittleMemory},
    chunk::Rules,
    codec::CodecError,
    kafka::{
        client::{Cluster, Transport},
        outbox,
        topics::TopicSpec,
    },
    ledger::Ledger,
    shutdown::Shutdown,
    source::{BLOCK_BYTES, Source, SourceError},
};

/// The part of the budget that librdkafka may hold a second copy of, and the most that it makes sense to.
const WINDOW: (usize, usize) = (8, 16 * 1024 * 1024);
/// Chunks between intake and engine: one being batched, one ready.
const QUEUED_CHUNKS: usize = 2;
/// Room for headers and Kafka's own framing beside a message's value, in bytes.
const MESSAGE_OVERHEAD: usize = 4096;

/// What a producer needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// The cluster.
    pub cluster: Cluster,
    /// Where batches go.
    pub topic: TopicSpec,
    /// Where records go that cannot be sent.
    pub dead_letter: TopicSpec,
    /// How batches are compressed.
    pub codec: Codec,
    /// How hard the codec tries; its default when absent.
    pub level: Option<i32>,
    /// Kafka's own compression.
    pub transport: Transport,
    /// When batches are closed.
    pub limits: batch::Limits,
    /// What is asked of every record.
    pub rules: Rules,
    /// How long acknowledgements are awaited after a request to stop.
    pub grace: Duration,
    /// End after so many records.
    pub limit: Option<u64>,
}

/// What the producer shares with the rest of the process.
#[derive(Clone)]
pub struct Shared {
    /// Its accounting.
    pub ledger: Arc<Ledger>,
    /// The process's memory.
    pub budget: Arc<Budget>,
    /// How much of it is this side's, in bytes.
    pub share: usize,
    /// What it tells the admin server.
    pub side: Arc<Side>,
    /// The request to stop.
    pub shutdown: Shutdown,
}

/// Why a producer ended without finishing its work.
#[derive(Debug, thiserror::Error)]
pub enum ProduceError {
    /// The codec cannot be used like this.
    #[error("codec cannot be used")]
    Codec(#[from] CodecError),
    /// The source cannot go on.
    #[error("source failed")]
    Source(#[from] SourceError),
    /// A batch that we compressed ourselves cannot be unpacked.
    #[error(
        "a batch cannot be split, because its own value cannot be unpacked; memory may be damaged"
    )]
    Unpack(#[source] crate::codec::DecodeError),
    /// A thread of ours died.
    #[error("the {0} thread died; this is a defect of batchpipe")]
    Thread(&'static str),
}

/// Runs a producer until its source ends or a stop is asked for, and everything is acknowledged or the grace
/// period is over. The ledger tells how it went.
///
/// # Panics
/// When the system gives no thread or no random numbers.
pub fn run(config: &Config, source: Box<dyn Source>, shared: &Shared) -> Result<(), ProduceError> {
    let (chunks, incoming) = crossbeam_channel::bounded(QUEUED_CHUNKS);
    let (recycle, recycled) = crossbeam_channel::bounded(QUEUED_CHUNKS + 1);
    let (finished, engine_done) = crossbeam_channel::bounded::<()>(0);
    let engine = Engine::new(config, shared.clone(), incarnation())?;
    let intake = Intake::new(config, source, shared.clone());
    let reader = std::thread::Builder::new()
        .name("intake".to_owned())
        .spawn(move || intake.run(chunks, &recycled, &engine_done))
        .expect("the system can start a thread");
    let outcome = engine.run(&incoming, &recycle);
    // Dropping these tells the intake that no more acknowledgements will come.
    drop((incoming, recycle, finished));
    let read = reader.join().map_err(|_| ProduceError::Thread("intake"))?;
    outcome?;
    Ok(read?)
}

/// A new incarnation, for a run of this process.
pub(crate) fn incarnation() -> Incarnation {
    Incarnation(getrandom::u64().expect("the system has random numbers"))
}

impl Config {
    /// The largest message that may occur, in bytes, with its headers.
    const fn largest_message(&self) -> usize {
        self.limits.max_bytes + MESSAGE_OVERHEAD
    }

    /// How much librdkafka may hold a second copy of, in bytes: of batches, and of dead letters. Never less than one
    /// message, which would wait for ever.
    fn windows(&self, share: usize) -> (usize, usize) {
        let window = (share / WINDOW.0).min(WINDOW.1);
        (window.max(self.largest_message()), (window / 4).max(self.largest_message()))
    }

    /// Checks that the producer can work in so many bytes of memory, of which its source may hold `source_bytes`.
    pub fn check_memory(&self, share: usize, source_bytes: usize) -> Result<(), TooLittleMemory> {
        let (batches, letters) = self.windows(share);
        // One batch is filled and one compressed, beside the blocks that are read.
        let own = batches + letters + 2 * self.limits.max_bytes + 4 * BLOCK_BYTES;
        let needed = own + source_bytes;
        TooLittleMemory::check(needed, share)
    }
}

/// How the engine sends batches.
fn outbox_settings(config: &Config, window_bytes: usize) -> outbox::Settings {
    outbox::Settings {
        cluster: config.cluster.clone(),
        topic: config.topic.clone(),
        transport: config.transport.clone(),
        max_message_bytes: config.largest_message(),
        window_bytes,
    }
}
