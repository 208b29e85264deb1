//! Reading all partitions of a topic without joining a group: what `tap`, `audit` and `redrive` look through.
//!
//! Nothing is committed and nothing is changed in the cluster. Where each partition begins and ends is asked for
//! once, at the start; a bounded reading ends when every *position* has passed that end, which is later than
//! its last message when transaction markers, gaps or nothing at all lie before it. What is not there after
//! [`Options::patience`] is an error: a person is waiting.

mod error;
mod positions;
mod questions;
mod unreadable;

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::{
    Message as _, Offset, TopicPartitionList,
    consumer::{Consumer as _, ConsumerContext},
    error::{KafkaError, RDKafkaErrorCode as Code},
    message::BorrowedMessage,
};

use self::positions::Positions;
pub use self::{error::ReaderError, positions::Watermarks, unreadable::Unreadable};
use super::{
    bounded::Bounded, client::Cluster, jump::is_jump, standing::Standing, suspicion::Suspicion,
    topics::QuietContext,
};
use crate::{backoff::Backoff, shutdown::Shutdown};

/// What librdkafka may fetch ahead, in bytes.
const FETCH_BYTES: usize = 16 * 1024 * 1024;
/// How long a topic or a user that a broker does not know may still be on its way to that broker.
const NEWS_PATIENCE: Duration = Duration::from_secs(2);
/// The first and the longest wait between two questions.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));
/// How long one poll waits for a message.
const POLL_WAIT: Duration = Duration::from_millis(100);
/// How long a bounded reading may stand still; an unbounded one waits for ever.
const STALL: Duration = Duration::from_secs(30);
/// How often an unbounded reading looks for new partitions.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// Where to begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// At the oldest message that is still there.
    #[default]
    Earliest,
    /// After the newest message.
    Latest,
}

/// How to read.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Where to begin.
    pub start: Start,
    /// End when everything is read that was there at the start; what came later is not handed out.
    pub until_caught_up: bool,
    /// How long brokers are awaited at the start.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { start: Start::Earliest, until_caught_up: true, patience: Duration::from_secs(7) }
    }
}

/// What a reading comes across.
pub enum Event<'a> {
    /// A message; its memory goes back to librdkafka right after the call.
    Message(&'a BorrowedMessage<'a>),
    /// Messages that nobody can read; they are passed over.
    Unreadable(Unreadable),
    /// There is nothing to hand out now.
    Idle,
}

impl ConsumerContext for QuietContext {}

/// Reads a topic.
pub struct Reader {
    client: Arc<Bounded>,
    cluster: Cluster,
    servers: String,
    topic: String,
    options: Options,
    positions: Positions,
    suspicion: Suspicion,
    /// Which partitions stand still since something last came that cannot be read.
    standing: Standing,
}

impl Reader {
    /// Finds the topic and where its partitions begin and end. A request to stop counts as out of patience.
    pub fn open(
        cluster: &Cluster,
        topic: &str,
        options: Options,
        shutdown: &Shutdown,
    ) -> Result<Self, ReaderError> {
        let mut config = cluster.access()?.reader_config(FETCH_BYTES);
        config.set("enable.partition.eof", "true");
        let mut reader = Self {
            client: Arc::new(Bounded::create(&config).map_err(ReaderError::Settings)?),
            cluster: cluster.clone(),
            servers: cluster.bootstrap_servers.clone(),
            topic: topic.to_owned(),
            options,
            positions: Positions::new(options.until_caught_up),
            suspicion: Suspicion::default(),
            standing: Standing::default(),
        };
        let begun = Instant::now();
        let mut backoff = Backoff::new(RETRY.0, RETRY.1);
        loop {
            let Err(error) = reader.take_partitions() else { return Ok(reader) };
            let patience = match error {
                ReaderError::Missing { .. } | ReaderError::LoginFailed { .. } => {
                    NEWS_PATIENCE.min(options.patience)
                }
                ReaderError::Unreachable { .. } | ReaderError::Unusable { .. } => options.patience,
                _ => return Err(error),
            };
            if begun.elapsed() >= patience || shutdown.wait(backoff.next_wait()) {
                return Err(error);
            }
        }
    }

    /// The partitions, with what they held at the start.
    pub fn partitions(&self) -> impl Iterator<Item = (i32, Watermarks)> {
        self.positions.at_start()
    }

    /// Begins at these offsets instead, before anything is read. A partition that is not named begins where it would.
    pub fn begin_at(&mut self, offsets: &BTreeMap<i32, i64>) -> Result<(), ReaderError> {
        let mut list = TopicPartitionList::new();
        for (id, at_start) in self.partitions().collect::<Vec<_>>() {
            let position = offsets.get(&id).copied().unwrap_or(at_start.low);
            if self.positions.add(id, at_start, position) {
                list.add_partition_offset(&self.topic, id, Offset::Offset(position))
                    .map_err(ReaderError::Settings)?;
            }
        }
        self.client.assign(&list).map_err(ReaderError::Settings)
    }

