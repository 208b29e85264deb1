//! The intake: reads blocks from the source, makes chunks of them, and tells the source what is safe.
//!
//! Runs in a thread of its own. It knows nothing of batches and brokers.

use std::{
    collections::VecDeque,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use batchpipe_api::conditions::reasons;
use crossbeam_channel::{Receiver, RecvTimeoutError, SendTimeoutError, Sender};

use super::{Config, Shared};
use crate::{
    admin::Beat,
    budget::Charge,
    chunk::{Arrival, Chunk, Records, Rules},
    clock::unix_ms,
    error::chain,
    receipt::Receipt,
    source::{BLOCK_BYTES, Block, Position, Read, Source, SourceError},
};

/// How long the source is asked to wait for data: also how late an acknowledgement may be passed on.
const READ_WAIT: Duration = Duration::from_millis(50);
/// How long to wait before a source that failed is asked again.
const RETRY_WAIT: Duration = Duration::from_secs(1);
/// What a block is charged before it is read: text and line ends.
const BLOCK_CHARGE: usize = BLOCK_BYTES + BLOCK_BYTES / 4;

/// How many chunks may wait for their acknowledgement: what is not acknowledged is read again after a crash.
const MOST_PENDING: usize = 10_000;
/// What waits when the source does.
const SOURCE: &str = "source";

/// Reads from one source.
pub(super) struct Intake {
    source: Box<dyn Source>,
    shared: Shared,
    rules: Rules,
    /// How many records may still come; no end when absent.
    left: Option<u64>,
    /// What was handed over and is not acknowledged yet, in order.
    pending: VecDeque<(Arc<Receipt>, Position)>,
    /// Acknowledged, but the source could not take note of it yet.
    owed: Option<Position>,
    /// When a stop was asked for.
    asked_at: Option<Instant>,
    block: Block,
}

impl Intake {
    pub(super) fn new(config: &Config, source: Box<dyn Source>, shared: Shared) -> Self {
        Self {
            source,
            shared,
            rules: config.rules.clone(),
            left: config.limit,
            pending: VecDeque::new(),
            owed: None,
            asked_at: None,
            block: Block::default(),
        }
    }

    /// Reads until the source ends, a stop is asked for and the source's time is over, or the engine has gone; then
    /// passes on acknowledgements until the engine is done.
    pub(super) fn run(
        mut self,
        chunks: Sender<Chunk>,
        recycled: &Receiver<Records>,
        engine_done: &Receiver<()>,
    ) -> Result<(), SourceError> {
        let begun = self.source.begin(&self.shared);
        let read = begun.and_then(|()| self.read_all(&chunks, recycled));
        self.source.close();
        drop(chunks); // tells the engine that this was all
        while engine_done.recv_timeout(READ_WAIT) == Err(RecvTimeoutError::Timeout) {
            self.acknowledge();
        }
        self.acknowledge();
        let finished = self.source.finish();
        read.and(finished)
    }

    fn read_all(
        &mut self,
        chunks: &Sender<Chunk>,
        recycled: &Receiver<Records>,
    ) -> Result<(), SourceError> {
        let heartbeat = self.shared.side.heartbeat("intake");
        while self.left != Some(0) && !self.is_to_stop() {
            heartbeat.tick();
            self.acknowledge();
            if self.pending.len() >= MOST_PENDING {
                thread::sleep(READ_WAIT);
                continue;
            }
            let Some(charge) = self.shared.budget.charge(BLOCK_CHARGE, READ_WAIT) else { continue };
            self.block.most = self.left;
            match self.source.read(&mut self.block, READ_WAIT) {
                Ok(Read::Lines(position)) => {
                    let chunk =
                        self.chunk(recycled.try_recv().unwrap_or_default(), charge, position);
                    if !hand_over(chunks, chunk, &heartbeat) {
                        return Ok(()); // the engine gave up, and says why itself
                    }
                }
                Ok(Read::Idle) => {}
                Ok(Read::End) => break,
                Err(error) if error.is_final() => return Err(error),
                Err(error) => {
                    debug_assert!(self.block.is_empty(), "{error} came with lines");
                    let what = chain(&error);
                    tracing::warn!("{what}; trying again");
                    self.shared.side.error(&what);
                    self.shared.shutdown.wait(RETRY_WAIT);
                }
            }
            match self.source.waiting_for() {
                Some(what) => {
                    let side = &self.shared.side;
                    if side.stalled_at(SOURCE, reasons::SOURCE_UNAVAILABLE, &what) {
                        tracing::warn!("waiting for {what}");
                    }
                }
                None => _ = self.shared.side.clear_stalled_at(SOURCE),
            }
        }
        Ok(())
    }

    /// Whether the source is not to be read any more.
    fn is_to_stop(&mut self) -> bool {
        if !self.shared.shutdown.is_requested() {
            return false;
        }
        let more = self.source.after_stop();
        let asked_at = *self.asked_at.get_or_insert_with(|| {
            if !more.is_zero() {
                tracing::info!("taking records for {} s more", more.as_secs());
            }
            Instant::now()
        });
        asked_at.elapsed() >= more
    }

    /// Makes a chunk of the block that was just read, and counts its records as accepted.
    fn chunk(&mut self, mut records: Records, mut charge: Charge, position: Position) -> Chunk {
        let arrival = Arrival { instant: Instant::now(), unix_ms: unix_ms() };
        records.fill(&mut self.block, &self.rules);
        // Without a bound of its own the block is taken whole, even if that is a little more than the limit.
        let bound = self.block.most.unwrap_or(u64::MAX);
        let whole = records.accepted() <= bound;
        records.truncate(usize::try_from(bound).unwrap_or(usize::MAX));
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(records.accepted());
        }
        charge.resize(records.capacity());
        let (receipt, share) = Receipt::new();
        if whole {
            // A block that was cut short is not acknowledged: its rest was not sent.
            self.pending.push_back((receipt, position));
        }
        self.shared.ledger.update(|counts| counts.accepted += records.accepted());
        Chunk { records, arrival, share, charge }
    }

    /// Tells the source how far everything is safe.
    fn acknowledge(&mut self) {
        while self.pending.front().is_some_and(|(receipt, _)| receipt.is_settled()) {
            self.owed = self.pending.pop_front().map(|(_, position)| position);
        }
        let Some(position) = self.owed else { return };
        match self.source.acknowledge(position) {
            Ok(()) => self.owed = None,
            Err(error) => self.shared.side.warn(&chain(&error)),
        }
    }
}

/// Gives a chunk to the engine, which takes none while it does not know the topic; false when the engine has gone.
fn hand_over(chunks: &Sender<Chunk>, mut chunk: Chunk, heartbeat: &Beat) -> bool {
    loop {
        match chunks.send_timeout(chunk, READ_WAIT) {
            Ok(()) => return true,
            Err(SendTimeoutError::Disconnected(_)) => return false,
            Err(SendTimeoutError::Timeout(same)) => {
                heartbeat.tick();
                chunk = same;
            }
        }
    }
}
