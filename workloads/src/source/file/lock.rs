//! One reader for each checkpoint: two of them would send every record twice, and each would write over what the
//! other one noted.

use std::{
    fs::File,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};
use tracing::warn;

use super::input::failed;
use crate::source::SourceError;

/// What is added to the name of a checkpoint for its lock's.
const LOCK_SUFFIX: &str = ".lock";

/// Held while a file is read; the lock ends with the process, however it ends.
#[derive(Debug)]
pub(super) struct Lock(Option<File>);

impl Lock {
    /// Takes the lock of a checkpoint. Where no file can be made, none can be locked: the checkpoint cannot be
    /// written there either, which is told when it is to be.
    pub(super) fn take(checkpoint: &Path) -> Result<Self, SourceError> {
        let path = path_of(checkpoint);
        let file = match File::options().create(true).truncate(false).write(true).open(&path) {
            Ok(file) => file,
            Err(error) if is_about_the_place(error.kind()) => {
                warn!(path = %path.display(), %error, "cannot make the lock file of the checkpoint");
                return Ok(Self(None));
            }
            Err(error) => return Err(failed("open lock file", &path, error)),
        };
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self(Some(file))),
            Err(Errno::WOULDBLOCK) => {
                Err(SourceError::Locked { checkpoint: checkpoint.to_owned(), lock: path })
            }
            Err(error) => Err(failed("lock", &path, error.into())),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(file) = &self.0 {
            // Closing alone would leave it locked while a child process that is just being started has a copy.
            let _ = flock(file, FlockOperation::Unlock);
        }
    }
}

const fn is_about_the_place(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::NotFound
            | ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::StorageFull
    )
}

fn path_of(checkpoint: &Path) -> PathBuf {
    let mut path = checkpoint.to_owned().into_os_string();
    path.push(LOCK_SUFFIX);
    path.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_has_one_reader_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let checkpoint = folder.path().join("in.checkpoint");
        let first = Lock::take(&checkpoint).unwrap();
        let error = Lock::take(&checkpoint).unwrap_err().to_string();
        assert!(error.contains("in.checkpoint is in use by another producer"), "{error}");
        drop(first);
        Lock::take(&checkpoint).unwrap();
    }

    #[test]
    fn where_no_checkpoint_can_be_written_nothing_is_locked() {
        let folder = tempfile::tempdir().unwrap();
        Lock::take(&folder.path().join("missing/in.checkpoint")).unwrap();
    }
}
