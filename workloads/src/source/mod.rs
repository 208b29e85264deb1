//! Where records come from: one file for each kind, behind one small trait.
//!
//! A source hands over blocks of whole lines and is told, in order, which of them are safe in Kafka. It knows
//! nothing of batches, partitions or JSON.

pub mod file;
pub mod generator;
pub mod http;
pub mod kafka;
pub mod lines;
pub mod stdin;

use std::time::Duration;

use crate::{chunk::Reject, key::KeyHash, produce::Shared};

/// How far a source has come: its own, ever increasing number for the end of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(pub u64);

/// Lines on their way from a source.
#[derive(Debug, Default)]
pub struct Block {
    /// Whole lines, separated by `\n`; whether the last one ends with `\n` does not matter.
    pub text: Vec<u8>,
    /// Lines that were too long to be kept.
    pub oversize: Vec<Oversize>,
    /// Records that a source cannot put on a line, or that it found to be none.
    pub rejects: Vec<Reject>,
    /// The hash of each line's key, where records have one beside their text; empty when none has. With it every line
    /// of `text` has an entry.
    pub hashes: Vec<Option<KeyHash>>,
    /// How many records are wanted at most, set by who reads; no end when absent. A source that can say how far it
    /// has come inside of a block hands over no more, so that the rest is read by the next run, or sets it to none
    /// when it had to hand over more.
    pub most: Option<u64>,
}

/// A line longer than a record may be: its start and its size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oversize {
    /// The first bytes, at most [`OVERSIZE_PREFIX`].
    pub prefix: Vec<u8>,
    /// The size of the whole line in bytes, without its line end.
    pub bytes: u64,
}

/// How much of a line that is too long is kept for the dead-letter topic, in bytes.
pub const OVERSIZE_PREFIX: usize = 64 * 1024;
/// What a source aims at for a block that it can fill at once, in bytes: large enough that handing it over
/// costs nothing, small enough to stay in the L2 cache until it is compressed.
pub const BLOCK_BYTES: usize = 256 * 1024;

impl Block {
    /// Makes the block empty, keeping its memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.oversize.clear();
        self.rejects.clear();
        self.hashes.clear();
    }

    /// Takes away the lines after the last record that is wanted; returns how many bytes these were. Where in the block
    /// lines stood that were too long is not known: then all of it is wanted.
    pub fn cut(&mut self) -> usize {
        if !self.oversize.is_empty() {
            self.most = None;
        }
        let Some(most) = self.most else { return 0 };
        let (mut end, mut records) = (0, 0);
        for line in self.text.split_inclusive(|byte| *byte == b'\n') {
            if records == most {
                break;
            }
            end += line.len();
            let bare = line.strip_suffix(b"\n").unwrap_or(line);
            records += u64::from(!crate::lines::is_blank(bare));
        }
        let rest = self.text.len() - end;
        self.text.truncate(end);
        rest
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty() && self.oversize.is_empty() && self.rejects.is_empty()
    }
}

/// What a call of [`Source::read`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// Lines were added to the block, which ends at this position.
    Lines(Position),
    /// Nothing came within the time.
    Idle,
    /// Nothing will ever come.
    End,
}

/// Why a source cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file cannot be used as it should.
    #[error("cannot {action} {path}")]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: std::path::PathBuf,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// Standard input cannot be read.
    #[error("cannot read standard input")]
    Stdin(#[source] std::io::Error),
    /// A checkpoint is not one of ours.
    #[error(
        "checkpoint {path} cannot be used: {problem}; remove it to start at the beginning of the file"
    )]
    Checkpoint {
        /// The checkpoint's file.
        path: std::path::PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Another process reads the same file.
    #[error(
        "{} is in use by another producer (lock file {}); two would send every record twice: stop that one, or give \
         this one a checkpointPath of its own",
        checkpoint.display(),
        lock.display()
    )]
    Locked {
        /// The checkpoint.
        checkpoint: std::path::PathBuf,
        /// The file that holds the lock.
        lock: std::path::PathBuf,
    },
    /// An address cannot be listened at.
    #[error("cannot listen at {address}; choose another port, or end what has it")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// A server cannot be started.
    #[error("cannot start the HTTP server")]
    Serve(#[source] std::io::Error),
    /// The system gives no thread.
    #[error("cannot start the Kafka source")]
    Thread(#[source] std::io::Error),
    /// The group of a Kafka source did not take how far its records were sent.
    #[error(
        "group {group} did not take the last offsets of partitions {partitions:?} in time; what was sent since the \
         commit before is sent again"
    )]
    Uncommitted {
        /// The group.
        group: String,
        /// The partitions.
        partitions: Vec<i32>,
    },
    /// A thread of ours died.
    #[error("the {0} died; this is a defect of batchpipe")]
    Died(&'static str),
}

impl SourceError {
    /// Whether trying again cannot help.
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Checkpoint { .. } | Self::Serve(_) | Self::Thread(_) | Self::Died(_))
    }
}

/// Something that records come from.
pub trait Source: Send {
    /// Called once, before anything is read: what of the process the source may use.
    fn begin(&mut self, _shared: &Shared) -> Result<(), SourceError> {
        Ok(())
    }

    /// Appends lines to an empty `block`, waiting at most `wait` for the first of them. A record that is
    /// complete is handed over without waiting for more. After an error the block is empty: nothing of it is handed over, and
    /// whatever was read comes with the next call.
    fn read(&mut self, block: &mut Block, wait: Duration) -> Result<Read, SourceError>;

    /// Everything up to `position` is safe in Kafka; called in order, also at the end of the run.
    ///
    /// After an error nothing is lost: the same or a later position may be acknowledged again.
    fn acknowledge(&mut self, position: Position) -> Result<(), SourceError>;

    /// Nothing more will be read. Acknowledgements may still come.
    fn close(&mut self) {}

    /// Makes durable what was acknowledged; the last call of a run. May be tried again after an error.
    fn finish(&mut self) -> Result<(), SourceError> {
        Ok(())
    }

    /// What outside of the process the source is waiting for, when nothing can come before that is there.
    fn waiting_for(&self) -> Option<String> {
        None
    }

    /// How long it is read on after a request to stop.
    fn after_stop(&self) -> Duration {
        Duration::ZERO
    }

    /// What it may hold itself beside the blocks that it fills, in bytes, in a process that may use `share`.
    fn memory(&self, _share: usize) -> usize {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str, most: Option<u64>, oversize: Vec<Oversize>) -> (String, usize) {
        let mut block =
            Block { text: text.as_bytes().to_vec(), oversize, most, ..Block::default() };
        let rest = block.cut();
        (String::from_utf8(block.text).unwrap(), rest)
    }

    #[test]
    fn a_block_is_cut_after_the_last_record_that_is_wanted() {
        assert_eq!(cut("1\n\n 2\n3\n", Some(2), Vec::new()), ("1\n\n 2\n".to_owned(), 2));
        assert_eq!(cut("1\n2", Some(2), Vec::new()), ("1\n2".to_owned(), 0));
        assert_eq!(cut("1\n2\n", None, Vec::new()), ("1\n2\n".to_owned(), 0));
    }

    #[test]
    fn a_block_with_lines_that_were_too_long_is_wanted_as_a_whole() {
        let oversize = vec![Oversize { prefix: Vec::new(), bytes: 9 }];
        let mut block =
            Block { text: b"1\n2\n".to_vec(), oversize, most: Some(1), ..Block::default() };
        assert_eq!((block.cut(), block.text.len(), block.most), (0, 4, None));
    }
}
