//! Files that were left for another one and are still open, because somebody may write to them late: a writer that
//! was not told of the rotation, or one that keeps lines in a buffer.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{folder::Found, input::FileId};
use crate::source::SourceError;

/// How long a file is looked at after it was left. A removed file takes its room on the disk for as long.
const WATCHED: Duration = Duration::from_mins(5);
/// How many files are kept open.
pub(super) const MOST: usize = 64;

/// A file that was left.
#[derive(Debug)]
struct LeftFile {
    found: Found,
    until: Instant,
}

/// The files that were left last, oldest first.
#[derive(Debug, Default)]
pub(super) struct Open(VecDeque<LeftFile>);

impl Open {
    /// Watches a file, which was read as far as it says.
    pub(super) fn add(&mut self, found: Found) {
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back(LeftFile { found, until: Instant::now() + WATCHED });
    }

    /// Gives a file back, if it is one of these.
    pub(super) fn take(&mut self, id: FileId) -> Option<Found> {
        let at = self.0.iter().position(|file| file.found.input.id == id)?;
        self.0.remove(at).map(|file| file.found)
    }

    /// Gives the oldest file back that holds more than was read of it, but not the newest one, and forgets those that
    /// were watched for long enough.
    pub(super) fn take_grown(
        &mut self,
        newest: Option<FileId>,
    ) -> Result<Option<Found>, SourceError> {
        let mut grown = None;
        for (at, file) in self.0.iter().enumerate() {
            let input = &file.found.input;
            if Some(input.id) != newest && input.size()? > file.found.offset {
                grown = Some(at);
                break;
            }
        }
        let grown = grown.and_then(|at| self.0.remove(at)).map(|file| file.found);
        let now = Instant::now();
        self.0.retain(|file| file.until > now);
        Ok(grown)
    }

    /// Those that are open.
    pub(super) fn ids(&self) -> impl Iterator<Item = FileId> {
        self.0.iter().map(|file| file.found.input.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::file::{fingerprint::Head, input::Input};

    #[test]
    fn the_files_that_were_left_last_are_kept_open() {
        let folder = tempfile::tempdir().unwrap();
        let mut open = Open::default();
        let mut added = Vec::new();
        for number in 0..MOST + 3 {
            let path = folder.path().join(number.to_string());
            std::fs::write(&path, "1\n").unwrap();
            let input = Input::open(&path).unwrap().unwrap();
            added.push(input.id);
            open.add(Found { input, offset: 2, head: Head::new() });
        }
        assert_eq!(open.ids().collect::<Vec<_>>(), added[3..]);
        assert!(open.take_grown(None).unwrap().is_none(), "none has grown");
        for number in [0, 3, 5] {
            std::fs::write(folder.path().join(number.to_string()), "1\n2\n").unwrap();
        }
        let mut grown = |newest| open.take_grown(newest).unwrap().map(|found| found.input.id);
        assert_eq!(grown(Some(added[3])), Some(added[5]), "the newest one is not asked for");
        assert_eq!(grown(None), Some(added[3]));
        assert_eq!(grown(None), None, "one that is not kept open is not looked at");
    }
}
