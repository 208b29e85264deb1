//! One client of the group at work: what the poll thread does while messages come.

use std::{
    collections::BTreeMap,
    mem,
    time::{Duration, Instant},
};

use crossbeam_channel::Sender;
use rdkafka::{
    Message as _, Offset,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
    message::BorrowedMessage,
};

use super::{
    super::{BLOCK_BYTES, OVERSIZE_PREFIX},
    KafkaOptions,
    group::Context,
    messages::Message,
    poll::Poller,
    unreadable::Examination,
    words,
};
use crate::{
    admin::Beat,
    kafka::{
        answers::ask_offsets,
        fetching::Fetching,
        jump::{self, went_back},
        leap::{self, Leap},
        refusal::Refusal,
        renewal::Renewal,
        stranded::{STRANDED, Stranded},
        suspicion::Suspicion,
    },
    key::KeyHash,
};

/// How long one poll waits for a message.
const POLL_WAIT: Duration = Duration::from_millis(100);
/// How often offsets are committed.
const COMMIT_PERIOD: Duration = Duration::from_secs(1);
/// How often a broker that was away is asked whether it is back, and a fetch that was refused is tried anew.
const PROBE_PERIOD: Duration = Duration::from_secs(2);
/// How long a broker's answer to that may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// The most messages of a bundle.
const BUNDLE: usize = 1000;
/// After how many leaps they are looked into without delay.
const MOST_LEAPS: usize = 1000;
/// What a message costs beside its bytes, roughly, in bytes.
pub(super) const MESSAGE_COST: usize = 128;

/// Why a session ended.
pub(super) enum End {
    /// Nothing more is acknowledged.
    Finished,
    /// The client has to be made anew.
    Rebuild(String),
    /// Other credentials were found to work.
    Renew,
    /// The topic is gone, and with it the meaning of every offset.
    TopicGone,
    /// The log of this partition went back: the topic was made again, or the end of the log was lost.
    WentBack(i32),
}

