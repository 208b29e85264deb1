//! The sink that keeps records in files, each of them exactly once.
//!
//! ```text
//! records -> .TOPIC-PARTITION-FIRST.part -> fsync -> rename -> fsync of the folder -> durable
//!            (hidden, worthless if torn)             TOPIC-PARTITION-FIRST-LAST.ndjson
//! ```
//!
//! A file's name says which messages it covers, so the folder itself is the position: after a crash a writer
//! goes on behind its newest complete file, whatever the group has committed, and torn parts are removed. Which topic
//! of that name it was is noted beside them.

mod folder;
mod identity;
mod name;
mod part;
#[cfg(test)]
mod tests;
mod writer;

use std::{path::PathBuf, sync::Arc, time::Duration};

pub use part::BUFFER_BYTES;

use folder::Folder;
use identity::Identity;
use name::Series;
use writer::FileWriter;

use super::{Sink, WriteError, Writer, tenure::Tenure};

/// Where files go and when a new one is begun.
#[derive(Clone, Debug)]
pub struct FileOptions {
    /// The folder; created when it is missing.
    pub path: PathBuf,
    /// When a file is complete.
    pub roll: Roll,
}

/// When a file is complete: whichever comes first, and always at a message boundary.
#[derive(Clone, Copy, Debug)]
pub struct Roll {
    /// It holds at least so many bytes.
    pub max_bytes: u64,
    /// Its first record came so long ago.
    pub interval: Duration,
}

/// Keeps records in files.
#[derive(Debug)]
pub struct FileSink {
    folder: Arc<Folder>,
    roll: Roll,
    identity: Identity,
}

impl FileSink {
    /// Takes the folder for this process and clears away what a killed one left unfinished.
    pub fn new(options: FileOptions) -> Result<Self, WriteError> {
        let folder = Arc::new(Folder::open(options.path)?);
        folder.remove_parts(None)?;
        Ok(Self { folder, roll: options.roll, identity: Identity::default() })
    }
}

impl Sink for FileSink {
    fn name(&self) -> &'static str {
        "file"
    }

    fn open(&self, topic: &str, tenure: Arc<dyn Tenure>) -> Result<Box<dyn Writer>, WriteError> {
        let series = Series { topic: topic.to_owned(), partition: tenure.partition() };
        Ok(Box::new(FileWriter::open(&self.folder, series, self.roll)?))
    }

    fn keep_to(&self, topic: &str, id: &str) -> Result<(), WriteError> {
        self.identity.keep_to(&self.folder, topic, id)
    }
}
