//! The sink that sends each record as a message of its own to a topic of the same cluster, exactly once for readers with
//! `isolation.level=read_committed`.
//!
//! Records, dead letters and the group's offsets of whole messages go into one transaction, so that all of it counts or
//! nothing does. A thread of its own begins a transaction with the first message that comes, and commits it when
//! a tenth of a second is over or somebody asks for it; until then nothing of it is durable. When one is aborted (the group
//! was joined anew, a broker was away too long), every message of it is delivered again.
//!
//! A broker's refusal of a record batch aborts the transaction that it was in. Record batches become smaller until they are
//! taken, or one holds nothing but the record at fault: that is noted, and when its message comes again the record becomes
//! a dead letter in the same transaction as the rest.
//!
//! Two members never store the same message: offsets are accepted only from a member of the group's generation, and a
//! transaction is committed only if, after its proof of membership was taken, none of its partitions had been given up.

mod client;
mod known;
mod parcel;
mod progress;
mod reports;
mod sizes;
mod thread;
mod transaction;
mod writer;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use batchpipe_api::{conditions::reasons, spec::sink::KafkaSink as Spec};
use crossbeam_channel::Sender;
use rdkafka::error::RDKafkaErrorCode as Code;

use self::{known::Known, parcel::Request, thread::Thread, writer::TransactionWriter};
use crate::{
    budget::Budget,
    kafka::{
        client::Cluster,
        topics::{TopicError, TopicSpec},
        waiting::Waiting,
    },
    key::{Pointer, PointerError},
    sink::{Sink, WriteError, Writer, tenure::Tenure},
};

/// The most that waits for the thread, and that librdkafka holds, unless a single message is larger, in bytes.
const WINDOW_BYTES: usize = 8 * 1024 * 1024;

/// What the sink needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The cluster, which is the one that batches come from.
    pub cluster: Cluster,
    /// The group whose offsets are told; the ids of transactions begin with it.
    pub group: String,
    /// The topic that batches come from.
    pub source: String,
    /// The topic that records go to.
    pub topic: TopicSpec,
    /// The topic that dead letters go to.
    pub dead_letter: TopicSpec,
    /// The most bytes that a batch may have.
    pub largest_batch: usize,
    /// The most bytes that a dead letter may have.
    pub largest_letter: usize,
}

/// Sends records to a topic by transactions.
pub struct ExactlyOnceSink {
    key: Option<Arc<Pointer>>,
    desk: Arc<Desk>,
    /// Started for the first partition, so that nothing connects before.
    requests: OnceLock<Sender<Request>>,
}

/// What writers and the thread share.
struct Desk {
    settings: Settings,
    /// Memory of messages that wait for the thread.
    room: Arc<Budget>,
    known: Mutex<Known>,
    /// Why records wait, if they do.
    trouble: Mutex<Option<Waiting>>,
    letters: Mutex<Letters>,
}

/// Whether dead letters can be taken.
#[derive(Clone, Debug, Default)]
enum Letters {
    /// Nobody has looked yet.
    #[default]
    Unasked,
    /// Their topic is there.
    Ready,
    /// It is not.
    Waiting(Waiting),
}

impl ExactlyOnceSink {
    /// Nothing is connected to yet.
    pub fn new(spec: &Spec, settings: Settings) -> Result<Self, PointerError> {
        let key = spec.key.as_deref().map(Pointer::parse).transpose()?.map(Arc::new);
        let room = Budget::new(window(&settings));
        let (known, trouble, letters) = Default::default();
        let desk = Desk { settings, room, known, trouble, letters };
        Ok(Self { key, desk: Arc::new(desk), requests: OnceLock::new() })
    }

    /// What it holds beside what each writer holds, in bytes.
    pub fn bytes(&self) -> usize {
        2 * window(&self.desk.settings)
    }
}

impl Settings {
    /// What has to change when a topic does not take a message for this reason.
    fn refusal(&self, code: Option<Code>, is_letter: bool) -> Waiting {
        let topic = if is_letter { &self.dead_letter.name } else { &self.topic.name };
        let Some(code) = code else {
            let what = format!("topic {topic} did not take messages");
            return Waiting { reason: reasons::SINK_UNAVAILABLE, what };
        };
        let (reason, what) = match code {
            Code::TopicAuthorizationFailed => {
                let (operation, topic) = ("write", topic.clone());
                return (&TopicError::Unauthorized { operation, topic }).into();
            }
            Code::MessageTimedOut => (
                reasons::BROKERS_UNREACHABLE,
                format!("no broker took messages for topic {topic} in time"),
            ),
            code => {
                (reasons::SINK_UNAVAILABLE, format!("topic {topic} does not take messages: {code}"))
            }
        };
        Waiting { reason, what }
    }

    /// Not even a dead letter of which everything was cut is taken.
    fn refuses_letters(&self) -> Waiting {
        let topic = &self.dead_letter.name;
        Waiting {
            reason: reasons::DEAD_LETTER_UNAVAILABLE,
            what: format!(
                "topic {topic} does not even take empty dead letters; raise its max.message.bytes"
            ),
        }
    }
}

/// See [`WINDOW_BYTES`].
fn window(settings: &Settings) -> usize {
    WINDOW_BYTES.max(settings.largest_batch).max(settings.largest_letter)
}

impl Desk {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn trouble(&self) -> MutexGuard<'_, Option<Waiting>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn letters(&self) -> MutexGuard<'_, Letters> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for ExactlyOnceSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExactlyOnceSink")
            .field("topic", &self.desk.settings.topic.name)
            .finish_non_exhaustive()
    }
}

impl Sink for ExactlyOnceSink {
    fn name(&self) -> &'static str {
        "kafka"
    }

    fn open(&self, _: &str, tenure: Arc<dyn Tenure>) -> Result<Box<dyn Writer>, WriteError> {
        let requests = self.requests.get_or_init(|| Thread::start(Arc::clone(&self.desk)));
        let (desk, key) = (Arc::clone(&self.desk), self.key.clone());
        Ok(Box::new(TransactionWriter::new(desk, requests.clone(), key, tenure)))
    }

    fn keeps_offsets(&self) -> bool {
        true
    }

    fn check(&self) -> Result<(), WriteError> {
        self.desk.trouble().clone().map_or(Ok(()), |waiting| Err(WriteError::Topic(waiting)))
    }
}