/// One client of the group at work.
pub(super) struct Session<'a> {
    pub(super) poller: &'a Poller,
    pub(super) client: &'a BaseConsumer<Context>,
    /// Has the committer work; busy, it takes the newest offsets when it comes to it.
    commit: Sender<()>,
    bundle: Vec<Message>,
    bundle_bytes: usize,
    leaps: Vec<Leap>,
    /// Where partitions ended when that was last asked for.
    ends: BTreeMap<i32, i64>,
    pub(super) fetching: Fetching,
    pub(super) suspicion: Suspicion,
    pub(super) examination: Examination,
    stranded: Stranded,
    committed_at: Instant,
    probed_at: Instant,
    /// The brokers do not let us read: librdkafka reports that once, and success never.
    is_refused: bool,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        poller: &'a Poller,
        client: &'a BaseConsumer<Context>,
        commit: Sender<()>,
    ) -> Self {
        Self {
            poller,
            client,
            commit,
            bundle: Vec::new(),
            bundle_bytes: 0,
            leaps: Vec::new(),
            ends: BTreeMap::new(),
            fetching: Fetching::default(),
            suspicion: Suspicion::default(),
            examination: Examination::default(),
            stranded: Stranded::default(),
            committed_at: Instant::now(),
            probed_at: Instant::now(),
            is_refused: false,
        }
    }

    pub(super) fn run(mut self, heartbeat: &Beat, renewal: &mut Renewal) -> End {
        let desk = &self.poller.desk;
        while !desk.is_finished() {
            heartbeat.tick();
            if let Some(end) = self.poll() {
                return end;
            }
            self.balance();
            if self.committed_at.elapsed() >= COMMIT_PERIOD {
                self.committed_at = Instant::now();
                let _ = self.commit.try_send(()); // one is on its way already
                self.look_into_leaps();
            }
            self.probe();
            self.begin_anew_when_suspected();
            if let Err(end) = self.examine() {
                return end;
            }
            let is_away = self.client.context().is_unreachable() && !desk.is_closed();
            let KafkaOptions { cluster, topic, .. } = &self.poller.options;
            if self.stranded.is_found(is_away, cluster, topic) {
                return End::Rebuild(STRANDED.to_owned());
            }
            // Nothing is gained by new credentials when nothing is read any more.
            if renewal.is_due(Instant::now()) && !desk.is_closed() {
                return End::Renew;
            }
        }
        End::Finished
    }

    /// Takes what is there, as many messages as make a bundle, waiting for the first of them.
    fn poll(&mut self) -> Option<End> {
        let mut wait = POLL_WAIT;
        loop {
            let polled = self.client.poll(wait);
            let context = self.client.context();
            if context.take_began_anew() {
                // librdkafka goes on where it was in the old topic, which would leave out what is before that.
                self.bundle.clear();
                return Some(End::TopicGone);
            }
            if context.is_undecided() {
                return Some(End::Rebuild("the assignment could not be taken".to_owned()));
            }
            match polled {
                Some(Ok(message)) => {
                    match self.send_back(message.partition(), Some(message.offset())) {
                        Ok(false) => {
                            if let Err(end) = self.take(&message) {
                                return Some(end);
                            }
                        }
                        Ok(true) => {}
                        Err(end) => return Some(end),
                    }
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    match self.send_back(partition, None) {
                        Ok(false) => self.flow(),
                        Ok(true) => {}
                        Err(end) => return Some(end),
                    }
                }
                Some(Err(error)) => {
                    if let Some(end) = self.note_error(&error) {
                        return Some(end);
                    }
                }
                None => break,
            }
            if self.bundle.len() >= BUNDLE || self.bundle_bytes >= BLOCK_BYTES {
                break;
            }
            wait = Duration::ZERO;
        }
        if !self.bundle.is_empty() {
            self.bundle_bytes = 0;
            let _ = self.poller.bundles.send(mem::take(&mut self.bundle)); // a source that is gone reads no more
        }
        None
    }

    /// Something was fetched.
    fn flow(&mut self) {
        if mem::take(&mut self.is_refused) || self.client.context().is_unreachable() {
            self.client.context().tell_reachable();
        }
    }

    fn take(&mut self, message: &BorrowedMessage<'_>) -> Result<(), End> {
        self.flow();
        let Poller { options, queue, desk, .. } = self.poller;
        if desk.is_closed() {
            return Ok(());
        }
        let (partition, offset) = (message.partition(), message.offset());
        let (gone_back, fetched) = {
            let mut offsets = desk.offsets();
            let gone_back = offsets.stand_if_it_goes_back(partition, offset);
            // Whoever lost its place says nothing of the log, and without an id the topic may be another one.
            let is_sound = !self.suspicion.has_arisen() && self.client.context().has_topic_id();
            if is_sound && offsets.go_beyond(partition, offset) {
                return Err(End::WentBack(partition));
            }
            (gone_back, offsets.fetch(partition, offset))
        };
        if let Some(next) = gone_back {
            let problem = went_back(&options.topic, partition, next - 1, offset);
            tracing::error!("{problem}");
            self.poller.shared.side.error(&problem);
        }
        let Some(fetched) = fetched else { return Ok(()) };
        if fetched.leap_from.is_some() && self.ends.get(&partition).is_none_or(|end| offset >= *end)
        {
            // What is not there is not sent, so nothing behind it is committed.
            let end = jump::check(self.client, &options.topic, partition, offset);
            self.ends.insert(partition, end.map_err(End::Rebuild)?);
        }
        if let Some(from) = fetched.leap_from {
            self.leaps.push(Leap { partition, from, to: offset });
            if self.leaps.len().is_multiple_of(MOST_LEAPS) {
                self.look_into_leaps();
            }
        }
        let whole = message.payload();
        let size = whole.map_or(0, <[u8]>::len);
        let kept = if size > options.max_record_bytes { OVERSIZE_PREFIX.min(size) } else { size };
        let key = message.key().filter(|_| options.rules.key.is_none());
        self.bundle_bytes += kept;
        self.bundle.push(Message {
            partition,
            tenure: fetched.tenure,
            offset,
            hash: key.map(KeyHash::of),
            value: whole.map(|whole| Box::from(&whole[..kept])),
            size,
            unreadable_in: None,
            charge: Some(queue.charge_now(kept + MESSAGE_COST)),
        });
        Ok(())
    }

    /// Deals with what librdkafka says instead of a message.
    fn note_error(&mut self, error: &KafkaError) -> Option<End> {
        if let Some(damage) = self.client.context().take_damage() {
            tracing::debug!(?damage, "a record batch cannot be read");
            self.suspect();
            return None;
        }
        let options = &self.poller.options;
        match Refusal::of(error, &options.topic, &options.group) {
            Some(Refusal::TopicGone) => return Some(End::TopicGone),
            Some(Refusal::Fatal(why)) => return Some(End::Rebuild(why)),
            Some(Refusal::Reading(problem)) => {
                self.is_refused = true;
                self.complain(&problem);
            }
            Some(Refusal::Group(problem) | Refusal::Joining(problem)) => self.complain(&problem),
            Some(Refusal::Storage(problem)) => self.poller.shared.side.error(&problem),
            None => tracing::debug!(%error, "while polling"),
        }
        None
    }

    fn complain(&self, problem: &str) {
        let problem = words::about(problem, &self.poller.options);
        self.poller.shared.side.error(&problem);
        self.poller.desk.wait_for(problem);
    }

    /// Pauses fetching while too much waits for the intake, and when nothing is read any more.
    fn balance(&mut self) {
        let is_changed = self.fetching.is_changed(self.client.context().changes());
        let Poller { desk, queue, .. } = self.poller;
        let wanted = desk.is_closed() || self.fetching.is_too_much(queue);
        self.fetching.set_paused(self.client, wanted, is_changed);
    }

    /// Asks once in a while whether what was missing is there again: an idle topic does not tell.
    fn probe(&mut self) {
        let context = self.client.context();
        let is_wanted = context.is_unreachable() || self.is_refused;
        if !is_wanted || self.probed_at.elapsed() < PROBE_PERIOD {
            return;
        }
        self.probed_at = Instant::now();
        if context.is_unreachable() {
            let topic = Some(self.poller.options.topic.as_str());
            if self.client.fetch_metadata(topic, PROBE_TIMEOUT).is_ok() {
                context.tell_reachable();
            }
        } else {
            self.fetching.begin_anew(self.client);
        }
    }

    /// Tells what retention removed under our hands.
    fn look_into_leaps(&mut self) {
        if self.leaps.is_empty() {
            return;
        }
        let mut partitions: Vec<_> = self.leaps.iter().map(|leap| leap.partition).collect();
        partitions.sort_unstable();
        partitions.dedup();
        let context = self.client.context();
        let topic = &self.poller.options.topic;
        let starts = match ask_offsets(self.client, topic, &partitions, Offset::Beginning) {
            Ok(starts) => starts,
            Err(error) => {
                tracing::debug!(%error, "the brokers do not say where logs start; trying again");
                return;
            }
        };
        leap::look_into(
            &mut self.leaps,
            |partition| starts.get(&partition).copied(),
            |partition, from, expired| context.report_expired(partition, from, expired),
        );
    }
}
