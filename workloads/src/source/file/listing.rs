//! What lies beside a file, and which of it was rotated away from it, by names alone. Opens no file.

use std::{
    collections::HashSet,
    ffi::{OsStr, OsString},
    fs::DirEntry,
    io,
    os::unix::fs::DirEntryExt,
    path::{Path, PathBuf},
};

use super::{checkpoint::folder_of, input::failed};
use crate::source::SourceError;

/// Endings of files that cannot be read as lines any more.
const COMPRESSED: [&str; 10] = ["gz", "zst", "bz2", "xz", "lz4", "zip", "lzma", "Z", "br", "7z"];

/// What is in the folders in which rotated files may be: beside the path as it is written, and beside what it leads to.
#[derive(Debug)]
pub(super) struct Listing {
    entries: Vec<DirEntry>,
    /// The file's own names there.
    names: [OsString; 2],
}

impl Listing {
    /// Looks now.
    pub(super) fn of(path: &Path) -> Result<Self, SourceError> {
        let real = real(path);
        let (written, led_to) = (folder_of(path), folder_of(&real));
        let mut entries = Vec::new();
        if self::real(written) != self::real(led_to) {
            entries.extend(list(led_to)?);
        }
        entries.extend(list(written)?);
        let names = [&*real, path].map(|path| path.file_name().unwrap_or_default().to_owned());
        Ok(Self { entries, names })
    }

    /// All of it, folders and others too.
    pub(super) fn all(&self) -> &[DirEntry] {
        &self.entries
    }

    /// What has the name of a rotated file and is no folder.
    pub(super) fn rotated(&self) -> impl Iterator<Item = &DirEntry> {
        let is_rotated = |entry: &&DirEntry| {
            let found = entry.file_name();
            self.names.iter().any(|name| is_rotated_name(name, &found)) && !is_folder(entry)
        };
        self.entries.iter().filter(is_rotated)
    }
}

/// The numbers of all that is there.
pub(super) fn inodes(path: &Path) -> Result<HashSet<u64>, SourceError> {
    Ok(Listing::of(path)?.all().iter().map(DirEntryExt::ino).collect())
}

/// Whether a file cannot be read as lines any more.
pub(super) fn is_compressed(path: &Path) -> bool {
    path.extension().is_some_and(|ending| COMPRESSED.iter().any(|known| ending == *known))
}

/// Rotation adds a number or a date: `app.log.1`, `app.log-20260102`, `app.log_2026-01-02T15:04.gz`. Copies by hand
/// (`app.log.bak`) and other logs (`app.log_404.log`) are not taken for it.
fn is_rotated_name(name: &OsStr, found: &OsStr) -> bool {
    let Some(added) = found.as_encoded_bytes().strip_prefix(name.as_encoded_bytes()) else {
        return false;
    };
    let without = |ending: &&str| added.strip_suffix(ending.as_bytes())?.strip_suffix(b".");
    let added = COMPRESSED.iter().find_map(without).unwrap_or(added);
    let is_of_a_date = |byte: &u8| byte.is_ascii_digit() || b".-_:+TZ".contains(byte);
    matches!(added, [b'.' | b'-' | b'_', b'0'..=b'9', rest @ ..] if rest.iter().all(is_of_a_date))
}

/// The path without links; as it is written when it leads nowhere.
fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

fn is_folder(entry: &DirEntry) -> bool {
    entry.file_type().is_ok_and(|kind| kind.is_dir())
}

fn list(folder: &Path) -> Result<Vec<DirEntry>, SourceError> {
    match std::fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<DirEntry>>>) {
        // The volume may not be there yet.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        list => list.map_err(|error| failed("list", folder, error)),
    }
}
