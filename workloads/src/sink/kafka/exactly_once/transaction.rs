//! One transaction: which messages are in it, how it is committed, and what is to be learned when it cannot be. Nothing of
//! it is durable before [`Transaction::commit`] has returned.

use std::{sync::Arc, time::Instant};

use rdkafka::{Offset, TopicPartitionList, error::RDKafkaErrorCode as Code};

use super::{
    Desk,
    client::{Client, Failure},
    parcel::{Outgoing, Parcel},
    progress::Progress,
};
use crate::{
    clock::unix_ms,
    dead_letter::{DeadLetter, shorten},
    kafka::outbox::is_size,
    sink::{kafka::partition_of, tenure::Tenure},
};

/// What a message that was sent is.
#[derive(Clone, Copy, Debug)]
struct Mark {
    /// Which message of the transaction it is of.
    parcel: usize,
    /// Its value and key, in bytes.
    bytes: usize,
    part: Part,
}

#[derive(Clone, Copy, Debug)]
enum Part {
    /// The record with this number.
    Record { number: u32 },
    /// The dead letter with this place, and whether nothing more of it can be cut.
    Letter { number: u32, is_smallest: bool },
}

/// Messages of one partition in a transaction.
struct Share {
    tenure: Arc<dyn Tenure>,
    progress: Arc<Progress>,
    /// The last of them.
    offset: i64,
}

/// A transaction that was begun.
pub(super) struct Transaction<'a> {
    desk: &'a Desk,
    client: &'a Client,
    /// Partition and offset of each message.
    places: Vec<(i32, i64)>,
    marks: Vec<Mark>,
    /// By writer.
    shares: Vec<Share>,
    bytes: usize,
    failure: Option<Failure>,
}

impl<'a> Transaction<'a> {
    pub(super) fn begin(desk: &'a Desk, client: &'a Client) -> Result<Self, Failure> {
        client.begin(&desk.settings)?;
        let (places, marks, shares) = Default::default();
        Ok(Self { desk, client, places, marks, shares, bytes: 0, failure: None })
    }

    /// How many bytes were sent.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether it is certain that it will not be committed.
    pub(super) fn has_failed(&self) -> bool {
        self.failure.is_some() || self.client.has_failed()
    }

    /// The messages in it, by partition and offset.
    pub(super) fn places(&self) -> &[(i32, i64)] {
        &self.places
    }

    /// Sends everything of a message.
    pub(super) fn add(&mut self, parcel: Parcel, turn: u32) {
        let (partition, offset) = (parcel.tenure.partition(), parcel.offset);
        let index = self.places.len();
        self.places.push((partition, offset));
        self.share(&parcel);
        let now = unix_ms();
        for record in &parcel.records {
            let value = &parcel.text[record.range.clone()];
            let to = partition_of(record.key.as_deref(), self.client.partitions, turn);
            let outgoing = Outgoing {
                topic: &self.desk.settings.topic.name,
                partition: i32::try_from(to).unwrap_or(i32::MAX),
                key: record.key.as_deref(),
                value,
                headers: &[],
                timestamp_ms: now,
            };
            let part = Part::Record { number: record.number };
            if !self.send(&outgoing, index, part) {
                return;
            }
        }
        if parcel.letters.is_empty() {
            return;
        }
        let cuts = self.desk.known().of(partition, offset).map(|known| known.cuts.clone());
        let cuts = cuts.unwrap_or_default();
        for (number, letter) in (0..).zip(parcel.letters) {
            let cuts = cuts.get(&number).copied().unwrap_or_default();
            if !self.send_letter(letter, cuts, index, number) {
                return;
            }
        }
    }

    fn send_letter(&mut self, letter: DeadLetter, cuts: u32, parcel: usize, number: u32) -> bool {
        let mut message = letter.into_message(unix_ms(), ());
        let mut is_smallest = false;
        for _ in 0..cuts {
            message = shorten(message).unwrap_or_else(|smallest| {
                is_smallest = true;
                smallest
            });
        }
        let part = Part::Letter { number, is_smallest };
        let outgoing = Outgoing {
            topic: &self.desk.settings.dead_letter.name,
            partition: 0,
            key: None,
            value: &message.value,
            headers: &message.headers,
            timestamp_ms: message.timestamp_ms,
        };
        self.send(&outgoing, parcel, part)
    }

    /// False when sending more is in vain.
    fn send(&mut self, outgoing: &Outgoing<'_>, parcel: usize, part: Part) -> bool {
        if self.failure.is_some() {
            return false;
        }
        let number = self.marks.len();
        let mark = Mark { parcel, bytes: outgoing.bytes(), part };
        self.marks.push(mark);
        self.bytes += mark.bytes;
        match self.client.send(outgoing, number) {
            Ok(goes_on) => goes_on,
            Err(code) => {
                self.marks.pop();
                self.failure = Some(self.not_taken(mark, code));
                false
            }
        }
    }

