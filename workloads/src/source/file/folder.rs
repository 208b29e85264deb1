//! Finding what has become of a file that was rotated, by what is in the files beside it: only looks, opens and warns.

use std::{
    fs::DirEntry,
    os::unix::fs::DirEntryExt,
    path::{Path, PathBuf},
};

use tracing::warn;

use super::{
    fingerprint::Head,
    input::{FileId, Input},
    listing::{self, Listing, is_compressed},
    place::Place,
    trail::Left,
};
use crate::source::SourceError;

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
    /// Those that nobody can read any more, or that we cannot.
    pub(super) passed_over: Vec<PassedOver>,
}

/// A rotated file that is not read.
#[derive(Debug)]
pub(super) enum PassedOver {
    /// It was compressed before it could be read. The place is its end.
    Compressed(PathBuf, Place),
    /// Why it cannot be read.
    Unreadable(SourceError),
}

impl PassedOver {
    /// Where the file is left, if it is known to be another one than before.
    pub(super) const fn place(&self) -> Option<Place> {
        match self {
            Self::Compressed(_, place) => Some(*place),
            Self::Unreadable(_) => None,
        }
    }
}

impl Found {
    /// Goes back to the start of the line that goes on here, if one does. What was read before ended in the middle of it
    /// and was handed over as it was; its other half alone would be a record that nobody wrote.
    pub(super) fn at_a_line_start(mut self, most: usize) -> Result<Self, SourceError> {
        let start = self.input.start_of_line(self.offset, most)?;
        if start < self.offset {
            let path = self.input.path.display();
            warn!(%path, offset = start, "a line that was read before has grown; reading it again whole");
            self.offset = start;
            self.head = self.head.up_to(start);
        }
        Ok(self)
    }
}

/// Finds the file of a place under another name in the folder of `path`.
pub(super) fn find(path: &Path, place: &Place) -> Result<Option<Found>, SourceError> {
    Ok(find_each(path, std::slice::from_ref(place), 1)?.pop())
}

/// Finds the last `most` of the places whose files are still in the folder of `path`, under whatever name.
pub(super) fn find_each(
    path: &Path,
    places: &[Place],
    most: usize,
) -> Result<Vec<Found>, SourceError> {
    let beside = Listing::of(path)?;
    let mut found = Vec::new();
    for place in places.iter().rev() {
        // Other things in the folder, also such as cannot be opened, are not our business.
        for entry in beside.all().iter().filter(|entry| entry.ino() == place.inode) {
            let Some(input) = Input::open(&entry.path())? else { continue };
            if let Some(head) = place.head_in(&input)? {
                found.push(Found { input, offset: place.offset, head });
                break;
            }
        }
        if found.len() == most {
            break;
        }
    }
    found.reverse();
    Ok(found)
}

/// What was copied of a file before it was emptied.
#[derive(Debug, Default)]
pub(super) struct Copies {
    /// Those that hold nothing but what was read, at their ends.
    pub(super) read: Vec<Place>,
    /// The first one that holds more, after what was read.
    pub(super) next: Option<Found>,
}

/// Finds the copies of a file that was emptied after it was copied: rotated files that nobody knows and that begin as the
/// file did. One that holds more must have been written to since the file was last read.
pub(super) fn find_copies(
    path: &Path,
    place: &Place,
    known: &[Place],
) -> Result<Copies, SourceError> {
    let mut copies = Copies::default();
    let mut oldest = None;
    for input in rotated_files(path)? {
        // What cannot be opened cannot be the copy that is wanted.
        let Ok(input) = input? else { continue };
        // The number of a file that was removed is given to another one.
        if input.id.inode == place.inode || read_before(&input, known)?.0 > 0 {
            continue;
        }
        let Some((offset, head)) = place.copied_to(&input)? else { continue };
        let written = input.written()?;
        if input.size()? == offset {
            copies.read.push(Place::new(input.id, offset, head.fingerprint(offset), written));
        } else if written >= place.written && oldest.is_none_or(|oldest| written < oldest) {
            oldest = Some(written);
            copies.next = Some(Found { input, offset, head });
        }
    }
    Ok(copies)
}

