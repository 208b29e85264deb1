//! Records of a topic of single records: each message's value is one, and the group is told how far they were sent when
//! the broker of the batches has acknowledged them.
//!
//! ```text
//! poll thread: broker -> copies -> queue -> read() ... acknowledge() -> commits once a second
//! ```
//!
//! The poll thread never waits for the batches' broker: when the queue is full it pauses the partitions, so the group
//! never takes it for dead.

mod begin;
mod desk;
mod group;
mod leaving;
mod messages;
mod offsets;
mod poll;
mod session;
mod unreadable;
mod words;

use std::{collections::VecDeque, sync::Arc, thread, time::Duration};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use self::{
    desk::Desk,
    messages::{Message, Put, put},
    poll::Poller,
};
use super::{BLOCK_BYTES, Block, Position, Read, Source, SourceError};
use crate::{
    budget::{Budget, Charge},
    chunk::Rules,
    kafka::client::{AHEAD_BYTES, Cluster},
    ledger::Ledger,
    produce::Shared,
};

const MIB: usize = 1024 * 1024;
/// The most that waits to be handed over, in bytes.
const MOST_QUEUED: usize = 8 * MIB;
/// The most messages of a block: those without a value add nothing to its size.
const MOST_MESSAGES: usize = 65_536;
/// How long leaving the group may take at the end.
const LEAVING: Duration = Duration::from_secs(6);

/// Which topic is read, and what is asked of its records.
#[derive(Clone, Debug)]
pub struct KafkaOptions {
    /// The cluster that holds the topic.
    pub cluster: Cluster,
    /// Whether it is another one than that of the batches, for words.
    pub is_other_cluster: bool,
    /// The topic of single records.
    pub topic: String,
    /// The group that reads it.
    pub group: String,
    /// What is asked of every record.
    pub rules: Rules,
    /// The largest record, in bytes.
    pub max_record_bytes: usize,
}

/// The source of a pipeline with `source.kafka`.
pub struct KafkaSource {
    options: KafkaOptions,
    running: Option<Running>,
}

/// A source that has begun.
struct Running {
    bundles: Receiver<Vec<Message>>,
    /// What is left of a bundle.
    rest: VecDeque<Message>,
    desk: Arc<Desk>,
    ledger: Arc<Ledger>,
    /// Tells at the end of which partitions the group does not know how far they are.
    left: Receiver<Vec<i32>>,
    _reserved: Charge,
}

/// How its part of the memory is divided, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Division {
    /// What librdkafka may have fetched and not yet handed to us.
    fetch: usize,
    /// What may wait to be handed over.
    queue: usize,
}

impl Division {
    fn of(share: usize, max_record_bytes: usize) -> Self {
        let fetch = (share / 8).clamp(MIB, AHEAD_BYTES).max(max_record_bytes);
        Self { fetch, queue: (share / 16).clamp(MIB, MOST_QUEUED) }
    }

    const fn total(self) -> usize {
        self.fetch + self.queue
    }
}

impl KafkaSource {
    /// Nothing is connected to before the source begins.
    pub const fn new(options: KafkaOptions) -> Self {
        Self { options, running: None }
    }
}

impl Source for KafkaSource {
    fn begin(&mut self, shared: &Shared) -> Result<(), SourceError> {
        let division = Division::of(shared.share, self.options.max_record_bytes);
        let reserved = shared.budget.charge_now(division.total());
        let (sender, bundles) = crossbeam_channel::unbounded();
        let (told, left) = crossbeam_channel::bounded(1);
        let desk = Arc::new(Desk::default());
        let poller = Poller {
            options: self.options.clone(),
            fetch_bytes: division.fetch,
            queue: Budget::new(division.queue),
            bundles: sender,
            desk: Arc::clone(&desk),
            shared: shared.clone(),
        };
        thread::Builder::new()
            .name("kafka-source".to_owned())
            .spawn(move || poller.run(&told))
            .map_err(SourceError::Thread)?;
        let ledger = Arc::clone(&shared.ledger);
        let rest = VecDeque::new();
        self.running = Some(Running { bundles, rest, desk, ledger, left, _reserved: reserved });
        Ok(())
    }

