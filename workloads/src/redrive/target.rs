//! One topic that letters go to: its batches, its numbers, and its outbox.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use batchpipe_api::{conditions::reasons, envelope::Incarnation, report::RedriveReport};

use super::{
    Batching, RedriveError,
    batches::{Batches, Open},
    letter::{Left, Place},
    parcel::{self, Parcel, Refused},
};
use crate::{
    budget::{Budget, Charge},
    chunk::{Arrival, Chunk, Records, Rules},
    clock::unix_ms,
    codec::Decoder,
    kafka::{
        client::Cluster,
        outbox::{Event, Health, Message, MessageHeader, Outbox, Reports, Settings},
        topics::TopicSpec,
        waiting::Waiting,
    },
    produce::seal::Sealer,
    receipt::Share,
    source::Block,
};

/// The largest message that may occur, in bytes, with headers; also what librdkafka may hold.
const LARGEST_MESSAGE: usize = 64 * 1024 * 1024;
/// What a message costs beside its value, roughly, in bytes.
const MESSAGE_COST: usize = 512;
/// How long a topic may take no messages.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a topic may be unknown to the brokers.
const TOPIC_PATIENCE: Duration = Duration::from_secs(3);

/// What became of letters.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) report: RedriveReport,
    /// Letters that the broker refuses, which nobody was told of yet.
    pub(super) refused: Vec<(Place, Left)>,
}

/// What all targets of a run have in common.
pub(super) struct Common<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) batching: &'a Batching,
    pub(super) incarnation: Incarnation,
    pub(super) budget: &'a Arc<Budget>,
}

/// A letter that goes to a topic.
pub(super) struct Addressed {
    pub(super) place: Place,
    /// The partition that it came from; negative when it never was in one.
    pub(super) partition: i32,
    /// How often it has been sent back, this time included.
    pub(super) attempts: u32,
    pub(super) share: Share,
}

/// A topic that letters go to.
pub(super) struct Target {
    topic: String,
    outbox: Outbox<Parcel>,
    events: Vec<Event<Parcel>>,
    sealer: Sealer,
    decoder: Decoder,
    batches: Batches,
    rules: Rules,
    budget: Arc<Budget>,
    /// The partition of records that have none.
    next: u32,
    /// Since when nothing gets through.
    waiting: Option<(Instant, Waiting)>,
}

impl Target {
    pub(super) fn new(topic: &str, common: &Common<'_>) -> Result<Self, RedriveError> {
        let Common { cluster, batching, incarnation, budget } = common;
        let settings = Settings {
            cluster: (*cluster).clone(),
            topic: TopicSpec::existing(topic),
            transport: batching.transport.clone(),
            max_message_bytes: LARGEST_MESSAGE,
            window_bytes: LARGEST_MESSAGE,
        };
        // Nobody has checked these records, or somebody found fault with them: their reader has to look.
        let (validated, level) = (false, batching.level);
        let sealer =
            Sealer::new(batching.codec, level, *incarnation, validated, Arc::clone(budget))?;
        Ok(Self {
            topic: topic.to_owned(),
            outbox: Outbox::new(settings),
            events: Vec::new(),
            sealer,
            decoder: Decoder::new(),
            batches: Batches::new(batching.limits),
            rules: Rules { validate: false, key: batching.key.clone() },
            budget: Arc::clone(budget),
            next: 0,
            waiting: None,
        })
    }

    pub(super) fn reports(&self) -> Reports {
        self.outbox.reports()
    }

    /// Whether it is known how many partitions the topic has.
    pub(super) fn is_known(&self) -> bool {
        self.outbox.partitions().is_some()
    }

