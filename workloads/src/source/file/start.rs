//! Where reading begins: what the checkpoint says against what the folder holds now.

use tracing::{info, warn};

use super::{
    FileOptions, Notices,
    checkpoint::Checkpoint,
    folder::{self, Found},
    input::Input,
    place::Place,
};
use crate::source::SourceError;

/// Where reading begins.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) found: Found,
    pub(super) way: Way,
    /// Further files that need not be read, as far as said.
    pub(super) known: Vec<Place>,
}

/// How reading came to the file that it begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// It is the newest file, and was read before: it goes on where it was left.
    GoesOn,
    /// It was rotated away; newer files wait behind it.
    Rotated,
    /// It is the newest file, and not the one that was read last: others may have been rotated away in between.
    Anew,
}

impl Start {
    /// The newest file where it was left for another one, or its start.
    fn anew(
        options: &FileOptions,
        input: Input,
        checkpoint: &Checkpoint,
        known: Vec<Place>,
    ) -> Result<Self, SourceError> {
        let (offset, head) = folder::read_before(&input, &checkpoint.left.files)?;
        let found = Found { input, offset, head }.at_a_line_start(options.max_record_bytes)?;
        Ok(Self { found, way: Way::Anew, known })
    }

    const fn rotated(found: Found, known: Vec<Place>) -> Self {
        Self { found, way: Way::Rotated, known }
    }
}

/// Looks for the file to begin with; `None` while there is none.
pub(super) fn begin(
    options: &FileOptions,
    checkpoint: &Checkpoint,
    notices: &mut Notices,
) -> Result<Option<Start>, SourceError> {
    let current = Input::open(&options.path)?;
    let Some(place) = &checkpoint.place() else {
        return current
            .map(|input| Start::anew(options, input, checkpoint, Vec::new()))
            .transpose();
    };
    let Some(current) = current else { return find_rotated(options, place) };
    if let Some(head) = place.head_in(&current)? {
        let offset = place.offset;
        info!(path = %options.path.display(), offset, "going on from the checkpoint");
        let found = Found { input: current, offset, head };
        let found = found.at_a_line_start(options.max_record_bytes)?;
        // Of a file of which nothing was read yet, a copy may have been made and not been read either.
        let way = if offset == 0 { Way::Anew } else { Way::GoesOn };
        return Ok(Some(Start { found, way, known: Vec::new() }));
    }
    if place.is_of(&current) {
        return begin_after_a_truncation(options, checkpoint, place, current, notices).map(Some);
    }
    if let Some(start) = find_rotated(options, place)? {
        return Ok(Some(start));
    }
    begin_after_a_removal(options, checkpoint, place, current, notices).map(Some)
}

/// The checkpoint's file, which is not at its path any more; when it is not to be found, nothing.
fn find_rotated(options: &FileOptions, place: &Place) -> Result<Option<Start>, SourceError> {
    let Some(found) = folder::find(&options.path, place)? else { return Ok(None) };
    let (path, offset) = (found.input.path.display(), found.offset);
    info!(%path, offset, "file was rotated; reading the old one to its end first");
    Ok(Some(Start::rotated(found.at_a_line_start(options.max_record_bytes)?, Vec::new())))
}

/// The checkpoint's file does not hold any more what was read of it.
fn begin_after_a_truncation(
    options: &FileOptions,
    checkpoint: &Checkpoint,
    place: &Place,
    current: Input,
    notices: &mut Notices,
) -> Result<Start, SourceError> {
    let (path, offset, size) = (options.path.display(), place.offset, current.size()?);
    notices.truncations += 1;
    let copies = folder::find_copies(&options.path, place, &checkpoint.left.files)?;
    if let Some(found) = copies.next {
        let copy = found.input.path.display();
        warn!(%path, %copy, offset, size, "file was copied and truncated; reading its copy to the end first");
        return Ok(Start::rotated(found, copies.read));
    }
    if copies.read.is_empty() {
        warn!(%path, offset, size, "file was truncated or overwritten; reading it from its start, what was not read before is lost");
        notices.lost_remainders += 1;
    } else {
        warn!(%path, offset, size, "file was copied and truncated; reading it from its start");
    }
    Start::anew(options, current, checkpoint, copies.read)
}

/// The checkpoint's file is gone, and another one is in its place.
fn begin_after_a_removal(
    options: &FileOptions,
    checkpoint: &Checkpoint,
    place: &Place,
    current: Input,
    notices: &mut Notices,
) -> Result<Start, SourceError> {
    let (path, offset) = (options.path.display(), place.offset);
    notices.rotations += 1;
    if checkpoint.complete {
        info!(%path, "another file has taken the place of the one that was read to its end");
    } else {
        let inode = place.inode;
        warn!(%path, offset, inode, "file was rotated and removed; what it held after this offset, if anything, is lost");
        notices.lost_remainders += 1;
    }
    // Or what it is compressed to would be taken for something else.
    Start::anew(options, current, checkpoint, vec![*place])
}