    fn read(&mut self, block: &mut Block, wait: Duration) -> Result<Read, SourceError> {
        let Some(running) = &mut self.running else { return Ok(Read::End) };
        running.fill(block, wait, &self.options)
    }

    fn acknowledge(&mut self, position: Position) -> Result<(), SourceError> {
        if let Some(running) = &self.running {
            running.desk.acknowledge(position);
        }
        Ok(())
    }

    fn close(&mut self) {
        if let Some(running) = &mut self.running {
            running.desk.close();
            running.rest.clear();
            running.bundles.try_iter().for_each(drop);
        }
    }

    fn finish(&mut self) -> Result<(), SourceError> {
        self.close();
        let Some(running) = self.running.take() else { return Ok(()) };
        running.desk.finish();
        let partitions = match running.left.recv_timeout(LEAVING) {
            Ok(left) => left,
            Err(RecvTimeoutError::Timeout) => running.desk.uncommitted(),
            Err(RecvTimeoutError::Disconnected) => return Err(SourceError::Died("Kafka source")),
        };
        if partitions.is_empty() {
            return Ok(());
        }
        Err(SourceError::Uncommitted { group: self.options.group.clone(), partitions })
    }

    fn waiting_for(&self) -> Option<String> {
        self.running.as_ref()?.desk.waiting_for()
    }

    fn memory(&self, share: usize) -> usize {
        Division::of(share, self.options.max_record_bytes).total()
    }
}

impl Running {
    /// Puts records into the block, as many as make a good one, waiting for the first of them.
    fn fill(
        &mut self,
        block: &mut Block,
        mut wait: Duration,
        options: &KafkaOptions,
    ) -> Result<Read, SourceError> {
        if block.text.capacity() > 2 * BLOCK_BYTES {
            block.text = Vec::new(); // a long record has passed
        }
        let mut wanted = block.most.unwrap_or(u64::MAX);
        let (mut bytes, mut messages, mut tombstones, mut replaced) = (0, 0, 0, 0);
        while wanted > 0 && bytes < BLOCK_BYTES && messages < MOST_MESSAGES {
            let Some(mut message) = self.next(wait)? else { break };
            if !self.desk.hand_over(&message) {
                continue; // its partition is another member's
            }
            wait = Duration::ZERO;
            messages += 1;
            bytes += message.value.as_ref().map_or(0, |value| value.len());
            match put(&mut message, &options.rules, options.max_record_bytes, block) {
                Put::Tombstone => tombstones += 1,
                Put::Record => wanted -= 1,
                Put::Replaced => (wanted, replaced) = (wanted - 1, replaced + 1),
            }
        }
        if messages == 0 {
            return Ok(Read::Idle);
        }
        if tombstones + replaced > 0 {
            self.ledger.update(|counts| {
                counts.tombstones += tombstones;
                counts.newlines_replaced += replaced;
            });
        }
        Ok(Read::Lines(self.desk.mark()))
    }

    fn next(&mut self, wait: Duration) -> Result<Option<Message>, SourceError> {
        if self.rest.is_empty() {
            match self.bundles.recv_timeout(wait) {
                Ok(bundle) => self.rest.extend(bundle),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(SourceError::Died("Kafka source"));
                }
            }
        }
        Ok(self.rest.pop_front())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_memory_is_a_part_of_the_share_and_holds_any_record() {
        for share in [16 * MIB, 64 * MIB, 256 * MIB, 4096 * MIB] {
            let division = Division::of(share, MIB);
            assert!(division.total() <= share / 4, "{division:?}");
            assert!(Division::of(share, 64 * MIB).fetch >= 64 * MIB);
        }
    }
}
