//! How far a file was read and acknowledged, as a small file of its own.
//!
//! It is replaced as a whole: written aside, synced, renamed, and the folder synced. A crash at any moment
//! leaves the old one or the new one.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{input::failed, place::Place, trail::Left};
use crate::source::SourceError;

const VERSION: u32 = 1;
/// The least time between two checkpoints while acknowledgements come in.
const INTERVAL: Duration = Duration::from_secs(1);

/// Where to go on after a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    version: u32,
    /// Every line before it is acknowledged.
    #[serde(flatten)]
    pub(super) place: Place,
    /// Whether the file was not followed and had been read to its end.
    #[serde(default)]
    pub(super) complete: bool,
    /// The files that were left before: all that was read of them is acknowledged.
    #[serde(default)]
    pub(super) left: Left,
}

impl Checkpoint {
    pub(super) const fn new(place: Place, left: Left) -> Self {
        Self { version: VERSION, place, complete: false, left }
    }

    /// The one before anything was read; `left` is what need not be read.
    pub(super) fn at_first(left: Left) -> Self {
        Self::new(Place::nowhere(), left)
    }

    /// The place to go on from; `None` when no file was found so far.
    pub(super) fn place(&self) -> Option<Place> {
        (!self.place.is_nowhere()).then_some(self.place)
    }

    /// Reads a checkpoint; `None` when there is none yet.
    pub(super) fn load(path: &Path) -> Result<Option<Self>, SourceError> {
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("read checkpoint", path, error)),
        };
        let damaged = |problem| SourceError::Checkpoint { path: path.to_owned(), problem };
        let checkpoint: Self =
            serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        if checkpoint.version != VERSION {
            let found = checkpoint.version;
            return Err(damaged(format!("it has version {found}, known is {VERSION}")));
        }
        if !checkpoint.place.is_sound() || !checkpoint.left.files.iter().all(Place::is_sound) {
            return Err(damaged("its fingerprint does not fit its offset".to_owned()));
        }
        Ok(Some(checkpoint))
    }

    fn store(&self, path: &Path) -> io::Result<()> {
        let mut name = path.as_os_str().to_owned();
        name.push(".tmp");
        let aside = PathBuf::from(name);
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&aside)?;
        serde_json::to_writer(&mut file, self)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        std::fs::rename(&aside, path)?;
        File::open(folder_of(path))?.sync_all()
    }
}

/// The folder that a file is in.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Writes checkpoints, and not too often.
#[derive(Debug)]
pub(super) struct Saver {
    path: PathBuf,
    /// What the file holds.
    saved: Option<Checkpoint>,
    last_try: Option<Instant>,
    failed: bool,
}

impl Saver {
    pub(super) const fn new(path: PathBuf, saved: Option<Checkpoint>) -> Self {
        Self { path, saved, last_try: None, failed: false }
    }

    /// Whether it is time to save again.
    pub(super) fn is_due(&self) -> bool {
        self.last_try.is_none_or(|last| last.elapsed() >= INTERVAL)
    }

    /// As if enough time had gone by.
    #[cfg(test)]
    pub(super) const fn make_due(&mut self) {
        self.last_try = None;
    }

    /// Whether the last attempt failed, so that something acknowledged is not safe yet.
    pub(super) const fn has_failed(&self) -> bool {
        self.failed
    }

    /// Saves, unless the file says so already.
    pub(super) fn save(&mut self, checkpoint: Checkpoint) -> Result<(), SourceError> {
        if self.saved.as_ref() == Some(&checkpoint) {
            return Ok(());
        }
        self.last_try = Some(Instant::now());
        let outcome = checkpoint.store(&self.path);
        self.failed = outcome.is_err();
        outcome.map_err(|error| failed("write checkpoint", &self.path, error))?;
        self.saved = Some(checkpoint);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::file::{fingerprint::Head, input::FileId};

    fn example(offset: u64) -> Checkpoint {
        let mut head = Head::default();
        head.note(&[b'x'; 5000]);
        let place = |inode, offset| {
            Place::new(FileId { device: 1, inode, born: 0 }, offset, head.fingerprint(offset), 7)
        };
        let left = Left { files: vec![place(1, 4000)], forgotten: 5 };
        Checkpoint::new(place(2, offset), left)
    }

    #[test]
    fn what_was_saved_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        assert_eq!(Checkpoint::load(&path).unwrap(), None);
        let mut saver = Saver::new(path.clone(), None);
        for checkpoint in [example(10), example(2000)] {
            saver.save(checkpoint.clone()).unwrap();
            assert_eq!(Checkpoint::load(&path).unwrap(), Some(checkpoint));
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left aside");
    }

    #[test]
    fn a_checkpoint_of_the_first_version_is_taken_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        let mut expected = example(3);
        (expected.left, expected.place.written) = (Left::default(), 0);
        let crc32c = crc32c::crc32c(b"xxx");
        let text = format!(
            r#"{{"version":1,"device":1,"inode":2,"offset":3,"fingerprint":{{"crc32c":{crc32c},"bytes":3}},"complete":false}}"#
        );
        std::fs::write(&path, text).unwrap();
        assert_eq!(Checkpoint::load(&path).unwrap(), Some(expected));
    }

    #[test]
    fn a_checkpoint_that_is_not_ours_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        let good = serde_json::to_string(&example(2000)).unwrap();
        for text in [
            String::new(),
            good[..good.len() / 2].to_owned(),
            good.replace("\"version\":1", "\"version\":2"),
            good.replace("\"offset\":2000", "\"offset\":20"),
            good.replace("\"offset\":4000", "\"offset\":40"),
            "{}".to_owned(),
        ] {
            assert_ne!(text, good);
            std::fs::write(&path, &text).unwrap();
            let error = Checkpoint::load(&path).unwrap_err();
            assert!(matches!(error, SourceError::Checkpoint { .. }), "{text}: {error}");
        }
    }

    #[test]
    fn saving_can_be_tried_again_after_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("later");
        let mut saver = Saver::new(inner.join("checkpoint"), None);
        let error = saver.save(example(10)).unwrap_err();
        assert!(error.to_string().starts_with("cannot write checkpoint /"), "{error}");
        assert!(saver.has_failed());
        std::fs::create_dir(&inner).unwrap();
        saver.save(example(10)).unwrap();
        assert!(!saver.has_failed());
        assert_eq!(Checkpoint::load(&inner.join("checkpoint")).unwrap(), Some(example(10)));
    }
}
