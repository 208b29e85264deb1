//! Where records go: one file for each kind, behind two small traits.
//!
//! A [`Sink`] is shared by the process; each partition gets a [`Writer`] of its own, used by one thread. A
//! writer says from which offset on things are not yet durable; only what is durable is committed.

pub mod blackhole;
pub mod file;
pub mod http;
pub mod kafka;
mod lines;
pub mod stdout;
pub mod tenure;

use std::{
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use batchpipe_api::{codec::Codec, conditions::reasons};

use self::tenure::Tenure;
use crate::{
    dead_letter::DeadLetter,
    kafka::{gap::Gap, waiting::Waiting},
    secrets::SecretError,
};

/// The good records of one message.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// Offset of the message.
    pub offset: i64,
    /// Timestamp of the message, milliseconds since the epoch.
    pub timestamp_ms: i64,
    /// The batch: records joined with `\n`, without one at the end.
    pub text: &'a [u8],
    /// Which parts of `text` are to be delivered, in order; each is one or more whole records joined with
    /// `\n`, without one at the end. A flawless batch is one run over the whole text.
    pub runs: &'a [Range<usize>],
    /// Number of records in all runs.
    pub records: u32,
    /// The message's value as it came, when it holds all of `text`, in one run, and nothing else.
    pub packed: Option<Packed<'a>>,
}

/// A batch as it came.
#[derive(Clone, Copy, Debug)]
pub struct Packed<'a> {
    /// The value of the message.
    pub value: &'a [u8],
    /// What inflates it.
    pub codec: Codec,
}

/// How far a writer's partition is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durable {
    /// Everything that was written.
    All,
    /// Every message before this offset.
    Before(i64),
}

/// What a writer does with dead letters.
#[derive(Debug)]
pub enum Carried {
    /// They are stored in one step with their message.
    WithMessage,
    /// They will be, but there is no room for them yet or their topic cannot be used, for this reason; ask again.
    Later(Vec<DeadLetter>, Option<Waiting>),
    /// It stores none: they have to be kept by somebody else before their message is offered.
    Not(Vec<DeadLetter>),
}

/// A record that the sink refused for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its place among the records of the delivery, from 0.
    pub number: u32,
    /// Where it is in the text.
    pub range: Range<usize>,
}

/// Why a sink has not taken the records of a message, or not all of them, or not yet.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Nothing is wrong, it only takes longer than anybody may be held up: offer the message again at once, unless
    /// the partition has to be given up. The writer knows what of the message is done.
    #[error("the records are still being delivered")]
    Unfinished {
        /// Whether the receiver has answered as it should since the message was last offered.
        progress: bool,
    },
    /// These records will never be taken; the others of the message have been. Keep them elsewhere, then offer the
    /// message again: the writer does not name them twice.
    #[error("{} records were refused for good: {why}", .records.len())]
    Refused {
        /// The records, in order.
        records: Vec<Refused>,
        /// Why the last of them was refused.
        why: String,
    },
    /// The receiver does not take records now; it is tried again. What it has taken of the message is not sent again.
    #[error("{what}")]
    Unavailable {
        /// Who does not, and why.
        what: String,
        /// How long the receiver asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// What the sink identifies itself with, or knows its receiver by, cannot be read; it is tried again.
    #[error("credentials cannot be used")]
    Secret(#[from] SecretError),
    /// The topic that records go to cannot be used now; it is tried again.
    #[error("{}", .0.what)]
    Topic(Waiting),
    /// Local output failed; it is tried again.
    #[error("cannot {action} {target}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or stream.
        target: String,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// What was written from `offset` on is lost to the sink although it had been taken, because the operating
    /// system could not store it. None of it was reported durable: deliver it again, beginning with the
    /// message at `offset`. The writer takes nothing else until then.
    #[error("cannot {action} {target}; its records are delivered again from offset {offset} on")]
    Rewind {
        /// The first message that is to be delivered again.
        offset: i64,
        /// What was tried.
        action: &'static str,
        /// The file.
        target: String,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// What was handed over from `offset` on was not stored, although nothing is wrong with it: deliver it again,
    /// beginning with the message at `offset`. The writer takes nothing else until then.
    #[error(
        "what was handed over from offset {offset} on was not stored ({why}); it is delivered again"
    )]
    Aborted {
        /// The first message that is to be delivered again.
        offset: i64,
        /// Why it was not stored.
        why: String,
    },
    /// Whether what was handed over was stored is not known here; the group's committed offsets tell.
    #[error("it is not known how much of what was handed over was stored: {why}")]
    Unknown {
        /// What happened.
        why: String,
    },
    /// What is there belongs to a topic that was deleted, or to one of another cluster.
    #[error(
        "{path} holds files of an earlier topic {topic} (id {found}); the topic was made again and has the id \
         {expected} now: give it an empty folder"
    )]
    OtherTopic {
        /// The folder.
        path: String,
        /// The topic's name.
        topic: String,
        /// The id that the folder's files belong to.
        found: String,
        /// The id of the topic that is read.
        expected: String,
    },
    /// Whoever reads our output has gone; going on makes no sense.
    #[error("{target} was closed by its reader")]
    Closed {
        /// The stream.
        target: String,
    },
    /// Another process uses the folder.
    #[error(
        "{path} is in use by another writer (lock file {lock}); give each consumer a folder of its own"
    )]
    Locked {
        /// The folder.
        path: String,
        /// The file that holds the lock.
        lock: String,
    },
}

