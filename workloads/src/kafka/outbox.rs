//! Sending messages to one topic so that none is lost, doubled without being counted, or reordered.
//!
//! librdkafka retries what it can by itself, for ever. What it gives up for good (authorization, a topic that
//! vanished, a size that the broker refuses) stops the client as a whole, because a gap must not be
//! overtaken: the outbox then takes back what was not acknowledged, waits until the topic can be used, makes a
//! new client, and sends again in order. Every client sends one message alone to each partition first (see
//! [`lane`] for why). A message stays here, with its memory, until the broker acknowledged it.
//!
//! An outbox belongs to one thread, which calls [`Outbox::pump`] whenever something changed and gives it the
//! reports that arrive on [`Reports`].

mod connect;
mod context;
mod health;
mod lane;
mod link;
mod refusal;
mod report;

use std::time::{Duration, Instant};

use batchpipe_api::conditions::reasons;
use crossbeam_channel::Sender;
use rdkafka::error::RDKafkaErrorCode;

pub(crate) use self::refusal::is_size;
use self::{
    lane::{Lane, Outcome},
    link::{Link, Linking},
    refusal::{is_consequence, is_possibly_persisted, reason},
    report::Kind,
};
pub use self::{
    lane::{Message, MessageHeader},
    report::{Report, Reports},
};
use super::{
    client::{Cluster, Transport},
    topics::TopicSpec,
    waiting::Waiting,
};

/// How long no report may come while brokers answer; far longer than any request of ours takes.
const STUCK_PERIOD: Duration = Duration::from_secs(45);

/// How an outbox sends.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The cluster.
    pub cluster: Cluster,
    /// The topic, made again when it vanished and may be made.
    pub topic: TopicSpec,
    /// Kafka's own compression.
    pub transport: Transport,
    /// The largest message that may occur, in bytes, with headers.
    pub max_message_bytes: usize,
    /// How much librdkafka may hold, in bytes.
    pub window_bytes: usize,
}

/// What became of a message.
#[derive(Debug)]
pub enum Event<T> {
    /// The broker has it; it is in the log once, or more than once when it was counted as resent.
    Delivered(Message<T>),
    /// The broker will never take it, because it is too large even alone. The partition waits until
    /// [`Outbox::replace`] says what takes its place.
    TooLarge {
        /// The partition.
        partition: u32,
        /// The message.
        message: Message<T>,
    },
}

/// Whether messages flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// They do.
    Flowing,
    /// They do not.
    Waiting(Waiting),
}

/// Messages for one topic.
pub struct Outbox<T> {
    settings: Settings,
    link: Link,
    lanes: Vec<Lane<T>>,
    reports: (Sender<Report>, Reports),
    handed_bytes: usize,
    resent: u64,
    trouble: Option<RDKafkaErrorCode>,
    /// When a report last came, or something was handed over after nothing was.
    progressed: Instant,
}

impl<T> Outbox<T> {
    /// An outbox that connects when it is pumped.
    pub fn new(settings: Settings) -> Self {
        Self {
            link: Link::new(),
            lanes: Vec::new(),
            reports: crossbeam_channel::unbounded(),
            handed_bytes: 0,
            resent: 0,
            trouble: None,
            progressed: Instant::now(),
            settings,
        }
    }

    /// Where reports arrive; each must be given to [`Outbox::report`].
    pub fn reports(&self) -> Reports {
        self.reports.1.clone()
    }

    /// Number of partitions, once the topic is known.
    pub fn partitions(&self) -> Option<u32> {
        self.link.partitions()
    }

    /// Whether messages flow.
    pub fn health(&self) -> Health {
        if let Some(waiting) = self.link.problem().or_else(|| self.stranded()) {
            return Health::Waiting(waiting);
        }
        let Some(code) = self.trouble else { return Health::Flowing };
        let topic = &self.settings.topic.name;
        Health::Waiting(Waiting {
            reason: reason(code),
            what: format!("topic {topic} does not take messages: {code}"),
        })
    }

