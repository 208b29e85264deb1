//! Which place in which file a position is: positions only grow, while files are rotated and truncated.
//!
//! Pure: it is told what was opened, read and acknowledged.

use std::collections::{HashSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::{
    checkpoint::Checkpoint, fingerprint::Head, folder::PassedOver, input::FileId, place::Place,
};
use crate::source::Position;

/// From how many remembered files on those are forgotten that are not there any more.
const MANY: usize = 64;
/// How many files are remembered at most.
const MOST: usize = 1024;

/// Everything read so far that is not acknowledged yet, as pieces of files.
#[derive(Debug, Default)]
pub(super) struct Trail {
    /// The first one holds the acknowledged position, the last one is being read.
    pieces: VecDeque<Piece>,
    /// Bytes read from all files.
    read: u64,
    acknowledged: u64,
}

/// A file from some offset on.
#[derive(Debug)]
struct Piece {
    id: FileId,
    /// The position of its first byte.
    start: u64,
    /// The offset of its first byte in the file.
    offset: u64,
    head: Head,
    /// When the file was written to, as known when it was last read.
    written: u64,
    /// The files that were left before this piece began, as far as they had been read, oldest first.
    left: Left,
}

/// What is known of files that are not being read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Left {
    /// Those that were left, as far as they had been read, oldest first.
    #[serde(default)]
    pub(super) files: Vec<Place>,
    /// The newest time at which one was written to that is there and not remembered any more: those that were not
    /// written to since are done. Nanoseconds since the epoch.
    #[serde(default)]
    pub(super) forgotten: u64,
}

impl Left {
    /// Remembers a file instead of what was remembered of it.
    pub(super) fn remember(&mut self, place: Place) {
        self.forget(place.inode);
        self.files.push(place);
    }

    /// Knows nothing of a file any more.
    pub(super) fn forget(&mut self, inode: u64) {
        self.files.retain(|place| place.inode != inode);
    }

    /// Of too many files, forgets the oldest of those that are not `there` any more, then those that were not written to for
    /// the longest time.
    pub(super) fn forget_some(&mut self, there: &HashSet<u64>) {
        let mut excess = self.files.len().saturating_sub(MANY);
        self.files.retain(|place| {
            let is_kept = excess == 0 || there.contains(&place.inode);
            excess -= usize::from(!is_kept);
            is_kept
        });
        let Some(last) = self.files.len().checked_sub(MOST + 1) else { return };
        let mut written: Vec<_> = self.files.iter().map(|place| place.written).collect();
        let (_, forgotten, _) = written.select_nth_unstable(last);
        self.forgotten = self.forgotten.max(*forgotten);
        // The others count as done by that.
        self.files.retain(|place| place.written > self.forgotten);
    }
}

impl Trail {
    /// Begins at a place, with what is known of other files. `head` is the file's start up to `offset`.
    pub(super) fn begin(&mut self, id: FileId, offset: u64, head: Head, left: Left) {
        self.pieces.push_back(Piece { id, start: self.read, offset, head, written: 0, left });
        self.acknowledge(Position(self.acknowledged));
    }

    /// Goes on with another file; the one that is left is remembered as far as it was read.
    pub(super) fn go_to(&mut self, id: FileId, offset: u64, head: Head) {
        let here = self.here();
        self.turn_to(id, offset, head, here.as_slice());
    }

    /// Goes on at another place of this file, or with another one, because what was read here is not here any more.
    /// `known` are other files of which as much need not be read again.
    pub(super) fn turn_to(&mut self, id: FileId, offset: u64, head: Head, known: &[Place]) {
        let mut left = self.left();
        left.forget(id.inode);
        for known in known {
            left.remember(*known);
        }
        self.begin(id, offset, head, left);
    }

    /// A file that cannot be read is not looked at again after those that are read before this one.
    pub(super) fn pass_over(&mut self, file: &PassedOver) {
        if let (Some(piece), Some(place)) = (self.pieces.back_mut(), file.place()) {
            piece.left.remember(place);
        }
    }