impl WriteError {
    /// What a partition that waits because of this waits for, as conditions name it.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Secret(SecretError::Missing { .. } | SecretError::Unreadable { .. }) => {
                reasons::SECRET_MISSING
            }
            Self::Topic(waiting) if waiting.reason == reasons::SECRET_MISSING => waiting.reason,
            _ => reasons::SINK_UNAVAILABLE,
        }
    }

    /// How long whoever does not take records asks to be left alone.
    pub(crate) const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// Something that records go to.
pub trait Sink: Send + Sync {
    /// The name in metrics and messages.
    fn name(&self) -> &'static str;

    /// A writer for one partition that was assigned to this process.
    fn open(&self, topic: &str, tenure: Arc<dyn Tenure>) -> Result<Box<dyn Writer>, WriteError>;

    /// Whether the sink itself tells the group how far partitions are delivered, in one step with what it stores.
    /// Nobody else may then: an older offset that came later would have records delivered twice.
    fn keeps_offsets(&self) -> bool {
        false
    }

    /// Called before a partition of a topic is opened, with Kafka's id of the topic: one that was deleted and made
    /// again has another id, and its offsets mean other messages. A sink that keeps something by offset refuses what
    /// it holds of an earlier topic, which must not be taken for the new one's.
    fn keep_to(&self, topic: &str, id: &str) -> Result<(), WriteError> {
        let _ = (topic, id);
        Ok(())
    }

    /// How many messages it has sent again without knowing whether the first ones had arrived: possible duplicates.
    fn resent(&self) -> u64 {
        0
    }

    /// Whether everything is there that the sink needs on this machine. Called about twice a second, also without
    /// traffic; it must not wait for anything.
    fn check(&self) -> Result<(), WriteError> {
        Ok(())
    }
}

/// The sink's side of one partition. Messages come to it in the order of their offsets.
pub trait Writer: Send {
    /// The offset of the first message that the sink does not have yet, when it knows better than the group's
    /// committed offset; messages before it are taken without being written again. The caller must compare it
    /// with the partition's end: a topic that was deleted and made again begins at offset 0, and everything
    /// before this offset would be passed over.
    fn resume_at(&self) -> Option<i64> {
        None
    }

    /// Takes the records of one message. After an error the message counts as not written, and the same message is
    /// offered again, unless the partition is given up. A writer that waits for others returns within a fraction of
    /// a second ([`WriteError::Unfinished`]), because whoever calls it has to notice that it should stop.
    fn write(&mut self, delivery: &Delivery<'_>, now: Instant) -> Result<Durable, WriteError>;

    /// Whether all that is not durable yet becomes so at once, as what is in one file does.
    fn is_durable_at_once(&self) -> bool {
        false
    }

    /// Takes dead letters of the message at `offset`, which is offered next, to be stored in one step with it.
    fn carry(&mut self, offset: i64, letters: Vec<DeadLetter>) -> Carried {
        let _ = offset;
        Carried::Not(letters)
    }

    /// Notes that the message at `offset` needs nothing from the sink (a tombstone, or dead-lettered whole).
    fn skip(&mut self, offset: i64) -> Durable {
        let _ = offset;
        Durable::All
    }

    /// The offsets behind a gap were found not to be true: what was written under them belongs into it. A sink that goes on by
    /// what it holds would take what truly comes there for what it has.
    fn close_gap(&mut self, gap: &Gap) -> Result<(), WriteError> {
        let _ = gap;
        Ok(())
    }

    /// Called about twice a second while its worker waits for nothing, also without traffic.
    fn tick(&mut self, now: Instant) -> Result<Durable, WriteError> {
        let _ = now;
        Ok(Durable::All)
    }

    /// Makes everything durable that was written: before a partition is given back and at the end.
    fn flush(&mut self) -> Result<Durable, WriteError> {
        Ok(Durable::All)
    }
}