    /// Forgets messages that are not on their way yet and that their sender does not want any more.
    pub fn forget(&mut self, is_unwanted: impl Fn(&T) -> bool) {
        self.lanes.iter_mut().for_each(|lane| lane.forget(&is_unwanted));
    }

    /// Messages that were sent again although the first one may have arrived.
    pub const fn resent(&self) -> u64 {
        self.resent
    }

    /// Messages for partitions that the topic does not have any more: it was made again with fewer. Which partition a
    /// record belongs to is decided when it is batched, so these wait; the others go on.
    fn stranded(&self) -> Option<Waiting> {
        let partitions = self.partitions()?;
        let gone = self.lanes.iter().skip(partitions as usize);
        let messages: usize = gone.map(Lane::len).sum();
        (messages > 0).then(|| Waiting {
            reason: reasons::TOPIC_MISSING,
            what: format!(
                "{messages} messages are for partitions that topic {} does not have any more: it has {partitions} now; \
                 add partitions until it has {} again",
                self.settings.topic.name,
                self.lanes.len(),
            ),
        })
    }

    /// Number of messages that are not acknowledged.
    pub fn len(&self) -> usize {
        self.lanes.iter().map(Lane::len).sum()
    }

    /// Whether every message was acknowledged.
    pub fn is_empty(&self) -> bool {
        self.lanes.iter().all(Lane::is_empty)
    }

    /// Adds a message behind all others of its partition.
    pub fn push(&mut self, partition: u32, message: Message<T>) {
        self.lane(partition).push(message);
    }

    /// Puts messages in the place of one that was [`Event::TooLarge`].
    pub fn replace(
        &mut self,
        partition: u32,
        messages: impl DoubleEndedIterator<Item = Message<T>>,
    ) {
        self.lane(partition).push_front(messages);
    }

    fn lane(&mut self, partition: u32) -> &mut Lane<T> {
        let index = partition as usize;
        if self.lanes.len() <= index {
            self.lanes.resize_with(index + 1, Lane::default);
        }
        &mut self.lanes[index]
    }

    /// Puts a message back that is too large although nothing of it can be left out: the topic has to be changed,
    /// and until then everything waits.
    pub fn put_back(&mut self, partition: u32, message: Message<T>) {
        self.replace(partition, std::iter::once(message));
        self.trouble = Some(RDKafkaErrorCode::MessageSizeTooLarge);
        self.link.forget_size();
        self.link.close(true);
    }

    /// Takes in a report. The events must be dealt with before the next call of [`Outbox::pump`].
    ///
    /// # Panics
    /// When librdkafka reports a partition that we did not choose.
    pub fn report(&mut self, report: Report, events: &mut Vec<Event<T>>) {
        match report.0 {
            Kind::Wake => {}
            Kind::Fatal { generation } => {
                if generation == self.link.generation() {
                    self.link.close(true);
                }
            }
            Kind::Message { generation, partition, number, result } => {
                // Messages of an earlier client were taken back when it was given up.
                if generation == self.link.generation() {
                    let partition =
                        u32::try_from(partition).expect("we choose partitions ourselves");
                    self.settle(partition, number, result, events);
                }
            }
        }
    }

    fn settle(
        &mut self,
        partition: u32,
        number: u32,
        result: Result<(), RDKafkaErrorCode>,
        events: &mut Vec<Event<T>>,
    ) {
        let lane = &mut self.lanes[partition as usize];
        let Some(bytes) = lane.settle(number, result) else { return };
        self.handed_bytes -= bytes;
        self.progressed = Instant::now();
        match result {
            Ok(()) => {
                self.link.succeed();
                self.trouble = None;
                events.extend(lane.take_delivered().map(Event::Delivered));
            }
            Err(code) => self.fail(partition, code, events),
        }
    }

