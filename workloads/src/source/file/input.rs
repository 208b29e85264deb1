//! An open file and its identity. Opens and looks; never writes.

use std::{
    fs::{File, Metadata, OpenOptions},
    io,
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use crate::source::SourceError;

/// What a file is, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileId {
    pub(super) device: u64,
    pub(super) inode: u64,
    /// When it was made, in nanoseconds since the epoch; 0 where the file system does not say.
    pub(super) born: u64,
}

impl FileId {
    fn of(metadata: &Metadata) -> Self {
        let born = metadata.created().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let born = born.and_then(|since| u64::try_from(since.as_nanos()).ok()).unwrap_or_default();
        Self { device: metadata.dev(), inode: metadata.ino(), born }
    }

    /// The file that a path leads to now; `None` when there is none.
    pub(super) fn at(path: &Path) -> Result<Option<Self>, SourceError> {
        match std::fs::metadata(path) {
            Ok(metadata) => Ok(Some(Self::of(&metadata))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("look at", path, error)),
        }
    }
}

/// A file that is open for reading.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) file: File,
    pub(super) id: FileId,
    /// Its name when it was opened.
    pub(super) path: PathBuf,
}

impl Input {
    /// Opens a file; `None` when there is none.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, SourceError> {
        // Without O_NONBLOCK, opening a named pipe would wait for its writer for ever.
        let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("open", path, error)),
        };
        let metadata = file.metadata().map_err(|error| failed("look at", path, error))?;
        if !metadata.is_file() {
            let problem = "it is not a regular file; use the stdin source for pipes";
            return Err(failed("read", path, io::Error::other(problem)));
        }
        Ok(Some(Self { file, id: FileId::of(&metadata), path: path.to_owned() }))
    }

    /// Its size in bytes.
    pub(super) fn size(&self) -> Result<u64, SourceError> {
        Ok(self.metadata()?.len())
    }

    /// Where the line begins that goes on at `offset`: there itself, unless the bytes on both sides of it belong to
    /// one line. A line that is longer than `most` bytes before `offset` is not gone back into.
    pub(super) fn start_of_line(&self, offset: u64, most: usize) -> Result<u64, SourceError> {
        let reach = offset.min(most as u64 + 1);
        let mut around = vec![0; usize::try_from(reach).unwrap_or(usize::MAX) + 1];
        match self.file.read_exact_at(&mut around, offset - reach) {
            Ok(()) => {}
            // Nothing follows.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(offset),
            Err(error) => return Err(self.failed("read", error)),
        }
        let (Some(next), before) = (around.pop(), around) else { return Ok(offset) };
        if next == b'\n' || before.last().is_none_or(|last| *last == b'\n') {
            return Ok(offset);
        }
        let line = before.iter().rev().take_while(|byte| **byte != b'\n').count() as u64;
        Ok(if line > most as u64 { offset } else { offset - line })
    }

    /// When it was last written to, in nanoseconds since the epoch.
    pub(super) fn written(&self) -> Result<u64, SourceError> {
        let metadata = self.metadata()?;
        let (seconds, nanos) = (metadata.mtime().max(0), metadata.mtime_nsec().max(0));
        Ok(seconds.unsigned_abs().saturating_mul(1_000_000_000) + nanos.unsigned_abs())
    }

    fn metadata(&self) -> Result<Metadata, SourceError> {
        self.file.metadata().map_err(|error| self.failed("look at", error))
    }

    /// The error of something that was tried with the file.
    pub(super) fn failed(&self, action: &'static str, error: io::Error) -> SourceError {
        failed(action, &self.path, error)
    }
}

/// The error of something that was tried with a file.
pub(super) fn failed(action: &'static str, path: &Path, source: io::Error) -> SourceError {
    SourceError::File { action, path: path.to_owned(), source }
}
