//! Where reading begins: what the checkpoint says against what the folder holds now.

use tracing::{info, warn};

use super::{
    FileOptions, Notices,
    checkpoint::Checkpoint,
    fingerprint::Head,
    folder::{self, Found},
    input::Input,
};
use crate::source::SourceError;

/// Where reading begins.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) found: Found,
    /// Whether newer files wait behind this one.
    pub(super) is_rotated: bool,
}

impl Start {
    const fn at_the_beginning(input: Input, is_rotated: bool) -> Self {
        Self { found: Found { input, offset: 0, head: Head::new() }, is_rotated }
    }

    /// Where the newest file was left for another one, or its start.
    fn at_what_is_known(input: Input, checkpoint: &Checkpoint) -> Result<Self, SourceError> {
        let (offset, head) = folder::read_before(&input, &checkpoint.left.files)?;
        Ok(Self { found: Found { input, offset, head }, is_rotated: false })
    }
}

/// Looks for the file to begin with; `None` while there is none.
pub(super) fn begin(
    options: &FileOptions,
    checkpoint: Option<&Checkpoint>,
    notices: &mut Notices,
) -> Result<Option<Start>, SourceError> {
    let current = Input::open(&options.path)?;
    let Some(checkpoint) = checkpoint else {
        return Ok(current.map(|input| Start::at_the_beginning(input, false)));
    };
    let offset = checkpoint.place.offset;
    if let Some(input) = current {
        if let Some(head) = checkpoint.place.head_in(&input)? {
            info!(path = %options.path.display(), offset, "going on from the checkpoint");
            // Of a file of which nothing was read yet, a copy may have been made and not been read either.
            let older = if offset == 0 && options.follow {
                folder::unread(&options.path, &checkpoint.left, &[input.id])?.next
            } else {
                None
            };
            if let Some(found) = older {
                return Ok(Some(Start { found, is_rotated: true }));
            }
            let found = Found { input, offset, head }.at_a_line_start(options.max_record_bytes)?;
            return Ok(Some(Start { found, is_rotated: false }));
        }
        return Ok(Some(begin_elsewhere(options, checkpoint, input, notices)?));
    }
    find_rotated(options, checkpoint)
}

/// The current file is not the one of the checkpoint, or not any more.
fn begin_elsewhere(
    options: &FileOptions,
    checkpoint: &Checkpoint,
    current: Input,
    notices: &mut Notices,
) -> Result<Start, SourceError> {
    let (path, offset) = (options.path.display(), checkpoint.place.offset);
    if current.id.inode == checkpoint.place.inode {
        let size = current.size()?;
        notices.truncations += 1;
        let known = &checkpoint.left.files;
        if let Some(found) = folder::find_copy(&options.path, &checkpoint.place, known)? {
            let copy = found.input.path.display();
            warn!(%path, %copy, offset, size, "file was copied and truncated; reading its copy to the end first");
            return Ok(Start { found, is_rotated: true });
        }
        warn!(%path, offset, size, "file was truncated or overwritten; reading it from its start, what was not read before is lost");
        notices.lost_remainders += 1;
        return Ok(Start::at_the_beginning(current, false));
    }
    if let Some(start) = find_rotated(options, checkpoint)? {
        return Ok(start);
    }
    notices.rotations += 1;
    if checkpoint.complete {
        info!(%path, "another file has taken the place of the one that was read to its end");
        return Start::at_what_is_known(current, checkpoint);
    }
    warn!(
        %path,
        offset,
        inode = checkpoint.place.inode,
        "file was rotated and removed; what it held after this offset, if anything, is lost"
    );
    notices.lost_remainders += 1;
    begin_after_a_loss(options, checkpoint, current, notices)
}

/// The checkpoint's file; when it is not to be found, nothing.
fn find_rotated(
    options: &FileOptions,
    checkpoint: &Checkpoint,
) -> Result<Option<Start>, SourceError> {
    let Some(found) = folder::find(&options.path, &checkpoint.place)? else { return Ok(None) };
    let (path, offset) = (found.input.path.display(), found.offset);
    info!(%path, offset, "file was rotated; reading the old one to its end first");
    let found = found.at_a_line_start(options.max_record_bytes)?;
    Ok(Some(Start { found, is_rotated: true }))
}

/// Files that were rotated later than the lost one are not lost yet.
fn begin_after_a_loss(
    options: &FileOptions,
    checkpoint: &Checkpoint,
    current: Input,
    notices: &mut Notices,
) -> Result<Start, SourceError> {
    if !options.follow {
        return Start::at_what_is_known(current, checkpoint);
    }
    let mut left = checkpoint.left.clone();
    left.remember(checkpoint.place);
    let rotated = folder::unread(&options.path, &left, &[current.id])?;
    notices.note_passed_over(&rotated);
    match rotated.next {
        Some(found) => Ok(Start { found, is_rotated: true }),
        None => Start::at_what_is_known(current, checkpoint),
    }
}
