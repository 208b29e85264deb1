//! The folder of a file sink: who may write there, what is there, and making changes to it durable.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::name::{Kind, Series, parse};
use crate::{
    file_lock::{FileLock, LockError},
    kafka::gap::Gap,
    sink::WriteError,
};

const LOCK: &str = ".batchpipe.lock";

/// A folder that this process alone writes to.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    handle: File,
    _lock: FileLock,
    claimed: Mutex<BTreeSet<Series>>,
}

/// The right to write one partition's files; given back on drop.
#[derive(Debug)]
pub(super) struct Claim {
    folder: Arc<Folder>,
    series: Series,
}

impl Folder {
    /// Creates the folder when it is missing and locks it.
    pub(super) fn open(path: PathBuf) -> Result<Self, WriteError> {
        create(&path).map_err(|source| failed("create folder", &path, source))?;
        let lock = lock(&path)?;
        let handle = File::open(&path).map_err(|source| failed("open folder", &path, source))?;
        let folder = Self { path, handle, _lock: lock, claimed: Mutex::default() };
        // A killed process may have got as far as renaming; what is seen now must not vanish later.
        folder.sync()?;
        Ok(folder)
    }

    /// Its own path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in it.
    pub(super) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Makes renames and removals durable. On journalling file systems a failure here is lasting, so that
    /// trying again cannot succeed by mistake.
    pub(super) fn sync(&self) -> Result<(), WriteError> {
        self.handle.sync_all().map_err(|source| failed("sync folder", &self.path, source))
    }

    /// Makes a partition's files this caller's own.
    pub(super) fn claim(self: &Arc<Self>, series: &Series) -> Result<Claim, WriteError> {
        let refused = |kind: io::ErrorKind, why: &str| {
            let target = format!(
                "{}, partition {} of {}",
                self.path.display(),
                series.partition,
                series.topic
            );
            WriteError::Io {
                action: "open a writer for",
                target,
                source: io::Error::new(kind, why),
            }
        };
        if !series.is_nameable() {
            let why = "file names with this topic would be longer than 255 bytes";
            return Err(refused(io::ErrorKind::InvalidFilename, why));
        }
        if !self.claimed().insert(series.clone()) {
            return Err(refused(
                io::ErrorKind::AlreadyExists,
                "an earlier writer is not closed yet",
            ));
        }
        Ok(Claim { folder: Arc::clone(self), series: series.clone() })
    }

    /// The last offset that complete files of a partition cover.
    pub(super) fn last_offset(&self, series: &Series) -> Result<Option<i64>, WriteError> {
        let last = |(_, of, kind): (OsString, Series, Kind)| match kind {
            Kind::Complete { last, .. } if of == *series => Some(last),
            _ => None,
        };
        Ok(self.files()?.into_iter().filter_map(last).max())
    }

    /// Removes unfinished files, of one partition or of all.
    pub(super) fn remove_parts(&self, of: Option<&Series>) -> Result<(), WriteError> {
        for (name, series, kind) in self.files()? {
            if matches!(kind, Kind::Part { .. }) && of.is_none_or(|wanted| *wanted == series) {
                let path = self.path.join(name);
                fs::remove_file(&path)
                    .map_err(|source| failed("remove unfinished file", &path, source))?;
            }
        }
        Ok(())
    }

    /// Gives a partition's complete files of what came behind a gap the names that they would have without it.
    pub(super) fn close_gap(&self, series: &Series, gap: &Gap) -> Result<(), WriteError> {
        for (name, of, kind) in self.files()? {
            let Kind::Complete { first, last } = kind else { continue };
            let closed = series.complete(gap.closed(first), gap.closed(last));
            if of == *series && name != *closed {
                let path = self.path.join(name);
                fs::rename(&path, self.path.join(closed))
                    .map_err(|source| failed("rename", &path, source))?;
            }
        }
        self.sync()
    }

    fn files(&self) -> Result<Vec<(OsString, Series, Kind)>, WriteError> {
        let listed = fs::read_dir(&self.path).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let entries = listed.map_err(|source| failed("list folder", &self.path, source))?;
        let ours = |entry: fs::DirEntry| {
            let name = entry.file_name();
            let (series, kind) = parse(name.to_str()?)?;
            Some((name, series, kind))
        };
        Ok(entries.into_iter().filter_map(ours).collect())
    }

    fn claimed(&self) -> MutexGuard<'_, BTreeSet<Series>> {
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.folder.claimed().remove(&self.series);
    }
}

/// An error about a path.
pub(super) fn failed(action: &'static str, path: &Path, source: io::Error) -> WriteError {
    WriteError::Io { action, target: path.display().to_string(), source }
}

/// Creates a folder such that it outlives a power cut.
fn create(path: &Path) -> io::Result<()> {
    let missing: Vec<_> = path.ancestors().take_while(|ancestor| !ancestor.exists()).collect();
    fs::create_dir_all(path)?;
    for created in missing {
        let parent = created.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or_else(|| Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

fn lock(folder: &Path) -> Result<FileLock, WriteError> {
    let path = folder.join(LOCK);
    FileLock::take(&path).map_err(|error| match error {
        LockError::Open(source) => failed("open lock file", &path, source),
        LockError::Taken => WriteError::Locked {
            path: folder.display().to_string(),
            lock: path.display().to_string(),
        },
        LockError::Lock(source) => failed("lock", &path, source),
    })
}
