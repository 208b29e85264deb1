//! Which place in which file a position is: positions only grow, while files are rotated and truncated.
//!
//! Pure: it is told what was opened, read and acknowledged.

use std::collections::VecDeque;

use super::{checkpoint::Checkpoint, fingerprint::Head, input::FileId};
use crate::source::Position;

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
}

impl Trail {
    /// Goes on with another file, or at another place. `head` is the file's start up to `offset`.
    pub(super) fn go_to(&mut self, id: FileId, offset: u64, head: Head) {
        self.pieces.push_back(Piece { id, start: self.read, offset, head });
        self.acknowledge(Position(self.acknowledged));
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
    pub(super) fn read_so_far(&self) -> Option<Checkpoint> {
        let (piece, offset) = (self.pieces.back()?, self.offset());
        Some(Checkpoint::new(piece.id, offset, piece.head.fingerprint(offset)))
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
        Some(Checkpoint::new(piece.id, offset, piece.head.fingerprint(offset)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: FileId = FileId { device: 1, inode: 10 };
    const NEW: FileId = FileId { device: 1, inode: 11 };

    fn place(trail: &Trail) -> (u64, u64) {
        let checkpoint = trail.checkpoint().unwrap();
        (checkpoint.inode, checkpoint.offset)
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
        trail.go_to(OLD, 0, Head::default());
        assert_eq!(place(&trail), (10, 0));
    }

    #[test]
    fn the_fingerprint_covers_what_is_acknowledged_only() {
        let mut trail = Trail::default();
        trail.go_to(OLD, 0, Head::default());
        trail.note(b"abcdef");
        trail.acknowledge(Position(3));
        let mut head = Head::default();
        head.note(b"abc");
        assert_eq!(trail.checkpoint().unwrap().fingerprint, head.fingerprint(3));
    }
}