/// Finds the end of what a copy of a file was compressed to, if the file was emptied and the copy is gone: the first
/// compressed file that was written to since the file was last read, and is not known.
pub(super) fn find_compressed(
    path: &Path,
    place: &Place,
    known: &[Place],
) -> Result<Option<Place>, SourceError> {
    let mut oldest: Option<Place> = None;
    for input in rotated_files(path)? {
        let Ok(input) = input? else { continue };
        let written = input.written()?;
        if is_compressed(&input.path)
            && written >= place.written
            && oldest.is_none_or(|oldest| written < oldest.written)
            && read_before(&input, known)?.0 == 0
        {
            oldest = Some(Place::at_the_end_of(&input)?);
        }
    }
    Ok(oldest)
}

/// Finds files that were rotated away from `path` and that nobody has read to their end, but for those that are `open`.
/// The ages of files say only in which order they are read: somebody may write late to any of them.
pub(super) fn unread(path: &Path, left: &Left, open: &[FileId]) -> Result<Rotated, SourceError> {
    let mut rotated = Rotated::default();
    let mut oldest = None;
    let newest_known = left.files.iter().map(|place| place.written).max().unwrap_or_default();
    for input in rotated_files(path)? {
        // What cannot be read must not keep the new file from being read, which may be rotated away meanwhile.
        let input = match input? {
            Ok(input) => input,
            Err(error) => {
                rotated.passed_over.push(PassedOver::Unreadable(error));
                continue;
            }
        };
        let written = input.written()?;
        if written <= left.forgotten || open.contains(&input.id) {
            continue;
        }
        let (offset, head) = read_before(&input, &left.files)?;
        if input.size()? == offset {
            continue;
        }
        if is_compressed(&input.path) {
            // It is as old as the file that it was made of, which may have been read before.
            if written > newest_known {
                let place = Place::at_the_end_of(&input)?;
                rotated.passed_over.push(PassedOver::Compressed(input.path, place));
            }
        } else if oldest.is_none_or(|oldest| written < oldest) {
            oldest = Some(written);
            rotated.next = Some(Found { input, offset, head });
        }
    }
    Ok(rotated)
}

/// What was rotated away before anybody read `path`, as if it had been read: it is not asked for.
pub(super) fn read_by_others(path: &Path) -> Result<Left, SourceError> {
    let current = FileId::at(path)?;
    let mut places = Vec::new();
    for input in rotated_files(path)? {
        // What cannot be read is not read later either.
        let Ok(input) = input? else { continue };
        if current != Some(input.id) {
            places.push(Place::at_the_end_of(&input)?);
        }
    }
    places.sort_unstable_by_key(|place| place.written);
    let mut left = Left::default();
    for place in places {
        left.remember(place);
    }
    left.forget_some(&listing::inodes(path)?);
    Ok(left)
}

/// How much of a file was read already.
pub(super) fn read_before(input: &Input, known: &[Place]) -> Result<(u64, Head), SourceError> {
    for place in known.iter().rev() {
        if let Some(head) = place.head_in(input)? {
            return Ok((place.offset, head));
        }
    }
    Ok((0, Head::new()))
}

/// The files that were rotated away from `path`, one after the other, or why one cannot be opened; each is open only for as
/// long as the caller keeps it. The outer error ends them: this process may open no more files, which says nothing of them.
fn rotated_files(
    path: &Path,
) -> Result<impl Iterator<Item = Result<Result<Input, SourceError>, SourceError>>, SourceError> {
    let paths: Vec<_> = Listing::of(path)?.rotated().map(DirEntry::path).collect();
    Ok(paths.into_iter().filter_map(|path| match Input::open(&path) {
        Ok(input) => input.map(|input| Ok(Ok(input))),
        Err(error) if is_out_of_descriptors(&error) => Some(Err(error)),
        Err(error) => Some(Ok(Err(error))),
    }))
}

