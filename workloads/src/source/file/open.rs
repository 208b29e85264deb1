//! Files that were left for another one and are still open, because somebody may write to them late: a writer that
//! was not told of the rotation, or one that keeps lines in a buffer.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{
    fingerprint::Head,
    input::{FileId, Input},
};
use crate::source::SourceError;

/// How long a file is looked at after it was left. A removed file takes its room on the disk for as long.
const WATCHED: Duration = Duration::from_mins(5);
/// How many files are kept open.
const MOST: usize = 4;

/// A file that was left.
#[derive(Debug)]
pub(super) struct LeftFile {
    pub(super) input: Input,
    /// How much of it was read, in bytes.
    pub(super) offset: u64,
    /// The start of the file up to there.
    pub(super) head: Head,
    until: Instant,
}

/// The files that were left last, oldest first.
#[derive(Debug, Default)]
pub(super) struct Open(VecDeque<LeftFile>);

impl Open {
    /// Watches a file that was read up to `offset`.
    pub(super) fn add(&mut self, input: Input, offset: u64, head: Head) {
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back(LeftFile { input, offset, head, until: Instant::now() + WATCHED });
    }

    /// Gives a file back, if it is one of these.
    pub(super) fn take(&mut self, id: FileId) -> Option<LeftFile> {
        let at = self.0.iter().position(|file| file.input.id == id)?;
        self.0.remove(at)
    }

    /// Gives the oldest file back that holds more than was read of it, and forgets those that were watched for long
    /// enough.
    pub(super) fn take_grown(&mut self) -> Result<Option<LeftFile>, SourceError> {
        let mut grown = None;
        for (at, file) in self.0.iter().enumerate() {
            if file.input.size()? > file.offset {
                grown = Some(at);
                break;
            }
        }
        let grown = grown.and_then(|at| self.0.remove(at));
        let now = Instant::now();
        self.0.retain(|file| file.until > now);
        Ok(grown)
    }

    /// Those that are open.
    pub(super) fn ids(&self) -> impl Iterator<Item = FileId> {
        self.0.iter().map(|file| file.input.id)
    }
}
