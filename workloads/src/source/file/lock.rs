//! One reader for each checkpoint: two of them would send every record twice, and each would write over what the
//! other one noted.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use tracing::warn;

use super::input::failed;
use crate::{
    file_lock::{FileLock, LockError},
    source::SourceError,
};

/// What is added to the name of a checkpoint for its lock's.
const LOCK_SUFFIX: &str = ".lock";

/// Held while a file is read.
#[derive(Debug)]
pub(super) struct Lock {
    _file: Option<FileLock>,
}

impl Lock {
    /// Takes the lock of a checkpoint. Where no file can be made, none can be locked: the checkpoint cannot be
    /// written there either, which is told when it is to be.
    pub(super) fn take(checkpoint: &Path) -> Result<Self, SourceError> {
        let path = path_of(checkpoint);
        let file = match FileLock::take(&path) {
            Ok(file) => Some(file),
            Err(LockError::Open(error)) if is_about_the_place(error.kind()) => {
                warn!(path = %path.display(), %error, "cannot make the lock file of the checkpoint");
                None
            }
            Err(LockError::Taken) => {
                return Err(SourceError::Locked { checkpoint: checkpoint.to_owned(), lock: path });
            }
            Err(LockError::Open(error)) => return Err(failed("open lock file", &path, error)),
            Err(LockError::Lock(error)) => return Err(failed("lock", &path, error)),
        };
        Ok(Self { _file: file })
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