fn is_out_of_descriptors(error: &SourceError) -> bool {
    let SourceError::File { source, .. } = error else { return false };
    let found = rustix::io::Errno::from_io_error(source);
    matches!(found, Some(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::file::input::failed;

    #[test]
    fn rotated_files_come_in_the_order_in_which_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.log");
        let time =
            |seconds| std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        for (name, seconds) in [
            ("app.log", 900),
            ("app.log.bak", 500),
            ("app.log_404.log", 260),
            ("app.log.3", 100),
            ("app.log.2", 200),
            ("app.log-2026", 300),
            ("app.log_2026-01-02T15:04.lzma", 250),
            ("app.log.5", 400),
            ("application.log.1", 350),
        ] {
            let content = if name == "app.log.5" { "" } else { "1\n" };
            std::fs::write(folder.path().join(name), content).unwrap();
            let file = std::fs::File::options().append(true).open(folder.path().join(name));
            file.unwrap().set_modified(time(seconds)).unwrap();
        }
        let left = |files: &[&str], forgotten: u64| Left {
            files: files.iter().map(|name| read(&folder.path().join(name))).collect(),
            forgotten: forgotten * 1_000_000_000,
        };
        let rotated = unread(&path, &left(&[], 199), &[]).unwrap();
        let next = rotated.next.unwrap();
        assert_eq!((next.input.path, next.offset), (folder.path().join("app.log.2"), 0));
        let rotated = unread(&path, &left(&["app.log.2"], 199), &[]).unwrap();
        assert_eq!(rotated.next.unwrap().input.path, folder.path().join("app.log-2026"));
        assert!(
            matches!(&rotated.passed_over[..], [PassedOver::Compressed(path, _)] if path.ends_with("app.log_2026-01-02T15:04.lzma"))
        );
        let rotated = unread(&path, &left(&["app.log.2", "app.log-2026"], 0), &[]).unwrap();
        assert_eq!(rotated.next.unwrap().input.path, folder.path().join("app.log.3"));
        assert!(rotated.passed_over.is_empty(), "it was read before it was compressed");
    }

    /// What is known of a file that was read to its end.
    fn read(path: &Path) -> Place {
        Place::at_the_end_of(&Input::open(path).unwrap().unwrap()).unwrap()
    }

    #[test]
    fn of_a_finished_file_only_what_was_added_is_read_whenever_it_was_touched() {
        let folder = tempfile::tempdir().unwrap();
        let (path, rotated) = (folder.path().join("app.log"), folder.path().join("app.log.1"));
        std::fs::write(&rotated, "1\n2\n").unwrap();
        let left = Left { files: vec![read(&rotated)], forgotten: 0 };
        let look = || unread(&path, &left, &[]).unwrap().next;
        assert!(look().is_none(), "all of it was read");
        std::fs::write(&rotated, "1\n2\n3\n").unwrap();
        assert_eq!(look().unwrap().offset, 4);
        // Another file that got the number of the old one.
        std::fs::write(&rotated, "4\n5\n6\n").unwrap();
        assert_eq!(look().unwrap().offset, 0);
    }

    #[test]
    fn of_many_files_that_were_left_the_last_ones_are_found_in_their_order() {
        let folder = tempfile::tempdir().unwrap();
        let named = |name: &str| folder.path().join(name);
        let mut places = Vec::new();
        for name in ["app.log.4", "app.log.3", "app.log.2", "app.log.1"] {
            std::fs::write(named(name), name).unwrap();
            places.push(read(&named(name)));
        }
        std::fs::remove_file(named("app.log.2")).unwrap();
        std::fs::rename(named("app.log.1"), named("moved")).unwrap();
        let found = find_each(&named("app.log"), &places, 2).unwrap();
        let paths: Vec<_> = found.into_iter().map(|found| found.input.path).collect();
        assert_eq!(paths, [named("app.log.3"), named("moved")]);
    }

    #[test]
    fn only_that_nothing_more_can_be_opened_is_no_reason_to_pass_a_file_over() {
        let failed =
            |errno: rustix::io::Errno| failed("open", Path::new("app.log.1"), errno.into());
        assert!(is_out_of_descriptors(&failed(rustix::io::Errno::MFILE)));
        assert!(is_out_of_descriptors(&failed(rustix::io::Errno::NFILE)));
        assert!(!is_out_of_descriptors(&failed(rustix::io::Errno::ACCESS)));
    }

    #[test]
    fn what_cannot_be_read_keeps_nothing_else_from_being_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.log");
        std::fs::create_dir(folder.path().join("app.log.2024")).unwrap();
        std::os::unix::net::UnixListener::bind(folder.path().join("app.log.1")).unwrap();
        std::fs::write(folder.path().join("app.log.2"), "1\n").unwrap();
        let rotated = unread(&path, &Left::default(), &[]).unwrap();
        assert_eq!(rotated.next.unwrap().input.path, folder.path().join("app.log.2"));
        assert_eq!(rotated.passed_over.len(), 1, "the socket, and not the folder");
    }
}