    /// Whether more files are remembered than is thought to be of use.
    pub(super) fn remembers_many(&self) -> bool {
        self.pieces.back().is_some_and(|piece| piece.left.files.len() > MANY)
    }

    /// Forgets files that are not `there` any more.
    pub(super) fn forget_removed(&mut self, there: &HashSet<u64>) {
        if let Some(piece) = self.pieces.back_mut() {
            piece.left.forget_some(there);
        }
    }

    /// What is known of the files that are not being read.
    pub(super) fn left(&self) -> Left {
        self.pieces.back().map_or_else(Left::default, |piece| piece.left.clone())
    }

    /// Notes when the last file was written to, after something was read of it.
    pub(super) fn note_written(&mut self, written: u64) {
        if let Some(piece) = self.pieces.back_mut() {
            piece.written = written;
        }
    }

    /// Notes what was read next.
    pub(super) fn note(&mut self, bytes: &[u8]) {
        self.read += bytes.len() as u64;
        if let Some(piece) = self.pieces.back_mut() {
            piece.head.note(bytes);
        }
    }

    /// The position after everything that was read.
    pub(super) const fn position(&self) -> Position {
        Position(self.read)
    }

    /// The place to read next in the last file.
    pub(super) fn offset(&self) -> u64 {
        self.pieces.back().map_or(0, |piece| piece.offset + (self.read - piece.start))
    }

    /// How far the last file was read, acknowledged or not.
    pub(super) fn here(&self) -> Option<Place> {
        let (piece, offset) = (self.pieces.back()?, self.offset());
        Some(Place::new(piece.id, offset, piece.head.fingerprint(offset), piece.written))
    }

    /// The start of the last file.
    pub(super) fn head(&self) -> Option<&Head> {
        self.pieces.back().map(|piece| &piece.head)
    }

    /// Everything up to `position` is safe.
    pub(super) fn acknowledge(&mut self, position: Position) {
        self.acknowledged = position.0;
        // The end of a file is also the start of the next one, and better said so: the old one may go.
        while self.pieces.get(1).is_some_and(|next| next.start <= self.acknowledged) {
            self.pieces.pop_front();
        }
    }

    /// Whether everything that was read is acknowledged.
    pub(super) const fn is_acknowledged(&self) -> bool {
        self.acknowledged == self.read
    }