    /// A message was given up by librdkafka: whatever the reason, nothing may overtake it.
    fn fail(&mut self, partition: u32, code: RDKafkaErrorCode, events: &mut Vec<Event<T>>) {
        self.resent += u64::from(is_possibly_persisted(code));
        if is_size(code) {
            let refused = self.lanes[partition as usize].refuse_alone();
            self.link.refuse_size(match &refused {
                Outcome::AloneTooLarge(message) => Some(message.bytes()),
                Outcome::TryAlone => None,
            });
            if let Outcome::AloneTooLarge(message) = refused {
                events.push(Event::TooLarge { partition, message });
            }
        } else if !is_consequence(code) {
            if self.trouble != Some(code) {
                let topic = &self.settings.topic.name;
                tracing::warn!(topic, partition, %code, "the broker does not take messages; sending them again");
            }
            self.trouble = Some(code);
        }
        self.link.close(!is_size(code) && !is_consequence(code));
    }

    /// Does what can be done now: connects, hands messages over, takes down and makes anew. Does not block.
    /// Returns when it wants to be called again at the latest; a report is a reason to call it earlier.
    pub fn pump(&mut self, now: Instant, events: &mut Vec<Event<T>>) -> Option<Instant> {
        if self.link.is_closing() {
            let again = self.link.drain(now, self.lanes.iter().map(Lane::handed).sum());
            if self.link.is_closing() {
                return Some(again);
            }
        }
        match self.link.open(now, &self.settings, &self.reports.0) {
            Linking::RetryAt(at) => return Some(at),
            Linking::Open => {}
            Linking::Opened => {
                self.handed_bytes = 0;
                self.progressed = now;
                if self.link.generation() > 1 {
                    self.lanes.iter_mut().for_each(Lane::rewind);
                }
            }
        }
        self.hand_over(now, events);
        if self.is_stuck(now) {
            let topic = &self.settings.topic.name;
            tracing::warn!(
                topic,
                "brokers answer, but the client's messages do not get through; making a new client"
            );
            self.link.close(true);
        }
        self.link.renew(now);
        if self.link.is_closing() {
            return Some(now);
        }
        Some(self.link.look(now, &self.settings))
    }

    /// Whether nothing gets through although brokers answer others: librdkafka can lose sight of a partition's
    /// leader when a broker hangs and comes back.
    fn is_stuck(&self, now: Instant) -> bool {
        self.handed_bytes > 0
            && now.saturating_duration_since(self.progressed) > STUCK_PERIOD
            && self.link.problem().is_none()
    }

    fn hand_over(&mut self, now: Instant, events: &mut Vec<Event<T>>) {
        let existing = self.partitions().map_or(0, |partitions| partitions as usize);
        for (partition, lane) in (0_u32..).zip(self.lanes.iter_mut().take(existing)) {
            let id = i32::try_from(partition).expect("Kafka numbers partitions with an i32");
            lane.wake(now);
            while self.handed_bytes < self.settings.window_bytes {
                let Some((number, message)) = lane.next() else { break };
                match self.link.send(id, number, message, &self.settings.topic.name) {
                    Ok(()) => {
                        if self.handed_bytes == 0 {
                            self.progressed = now;
                        }
                        self.handed_bytes += lane.mark_handed(now);
                    }
                    Err(RDKafkaErrorCode::QueueFull) => return,
                    Err(code) if is_size(code) => {
                        // The limit may have been raised since it was asked for.
                        if self.link.asks_size_again(now) {
                            return;
                        }
                        // Those before it go first; it is looked at again when they are acknowledged.
                        if let Some(message) = lane.take_next_if_first() {
                            events.push(Event::TooLarge { partition, message });
                        }
                        break;
                    }
                    Err(code) => {
                        self.trouble = Some(code);
                        return self.link.close(true);
                    }
                }
            }
        }
    }
}
