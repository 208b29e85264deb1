//! Finding what has become of a file that was rotated: only looks, opens and warns.

use std::{
    fs::DirEntry,
    io,
    os::unix::fs::DirEntryExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{
    checkpoint::folder_of,
    fingerprint::Head,
    input::{FileId, Input, failed},
    place::Place,
};
use crate::source::SourceError;

/// Endings of files that cannot be read as lines any more.
const COMPRESSED: [&str; 6] = ["gz", "zst", "bz2", "xz", "lz4", "zip"];

/// A file that was found, and where to read on.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) input: Input,
    /// At its start, or as far as it was read before.
    pub(super) offset: u64,
    /// The start of the file up to there.
    pub(super) head: Head,
}

/// Rotated files of which nobody has read all yet.
#[derive(Debug, Default)]
pub(super) struct Rotated {
    /// The oldest one that can be read.
    pub(super) next: Option<Found>,
    /// Those that were compressed before they could be read.
    pub(super) compressed: Vec<PathBuf>,
    /// Why others cannot be read.
    pub(super) unreadable: Vec<SourceError>,
}

/// Files that are not looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unwanted<'a> {
    /// Those that are open: the one just finished and the current one.
    pub(super) open: &'a [FileId],
    /// Those that were finished before, as far as they were read.
    pub(super) finished: &'a [Place],
}

/// Finds the file of a place under another name in the folder of `path`.
pub(super) fn find(path: &Path, place: &Place) -> Result<Option<Found>, SourceError> {
    for entry in entries(&real(path))? {
        // Other things in the folder, also such as cannot be opened, are not our business.
        if entry.ino() != place.inode {
            continue;
        }
        let Some(input) = Input::open(&entry.path())? else { continue };
        if let Some(head) = place.head_in(&input)? {
            return Ok(Some(Found { input, offset: place.offset, head }));
        }
    }
    Ok(None)
}

/// Finds the copy of a file that was emptied after it was copied: the newest rotated file that was written to at or
/// after `since` and begins as the file did up to `place`.
pub(super) fn find_copy(
    path: &Path,
    place: &Place,
    since: SystemTime,
    known: &[Place],
) -> Result<Option<Found>, SourceError> {
    let path = real(path);
    let mut newest = None;
    for entry in entries(&path)?.into_iter().filter(|entry| is_rotated_name(&path, entry)) {
        let is_known = known.iter().any(|known| known.inode == entry.ino());
        if is_known || entry.ino() == place.inode {
            continue;
        }
        // What cannot be opened cannot be the copy that is wanted.
        let Ok(Some(input)) = Input::open(&entry.path()) else { continue };
        let modified = input.modified()?;
        if modified < since || newest.as_ref().is_some_and(|(newest, _)| modified < *newest) {
            continue;
        }
        if let Some(head) = place.head_in_copy(&input)? {
            newest = Some((modified, Found { input, offset: place.offset, head }));
        }
    }
    Ok(newest.map(|(_, found)| found))
}

/// Finds files that were rotated away from `path` and written to at or after `since`: those between the one
/// that was finished last and the current one.
pub(super) fn rotated_since(
    path: &Path,
    since: SystemTime,
    not: Unwanted<'_>,
) -> Result<Rotated, SourceError> {
    let path = real(path);
    let mut rotated = Rotated::default();
    let mut oldest = None;
    let is_rotated = |entry: &DirEntry| is_rotated_name(&path, entry) && !is_folder(entry);
    for entry in entries(&path)?.into_iter().filter(is_rotated) {
        // What cannot be read must not keep the new file from being read, which may be rotated away meanwhile.
        let input = match Input::open(&entry.path()) {
            Ok(Some(input)) => input,
            Ok(None) => continue,
            Err(error) => {
                rotated.unreadable.push(error);
                continue;
            }
        };
        let modified = input.modified()?;
        if modified < since || not.open.contains(&input.id) {
            continue;
        }
        let (offset, head) = read_before(&input, not.finished)?;
        if input.size()? == offset {
            continue;
        }
        if is_compressed(&input.path) {
            rotated.compressed.push(input.path);
        } else if oldest.is_none_or(|oldest| modified < oldest) {
            oldest = Some(modified);
            rotated.next = Some(Found { input, offset, head });
        }
    }
    Ok(rotated)
}

/// How much of a file was read already. It may have been written to, or touched, after it was finished: when it was
/// last written to says nothing.
pub(super) fn read_before(input: &Input, finished: &[Place]) -> Result<(u64, Head), SourceError> {
    for done in finished.iter().rev() {
        if let Some(head) = done.head_in(input)? {
            return Ok((done.offset, head));
        }
    }
    Ok((0, Head::new()))
}