    /// Why librdkafka did not even take a message.
    fn not_taken(&self, mark: Mark, code: Code) -> Failure {
        if !is_consequence(code) {
            // It got no further than here, so that it is its own fault.
            return self.learn(&[(mark, code)], |_| true);
        }
        // For which message the transaction failed, if for one, is told a moment after the transaction takes no more.
        let failed = self.client.failed();
        if failed.is_empty() {
            self.learn(&[(mark, code)], |_| false)
        } else {
            self.learn_told(failed)
        }
    }

    fn share(&mut self, parcel: &Parcel) {
        let is_its = |share: &&mut Share| Arc::ptr_eq(&share.progress, &parcel.progress);
        if let Some(share) = self.shares.iter_mut().find(is_its) {
            share.offset = parcel.offset;
            return;
        }
        let (tenure, progress) = (Arc::clone(&parcel.tenure), Arc::clone(&parcel.progress));
        self.shares.push(Share { tenure, progress, offset: parcel.offset });
    }

    /// Commits; on failure nothing was committed, unless it is [`Failure::Lost`].
    pub(super) fn commit(&mut self) -> Result<(), Failure> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let desk = self.desk;
        let failed = self.client.settle(self.marks.len(), |waiting| {
            if waiting.is_some() {
                *desk.trouble() = waiting.cloned();
            }
        });
        if !failed.is_empty() {
            return Err(self.learn_told(failed));
        }
        // First the proof, then the question whether all is ours: what is given up after that makes the proof void.
        let group = &self.desk.settings.group;
        let joined_anew = || Failure::Rejoined(format!("group {group} was joined anew"));
        let member = self.shares.first().and_then(|share| share.tenure.member());
        let member = member.ok_or_else(joined_anew)?;
        if self.shares.iter().any(|share| share.tenure.has_ended()) {
            return Err(Failure::Rejoined("a partition was given up".to_owned()));
        }
        let offsets = self.offsets().map_err(|error| Failure::Lost(error.to_string()))?;
        self.client.commit(&offsets, &member, &self.desk.settings)?;
        for share in &self.shares {
            self.desk.known().settle(share.tenure.partition(), share.offset);
            share.progress.commit(share.offset);
        }
        Ok(())
    }

    fn offsets(&self) -> rdkafka::error::KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        for Share { tenure, offset, .. } in &self.shares {
            let mut element = list.add_partition(&self.desk.settings.source, tenure.partition());
            element.set_offset(Offset::Offset(offset + 1))?;
            // With it, whoever comes next knows an offset of a topic that is gone.
            if let Some(id) = tenure.topic_id() {
                element.set_metadata(id);
            }
        }
        Ok(list)
    }

    /// What is to be learned of messages that were sent.
    fn learn_told(&self, failed: Vec<(usize, Code)>) -> Failure {
        let failed: Vec<_> =
            failed.into_iter().map(|(number, code)| (self.marks[number], code)).collect();
        self.learn(&failed, |bytes| self.client.batches.is_alone(bytes))
    }

    /// What failures say, and notes which records and letters are refused when that is certain.
    fn learn(&self, failed: &[(Mark, Code)], is_alone: impl Fn(usize) -> bool) -> Failure {
        let sizes: Vec<_> = failed.iter().filter(|(_, code)| is_size(*code)).collect();
        if sizes.is_empty() {
            let code = failed.iter().map(|(_, code)| *code).find(|code| !is_consequence(*code));
            if code.is_none()
                && let Some(failure) = self.client.cause(&self.desk.settings)
            {
                return failure;
            }
            let is_letter = failed.iter().any(|(mark, _)| matches!(mark.part, Part::Letter { .. }));
            return Failure::Waiting(self.desk.settings.refusal(code, is_letter));
        }
        let mut is_found = false;
        let mut known = self.desk.known();
        for (mark, _) in sizes.into_iter().filter(|(mark, _)| is_alone(mark.bytes)) {
            is_found = true;
            let (partition, offset) = self.places[mark.parcel];
            match mark.part {
                Part::Record { number } => {
                    known.refuse((partition, offset), number, mark.bytes, Instant::now());
                }
                Part::Letter { is_smallest: true, .. } => {
                    return Failure::Waiting(self.desk.settings.refuses_letters());
                }
                Part::Letter { number, .. } => known.cut(partition, offset, number),
            }
        }
        Failure::TooLarge { is_found }
    }

    /// Ends it so that nothing of it counts, and tells its writers. After an error the client is of no use any more.
    pub(super) fn abort(self, why: &str) -> Result<(), String> {
        let desk = self.desk;
        let aborted =
            self.client.abort(&desk.settings, |waiting| *desk.trouble() = Some(waiting.clone()));
        self.each(|progress| progress.abort(why));
        aborted
    }

    /// Tells its writers that nobody here knows what was stored.
    pub(super) fn lose(&self, why: &str) {
        self.each(|progress| progress.lose(why));
    }

    fn each(&self, tell: impl Fn(&Progress)) {
        self.shares.iter().for_each(|share| tell(&share.progress));
    }
}

/// Whether a message failed only because others did.
const fn is_consequence(code: Code) -> bool {
    matches!(code, Code::PurgeQueue | Code::PurgeInflight | Code::State)
}
