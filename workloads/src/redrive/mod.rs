//! Redrive: dead letters go back to the topic that they came from, or to another one.
//!
//! Letters are read without a group, up to the end that the dead-letter topic has at the start. A letter that holds a
//! whole message goes back byte for byte with its own headers; records that were taken out of a batch are batched
//! anew, with numbers of a new incarnation, so that an audit still proves everything. Each message that goes back says
//! how often that was done, which its consumer notes in the letter that it may become again: that ends the loop.
//!
//! How far a run has come is committed to a group after the broker has acknowledged what was sent, so a run that was
//! interrupted is gone on with. Which letters were sent back is known by reason and number of attempts, so that runs
//! for different reasons neither pass over letters nor repeat each other.
//!
//! ```text
//! reader -> judge -> whole message ------------> outbox -> acknowledgement -> tracker -> group
//!                 -> record -> batch -> sealer ->
//! ```

mod batches;
mod bookmarks;
mod error;
mod letter;
mod parcel;
mod progress;
mod run;
mod target;
mod tracker;

use std::collections::BTreeSet;

use batchpipe_api::{codec::Codec, reason::Reason, report::RedriveReport};

pub use self::{
    error::RedriveError,
    letter::{Left, Place},
    run::run,
};
use crate::{batch::Limits, kafka::client::Transport, key::Pointer};

/// How records are batched anew.
#[derive(Clone, Debug)]
pub struct Batching {
    /// How batches are compressed.
    pub codec: Codec,
    /// How hard the codec tries; its default when absent.
    pub level: Option<i32>,
    /// Kafka's own compression.
    pub transport: Transport,
    /// When batches are closed.
    pub limits: Limits,
    /// Chooses the partition of records that never were in one.
    pub key: Option<Pointer>,
}

/// What to send back, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The dead-letter topic.
    pub from: String,
    /// Where letters go; each to its own topic when absent.
    pub to: Option<String>,
    /// The group that knows how far this came; one for each pair of topics when absent.
    pub group: Option<String>,
    /// Only letters with these reasons; all when empty.
    pub reasons: BTreeSet<Reason>,
    /// Leave letters that were sent back so often.
    pub max_attempts: u32,
    /// End after so many letters were sent.
    pub limit: Option<u64>,
    /// Only say what would be done.
    pub dry_run: bool,
    /// How records are batched anew.
    pub batching: Batching,
}

impl Options {
    /// The group that knows how far this came.
    pub fn group(&self) -> String {
        self.group.clone().unwrap_or_else(|| match &self.to {
            None => format!("batchpipe-redrive.{}", self.from),
            Some(to) => format!("batchpipe-redrive.{}.to.{to}", self.from),
        })
    }

    /// The reasons that are asked for, one by one.
    fn wanted(&self) -> BTreeSet<Reason> {
        if self.reasons.is_empty() { Reason::ALL.into() } else { self.reasons.clone() }
    }
}

/// Something to tell while it goes on.
#[derive(Clone, Debug)]
pub enum Notice {
    /// A letter was left where it is.
    Left(Place, Left),
    /// How far it has come.
    Progress {
        /// Letters read.
        read: u64,
        /// Letters that there were at the start, at most.
        of: u64,
    },
}

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    /// What became of the letters.
    pub report: RedriveReport,
    /// Messages that were sent again although the first one may have arrived.
    pub resent: u64,
    /// Why it could not do all; what was acknowledged before is committed, unless this says otherwise.
    pub ended: Result<(), RedriveError>,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_pair_of_topics_has_its_group() {
        let limits = Limits { max_records: 1, max_bytes: 1, linger: Duration::ZERO };
        let transport = "none".to_owned();
        let codec = Codec::None;
        let mut options = Options {
            from: "rooms.dlq".to_owned(),
            to: None,
            group: None,
            reasons: BTreeSet::new(),
            max_attempts: 3,
            limit: None,
            dry_run: false,
            batching: Batching { codec, level: None, transport, limits, key: None },
        };
        assert_eq!(options.group(), "batchpipe-redrive.rooms.dlq");
        assert_eq!(options.wanted().len(), Reason::ALL.len());
        options.to = Some("other".to_owned());
        assert_eq!(options.group(), "batchpipe-redrive.rooms.dlq.to.other");
        options.group = Some("mine".to_owned());
        assert_eq!(options.group(), "mine");
    }
}
