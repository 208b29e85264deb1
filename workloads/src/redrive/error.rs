//! Why letters cannot be sent back, in words for the person who asked.

use crate::{
    codec::{CodecError, DecodeError},
    kafka::{group_offsets::GroupError, reader::ReaderError},
};

/// Why letters cannot be sent back.
#[derive(Debug, thiserror::Error)]
pub enum RedriveError {
    /// There is no such dead-letter topic.
    #[error(
        "dead-letter topic {topic} does not exist; check --from (it is made together with the first dead letter)"
    )]
    NoLetters {
        /// The topic.
        topic: String,
    },
    /// The letters cannot be read.
    #[error(transparent)]
    Read(ReaderError),
    /// The group cannot be used.
    #[error("how far letters were sent back cannot be noted, see --group")]
    Group(#[from] GroupError),
    /// Somebody else sends the same letters back.
    #[error(
        "another process has moved group {group}: two runs at a time send the same letters back; what this one sent \
         since its last commit may be sent twice"
    )]
    Moved {
        /// The group.
        group: String,
    },
    /// The codec cannot be used.
    #[error("codec cannot be used")]
    Codec(#[from] CodecError),
    /// A batch of our own cannot be unpacked.
    #[error(
        "a batch cannot be split, because its own value cannot be unpacked; memory may be damaged"
    )]
    Unpack(#[from] DecodeError),
    /// There is no such topic to send to.
    #[error("topic {topic} is not there; create it, or send its letters elsewhere with --to")]
    NoTarget {
        /// The topic.
        topic: String,
    },
    /// The target does not take messages.
    #[error("letters cannot be sent for {seconds} s: {what}")]
    Waiting {
        /// How long it was waited.
        seconds: u64,
        /// What has to change outside.
        what: String,
    },
    /// It was stopped.
    #[error("stopped before topic {topic} was read to its end; run it again to go on")]
    Stopped {
        /// The dead-letter topic.
        topic: String,
    },
    /// It was stopped while the broker had not acknowledged everything.
    #[error(
        "stopped while {letters} letters were not acknowledged; the next run sends them again, so that they may be there \
         twice"
    )]
    Unacknowledged {
        /// How many.
        letters: usize,
    },
}

impl From<ReaderError> for RedriveError {
    fn from(error: ReaderError) -> Self {
        match error {
            ReaderError::Missing { topic } => Self::NoLetters { topic },
            other => Self::Read(other),
        }
    }
}