    /// Offset of the oldest message that a partition holds now.
    pub fn low_now(&self, partition: i32) -> Result<i64, ReaderError> {
        self.watermarks(partition).map(|watermarks| watermarks.low)
    }

    /// Reads until the end, or until `handle` breaks it off, or a stop is asked for. True when everything that
    /// was there at the start was handed out.
    pub fn read<E: From<ReaderError>>(
        &mut self,
        shutdown: &Shutdown,
        mut handle: impl FnMut(Event<'_>) -> Result<ControlFlow<()>, E>,
    ) -> Result<bool, E> {
        let client = Arc::clone(&self.client);
        let (mut moved, mut looked) = (Instant::now(), Instant::now());
        while !self.positions.is_finished() {
            if shutdown.is_requested() {
                return Ok(false);
            }
            let mut polled = client.poll(Duration::ZERO);
            if polled.is_none() {
                if handle(Event::Idle)?.is_break() {
                    return Ok(false);
                }
                polled = client.poll(POLL_WAIT);
            }
            match polled {
                Some(Ok(message))
                    if self.send_back(message.partition(), Some(message.offset())) => {}
                Some(Err(KafkaError::PartitionEOF(id))) if self.send_back(id, None) => {}
                Some(Ok(message)) => {
                    let (id, offset) = (message.partition(), message.offset());
                    if is_jump(self.positions.position(id).unwrap_or(-1), offset) {
                        self.check_offset(id, offset)?;
                    }
                    if self.positions.is_wanted(id, offset)
                        && handle(Event::Message(&message))?.is_break()
                    {
                        return Ok(false);
                    }
                    drop(message);
                    if self.positions.advance(id, offset) {
                        self.pause(id);
                    }
                    moved = Instant::now();
                }
                Some(Err(KafkaError::PartitionEOF(id))) => {
                    if self.positions.finish(id) {
                        self.pause(id);
                    }
                    moved = Instant::now();
                }
                Some(Err(_)) if client.context().remark().take_damage().is_some() => {
                    for unreadable in self.pass_over(shutdown) {
                        moved = Instant::now();
                        if handle(Event::Unreadable(unreadable))?.is_break() {
                            return Ok(false);
                        }
                    }
                }
                Some(Err(error)) => self.note_error(error)?,
                None => {}
            }
            self.check_stall(moved)?;
            if !self.options.until_caught_up && looked.elapsed() > LOOK_AGAIN {
                // Brokers that are away come back; meanwhile the partitions stay as they are known.
                let _ = self.take_partitions();
                looked = Instant::now();
            }
        }
        Ok(true)
    }

    /// Nothing more is wanted of a partition. What comes anyway is dropped; pausing saves fetching it.
    fn pause(&self, id: i32) {
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.topic, id);
        let _ = self.client.pause(&list);
    }

    fn check_stall(&self, moved: Instant) -> Result<(), ReaderError> {
        if !self.options.until_caught_up || moved.elapsed() < STALL {
            return Ok(());
        }
        let (partition, offset) = self.positions.first_open().unwrap_or((-1, -1));
        let (servers, topic) = (self.servers.clone(), self.topic.clone());
        Err(ReaderError::Stalled { servers, topic, partition, offset, seconds: STALL.as_secs() })
    }

    /// Deals with what librdkafka says instead of a message. It goes on by itself after most of it.
    fn note_error(&self, error: KafkaError) -> Result<(), ReaderError> {
        let topic = self.topic.clone();
        if let KafkaError::MessageConsumptionFatal(_) = error {
            return Err(ReaderError::Fatal { topic, source: error });
        }
        match error.rdkafka_error_code() {
            Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownTopicId) => {
                Err(ReaderError::Gone { topic })
            }
            Some(Code::TopicAuthorizationFailed) => Err(ReaderError::Unauthorized { topic }),
            _ => {
                tracing::debug!(%error, "while reading");
                Ok(())
            }
        }
    }

    /// Begins to read the partitions that were not known before.
    fn take_partitions(&mut self) -> Result<(), ReaderError> {
        let mut taken = Vec::new();
        let is_first = self.positions.is_empty();
        for id in self.find_partitions()? {
            if self.positions.contains(id) {
                continue;
            }
            let at_start = self.watermarks(id)?;
            // A partition that appears while we read is new from its beginning.
            let position = match self.options.start {
                Start::Latest if is_first => at_start.high,
                Start::Latest | Start::Earliest => at_start.low,
            };
            taken.push((id, at_start, position));
        }
        // Only when all is known: a failure half-way is tried again as a whole.
        let mut list = TopicPartitionList::new();
        for (id, at_start, position) in taken {
            if self.positions.add(id, at_start, position) {
                list.add_partition_offset(&self.topic, id, Offset::Offset(position))
                    .map_err(ReaderError::Settings)?;
            }
        }
        if list.count() > 0 {
            self.client.incremental_assign(&list).map_err(ReaderError::Settings)?;
        }
        Ok(())
    }
}
