//! One file on its way to completion.
//!
//! Records that were taken are either in the buffer or in the file before `stored`. Every write goes to a
//! known place in the file, so one that failed half way is simply done again: nothing is doubled or lost.
//! Only a failed fsync cannot be repeated, because the kernel may have dropped the data it could not store.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Roll,
    folder::{Folder, failed},
    name::Series,
};
use crate::{kafka::gap::Gap, sink::WriteError};

/// How much is gathered before it is written; the most memory that an open file takes.
pub const BUFFER_BYTES: usize = 256 * 1024;

/// A file that is not complete yet. Dropped before it is, it removes itself.
#[derive(Debug)]
pub(super) struct Part {
    folder: Arc<Folder>,
    series: Series,
    path: PathBuf,
    pub(super) file: File,
    stage: Stage,
    opened: Instant,
    first: i64,
    last: i64,
    /// How much of the file counts, in bytes.
    stored: u64,
    buffer: Vec<u8>,
}

/// How far the way to a complete file was gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// It takes records.
    Open,
    /// Its content is on the disk.
    Synced,
    /// It has its final name.
    Renamed,
    /// The name is on the disk too.
    Complete,
}

impl Part {
    /// Begins a file with the message at offset `first`.
    pub(super) fn create(
        folder: &Arc<Folder>,
        series: &Series,
        first: i64,
        now: Instant,
    ) -> Result<Self, WriteError> {
        let path = folder.join(&series.part(first));
        let file = File::create(&path).map_err(|source| failed("create", &path, source))?;
        Ok(Self {
            folder: Arc::clone(folder),
            series: series.clone(),
            path,
            file,
            stage: Stage::Open,
            opened: now,
            first,
            last: first,
            stored: 0,
            buffer: Vec::with_capacity(BUFFER_BYTES),
        })
    }

    /// The first message in it.
    pub(super) const fn first(&self) -> i64 {
        self.first
    }

    /// The last message that it covers.
    pub(super) const fn last(&self) -> i64 {
        self.last
    }

    /// How far it has come.
    #[cfg(test)]
    pub(super) const fn stage(&self) -> Stage {
        self.stage
    }

    /// Whether it is to take no more records.
    pub(super) fn is_due(&self, roll: Roll, now: Instant) -> bool {
        let age: Duration = now.saturating_duration_since(self.opened);
        self.stage > Stage::Open
            || age >= roll.interval
            || self.stored + self.buffer.len() as u64 >= roll.max_bytes
    }

    /// Takes all of a message's lines or, after an error, none.
    pub(super) fn append(&mut self, offset: i64, lines: &[&[u8]]) -> Result<(), WriteError> {
        let bytes: usize = lines.iter().map(|line| line.len()).sum();
        if self.buffer.len() + bytes > BUFFER_BYTES {
            self.store_buffer()?;
        }
        if bytes > BUFFER_BYTES {
            self.store_directly(lines)?;
        } else {
            for line in lines {
                self.buffer.extend_from_slice(line);
            }
        }
        self.last = offset;
        Ok(())
    }

    /// Lets the file cover a message that has no records for it.
    pub(super) fn cover(&mut self, offset: i64) {
        // Once it has its name, the name says what it covers.
        if self.stage < Stage::Renamed {
            self.last = self.last.max(offset);
        }
    }

    /// Messages behind the gap are those that belong into it.
    pub(super) const fn close_gap(&mut self, gap: &Gap) {
        (self.first, self.last) = (gap.closed(self.first), gap.closed(self.last));
    }

    /// Completes the file. After an error it goes on where it stopped.
    pub(super) fn seal(&mut self) -> Result<(), WriteError> {
        while self.stage != Stage::Complete {
            self.advance()?;
        }
        Ok(())
    }

    /// Goes one step towards a complete file.
    pub(super) fn advance(&mut self) -> Result<(), WriteError> {
        self.stage = match self.stage {
            Stage::Open => self.sync()?,
            Stage::Synced => self.rename()?,
            Stage::Renamed | Stage::Complete => {
                self.folder.sync()?;
                Stage::Complete
            }
        };
        Ok(())
    }

    fn sync(&mut self) -> Result<Stage, WriteError> {
        self.store_buffer()?;
        // What a failed write left behind the good part goes.
        self.file
            .set_len(self.stored)
            .map_err(|source| failed("set the size of", &self.path, source))?;
        self.sync_content()
    }

    pub(super) fn sync_content(&self) -> Result<Stage, WriteError> {
        self.file.sync_all().map_err(|source| self.lost("sync", source))?;
        Ok(Stage::Synced)
    }

    fn rename(&mut self) -> Result<Stage, WriteError> {
        let name = self.folder.join(&self.series.complete(self.first, self.last));
        match fs::rename(&self.path, &name) {
            Ok(()) => {
                self.path = name;
                Ok(Stage::Renamed)
            }
            Err(source) if source.kind() == io::ErrorKind::NotFound => {
                Err(self.lost("rename", source))
            }
            Err(source) => Err(failed("rename", &self.path, source)),
        }
    }

    fn store_buffer(&mut self) -> Result<(), WriteError> {
        self.file
            .write_all_at(&self.buffer, self.stored)
            .map_err(|source| failed("write to", &self.path, source))?;
        self.stored += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Writes what is larger than the buffer, which is empty.
    fn store_directly(&mut self, lines: &[&[u8]]) -> Result<(), WriteError> {
        let mut end = self.stored;
        for line in lines {
            self.file
                .write_all_at(line, end)
                .map_err(|source| failed("write to", &self.path, source))?;
            end += line.len() as u64;
        }
        self.stored = end;
        Ok(())
    }

    fn lost(&self, action: &'static str, source: io::Error) -> WriteError {
        WriteError::Rewind {
            offset: self.first,
            action,
            target: self.path.display().to_string(),
            source,
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if self.stage < Stage::Renamed {
            // Best effort: it is worthless, hidden, and removed at the next start in any case.
            let _ = fs::remove_file(&self.path);
        }
    }
}
