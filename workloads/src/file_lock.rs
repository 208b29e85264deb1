//! A lock file: one process at a time has it, until that process drops it or ends, however it ends.

use std::{fs::File, io, path::Path};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

/// Why a lock file is not ours.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The file cannot be made or opened.
    #[error("cannot open the lock file")]
    Open(#[source] io::Error),
    /// Another process has it.
    #[error("another process has the lock file")]
    Taken,
    /// The file system cannot lock it.
    #[error("cannot lock the lock file")]
    Lock(#[source] io::Error),
}

/// A lock file that is ours until this is dropped. The file stays.
#[derive(Debug)]
pub struct FileLock(File);

impl FileLock {
    /// Makes the file when it is missing, and takes it without waiting.
    pub fn take(path: &Path) -> Result<Self, LockError> {
        let file = File::options().create(true).truncate(false).write(true).open(path);
        let file = file.map_err(LockError::Open)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self(file)),
            Err(Errno::WOULDBLOCK) => Err(LockError::Taken),
            Err(error) => Err(LockError::Lock(error.into())),
        }
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Closing alone would leave it locked while a child process that is just being started has a copy.
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}