/// The path without links: rotated files are where the file really is.
fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// Rotation adds a number or a date: `app.log.1`, `app.log-20260102`. Copies by hand (`app.log.bak`) are not
/// taken for it.
fn is_rotated_name(path: &Path, entry: &DirEntry) -> bool {
    let (name, entry) = (path.file_name().unwrap_or_default(), entry.file_name());
    let added = entry.as_encoded_bytes().strip_prefix(name.as_encoded_bytes());
    matches!(added, Some([b'.' | b'-' | b'_', b'0'..=b'9', ..]))
}

fn is_folder(entry: &DirEntry) -> bool {
    entry.file_type().is_ok_and(|kind| kind.is_dir())
}

fn is_compressed(path: &Path) -> bool {
    path.extension().is_some_and(|ending| COMPRESSED.iter().any(|known| ending == *known))
}

fn entries(path: &Path) -> Result<Vec<DirEntry>, SourceError> {
    let folder = folder_of(path);
    match std::fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<DirEntry>>>) {
        // The volume may not be there yet.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        list => list.map_err(|error| failed("list", folder, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotated_files_come_in_the_order_in_which_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.log");
        let time = |seconds| SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        for (name, seconds) in [
            ("app.log", 900),
            ("app.log.bak", 500),
            ("app.log.3", 100),
            ("app.log.2", 200),
            ("app.log-2026", 300),
            ("app.log.4.gz", 250),
            ("app.log.5", 400),
            ("application.log.1", 350),
        ] {
            let content = if name == "app.log.5" { "" } else { "1\n" };
            std::fs::write(folder.path().join(name), content).unwrap();
            let file = std::fs::File::options().append(true).open(folder.path().join(name));
            file.unwrap().set_modified(time(seconds)).unwrap();
        }
        let none = Unwanted { open: &[], finished: &[] };
        let rotated = rotated_since(&path, time(200), none).unwrap();
        let next = rotated.next.unwrap();
        assert_eq!((next.input.path, next.offset), (folder.path().join("app.log.2"), 0));
        let finished = read(&folder.path().join("app.log.2"));
        let not = Unwanted { finished: &[finished], ..none };
        let rotated = rotated_since(&path, time(200), not).unwrap();
        assert_eq!(rotated.next.unwrap().input.path, folder.path().join("app.log-2026"));
        assert_eq!(rotated.compressed, [folder.path().join("app.log.4.gz")]);
        let rotated = rotated_since(&path, time(301), none).unwrap();
        assert!(rotated.next.is_none() && rotated.compressed.is_empty());
    }

    /// What is known of a file that was read to its end.
    fn read(path: &Path) -> Place {
        let text = std::fs::read(path).unwrap();
        let mut head = Head::new();
        head.note(&text);
        let id = FileId::at(path).unwrap().unwrap();
        Place::new(id, text.len() as u64, head.fingerprint(text.len() as u64))
    }

    #[test]
    fn of_a_finished_file_only_what_was_added_is_read_whenever_it_was_touched() {
        let folder = tempfile::tempdir().unwrap();
        let (path, rotated) = (folder.path().join("app.log"), folder.path().join("app.log.1"));
        std::fs::write(&rotated, "1\n2\n").unwrap();
        let finished = [read(&rotated)];
        let not = Unwanted { open: &[], finished: &finished };
        let look = || rotated_since(&path, SystemTime::UNIX_EPOCH, not).unwrap().next;
        assert!(look().is_none(), "all of it was read");
        std::fs::write(&rotated, "1\n2\n3\n").unwrap();
        assert_eq!(look().unwrap().offset, 4);
        // Another file that got the number of the old one.
        std::fs::write(&rotated, "4\n5\n6\n").unwrap();
        assert_eq!(look().unwrap().offset, 0);
    }

    #[test]
    fn what_cannot_be_read_keeps_nothing_else_from_being_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.log");
        std::fs::create_dir(folder.path().join("app.log.2024")).unwrap();
        std::os::unix::net::UnixListener::bind(folder.path().join("app.log.1")).unwrap();
        std::fs::write(folder.path().join("app.log.2"), "1\n").unwrap();
        let none = Unwanted { open: &[], finished: &[] };
        let rotated = rotated_since(&path, SystemTime::UNIX_EPOCH, none).unwrap();
        assert_eq!(rotated.next.unwrap().input.path, folder.path().join("app.log.2"));
        assert_eq!(rotated.unreadable.len(), 1, "the socket, and not the folder");
    }
}