    /// Whether everything was acknowledged.
    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty() && self.outbox.is_empty()
    }

    /// Messages that were sent again although the first one may have arrived.
    pub(super) const fn resent(&self) -> u64 {
        self.outbox.resent()
    }

    /// Sends a message as it was, behind the records of its partition that came before it.
    pub(super) fn send_whole(
        &mut self,
        letter: Addressed,
        value: &[u8],
        headers: Vec<MessageHeader>,
    ) {
        let Addressed { place, partition, attempts, share } = letter;
        let to = self.partition(partition).unwrap_or(self.next);
        let Self { batches, sealer, outbox, .. } = self;
        batches.close(to, &mut |to, open| outbox.push(to, parcel::seal(sealer, to, open)));
        let headers = parcel::original_headers(headers, attempts);
        let charge = self.budget.charge_now(value.len() + MESSAGE_COST);
        let token = Parcel::Whole { place, share, charge };
        let value = Box::from(value);
        self.outbox.push(to, Message { key: None, value, headers, timestamp_ms: unix_ms(), token });
    }

    /// Sends a record in a batch.
    pub(super) fn send_record(&mut self, letter: Addressed, record: Vec<u8>) {
        let Addressed { place, partition, attempts, share } = letter;
        let chunk = self.chunk(record, share);
        let hashed = || chunk.records.hash(0).map(|hash| hash.partition(self.partitions()));
        let chosen = self.partition(partition).or_else(hashed);
        let to = chosen.unwrap_or_else(|| self.next % self.partitions());
        let partitions = self.partitions();
        let Self { batches, sealer, outbox, next, .. } = self;
        batches.add((to, attempts), &chunk, place, &mut |to, open| {
            // What has no partition of its own goes to one after the other, batch by batch.
            *next = if chosen.is_none() { (to + 1) % partitions } else { *next };
            outbox.push(to, parcel::seal(sealer, to, open));
        });
        chunk.share.settle();
    }

    fn chunk(&self, record: Vec<u8>, share: Share) -> Chunk {
        let mut records = Records::default();
        records.fill(&mut Block { text: record, ..Block::default() }, &self.rules);
        let arrival = Arrival { instant: Instant::now(), unix_ms: unix_ms() };
        let charge: Charge = self.budget.charge_now(0);
        Chunk { records, arrival, share, charge }
    }

    fn partitions(&self) -> u32 {
        self.outbox.partitions().unwrap_or(1)
    }

    /// The partition that a letter came from, or, when the topic has fewer now, the one that takes its place: what was
    /// in one partition stays together, and in order.
    fn partition(&self, origin: i32) -> Option<u32> {
        u32::try_from(origin).ok().map(|origin| origin % self.partitions())
    }

    /// Closes batches: all of them, or those whose time is up.
    pub(super) fn close_batches(&mut self, now: Option<Instant>) {
        let Self { batches, sealer, outbox, .. } = self;
        let mut closed = |to: u32, open: Open| outbox.push(to, parcel::seal(sealer, to, open));
        match now {
            Some(now) => batches.expire(now, &mut closed),
            None => batches.close_all(&mut closed),
        }
    }

    /// Takes in the reports that have come.
    pub(super) fn take_reports(&mut self, counts: &mut Counts) -> Result<(), RedriveError> {
        for report in self.outbox.reports().try_iter() {
            self.outbox.report(report, &mut self.events);
            self.settle(counts)?;
        }
        Ok(())
    }

    /// Moves everything on that can move; says when to come back at the latest.
    pub(super) fn pump(
        &mut self,
        now: Instant,
        counts: &mut Counts,
    ) -> Result<Option<Instant>, RedriveError> {
        self.close_batches(Some(now));
        let again = self.outbox.pump(now, &mut self.events);
        let again = if self.settle(counts)? { Some(now) } else { again };
        self.check_patience(now)?;
        Ok([again, self.batches.deadline()].into_iter().flatten().min())
    }

    /// Deals with what happened to messages; true when there is more to send.
    fn settle(&mut self, counts: &mut Counts) -> Result<bool, RedriveError> {
        let mut more = false;
        for event in std::mem::take(&mut self.events) {
            match event {
                Event::Delivered(message) => {
                    self.waiting = None;
                    deliver(message.token, counts);
                }
                Event::TooLarge { partition, message } => {
                    self.replace(partition, message, counts)?;
                    more = true;
                }
            }
        }
        Ok(more)
    }

    fn replace(
        &mut self,
        partition: u32,
        message: Message<Parcel>,
        counts: &mut Counts,
    ) -> Result<(), RedriveError> {
        let refused = match parcel::refuse(message, &mut self.sealer, &mut self.decoder) {
            Err(marker) => {
                self.outbox.put_back(partition, marker);
                return Ok(());
            }
            Ok(refused) => refused?,
        };
        let topic = self.topic.clone();
        match refused {
            Refused::Halves(halves) => self.outbox.replace(partition, halves.into_iter()),
            Refused::Record { marker, place } => {
                counts.refused.push((place, Left::TooLarge { topic }));
                self.outbox.replace(partition, std::iter::once(marker));
            }
            Refused::Whole { place, share } => {
                counts.refused.push((place, Left::TooLarge { topic }));
                share.settle();
                self.outbox.replace(partition, std::iter::empty());
            }
        }
        Ok(())
    }

    fn check_patience(&mut self, now: Instant) -> Result<(), RedriveError> {
        match self.outbox.health() {
            Health::Flowing => self.waiting = None,
            Health::Waiting(waiting) => {
                let since = self.waiting.as_ref().map_or(now, |(since, _)| *since);
                self.waiting = Some((since, waiting));
            }
        }
        let Some((since, waiting)) = &self.waiting else { return Ok(()) };
        let is_missing = waiting.reason == reasons::TOPIC_MISSING && !self.is_known();
        let patience = if is_missing { TOPIC_PATIENCE } else { PATIENCE };
        if now.saturating_duration_since(*since) <= patience {
            return Ok(());
        }
        Err(if is_missing {
            RedriveError::NoTarget { topic: self.topic.clone() }
        } else {
            RedriveError::Waiting { seconds: patience.as_secs(), what: waiting.what.clone() }
        })
    }
}

fn deliver(parcel: Parcel, counts: &mut Counts) {
    match parcel {
        Parcel::Whole { share, charge, .. } => {
            counts.report.redriven += 1;
            share.settle();
            drop(charge);
        }
        Parcel::Batch { sealed, places, .. } => {
            counts.report.redriven += places.len() as u64;
            sealed.debt.settle();
        }
    }
}