    /// Where to go on after a restart; `None` before any file was found.
    pub(super) fn checkpoint(&self) -> Option<Checkpoint> {
        let piece = self.pieces.front()?;
        let offset = piece.offset + self.acknowledged.saturating_sub(piece.start);
        let fingerprint = piece.head.fingerprint(offset);
        let place = Place::new(piece.id, offset, fingerprint, piece.written);
        Some(Checkpoint::new(place, piece.left.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: FileId = FileId { device: 1, inode: 10, born: 0 };
    const NEW: FileId = FileId { device: 1, inode: 11, born: 0 };

    fn place(trail: &Trail) -> (u64, u64) {
        let place = trail.checkpoint().unwrap().place;
        (place.inode, place.offset)
    }

    #[test]
    fn the_checkpoint_follows_the_acknowledgements_from_file_to_file() {
        let mut trail = Trail::default();
        assert_eq!(trail.checkpoint(), None);
        let mut head = Head::default();
        head.note(b"0123456789");
        trail.go_to(OLD, 10, head);
        trail.note(b"abcde");
        trail.go_to(NEW, 0, Head::default());
        trail.note(b"fgh");
        assert_eq!((trail.position(), trail.offset()), (Position(8), 3));
        for (acknowledged, expected) in
            [(0, (10, 10)), (2, (10, 12)), (5, (11, 0)), (7, (11, 2)), (8, (11, 3))]
        {
            trail.acknowledge(Position(acknowledged));
            assert_eq!(place(&trail), expected);
        }
        assert!(trail.is_acknowledged());
    }

    #[test]
    fn a_file_that_starts_anew_is_remembered_from_its_start() {
        let mut trail = Trail::default();
        trail.go_to(OLD, 0, Head::default());
        trail.note(b"abc");
        trail.acknowledge(Position(3));
        trail.turn_to(OLD, 0, Head::default(), &[]);
        assert_eq!(place(&trail), (10, 0));
        assert!(trail.left().files.is_empty());
    }

    #[test]
    fn a_checkpoint_knows_of_the_files_that_were_left_as_far_as_it_goes() {
        let mut trail = Trail::default();
        let left = |trail: &Trail| -> Vec<(u64, u64)> {
            let checkpoint = trail.checkpoint().unwrap();
            checkpoint.left.files.iter().map(|place| (place.inode, place.offset)).collect()
        };
        trail.begin(OLD, 0, Head::default(), Left::default());
        trail.note(b"abc");
        trail.go_to(NEW, 0, Head::default());
        trail.note(b"de");
        let head = trail.head().unwrap().clone();
        trail.go_to(OLD, 3, head.clone()); // there was more in it
        trail.note(b"f");
        trail.go_to(NEW, 2, head);
        assert_eq!((trail.offset(), trail.left().files.len()), (2, 1));
        for (acknowledged, expected) in [
            (0, vec![]),
            (3, vec![(10, 3)]),
            (4, vec![(10, 3)]),
            (5, vec![(11, 2)]),
            (6, vec![(10, 4)]),
        ] {
            trail.acknowledge(Position(acknowledged));
            assert_eq!(left(&trail), expected, "{acknowledged}");
        }
    }

    #[test]
    fn of_too_many_files_those_that_are_not_there_any_more_are_forgotten_first() {
        let mut trail = Trail::default();
        for inode in 0..70 {
            trail.go_to(FileId { device: 1, inode, born: 0 }, 0, Head::default());
            trail.note_written(100 + inode);
        }
        assert!(trail.remembers_many());
        let remembered = |trail: &Trail| -> Vec<u64> {
            trail.left().files.iter().map(|place| place.inode).collect()
        };
        trail.forget_removed(&HashSet::from([0, 2, 4]));
        assert_eq!(remembered(&trail), [vec![0, 2, 4], (8..69).collect()].concat());
        assert_eq!(trail.left().forgotten, 0, "what is not there need not be known");
        for inode in 70..1100 {
            trail.go_to(FileId { device: 1, inode, born: 0 }, 0, Head::default());
            trail.note_written(100 + inode);
        }
        trail.forget_removed(&(0..2000).collect());
        assert_eq!(remembered(&trail), (1099 - MOST as u64..1099).collect::<Vec<_>>());
        assert_eq!(trail.left().forgotten, 100 + 1098 - MOST as u64);
    }

    #[test]
    fn a_file_from_the_future_is_not_what_the_age_of_others_is_measured_by() {
        let mut left = Left::default();
        let there = (0..3000).collect();
        let remember = |left: &mut Left, inode, written| {
            let id = FileId { device: 1, inode, born: 0 };
            left.remember(Place::new(id, 0, Head::default().fingerprint(0), written));
            left.forget_some(&there);
        };
        remember(&mut left, 0, u64::MAX);
        for inode in 1..2000 {
            remember(&mut left, inode, 1000 + inode);
        }
        assert_eq!(left.files.len(), MOST);
        assert_eq!(left.files[0].written, u64::MAX);
        let forgotten = 1000 + 2000 - MOST as u64;
        assert_eq!(left.forgotten, forgotten);
        remember(&mut left, 2000, 7);
        assert_eq!(left.forgotten, forgotten, "it never goes back");
        assert_eq!(left.files.len(), MOST);
    }

    #[test]
    fn the_fingerprint_covers_what_is_acknowledged_only() {
        let mut trail = Trail::default();
        trail.go_to(OLD, 0, Head::default());
        trail.note(b"abcdef");
        trail.acknowledge(Position(3));
        let mut head = Head::default();
        head.note(b"abc");
        assert_eq!(trail.checkpoint().unwrap().place.fingerprint, head.fingerprint(3));
    }
}
