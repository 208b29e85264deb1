//! Where reading begins: what the checkpoint says against what the folder holds now.

use std::{path::Path, time::SystemTime};

use tracing::{info, warn};

use super::{
    FileOptions, Notices,
    checkpoint::Checkpoint,
    fingerprint::Head,
    folder::{self, Found, Unwanted},
    input::{Input, failed},
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
            let found = at_a_line_start(Found { input, offset, head }, options)?;
            return Ok(Some(Start { found, is_rotated: false }));
        }
        return Ok(Some(begin_elsewhere(options, checkpoint, input, notices)?));
    }
    find_rotated(options, checkpoint)
}

/// A file that is not followed may have ended in the middle of a line, which was handed over as it was. If the line has
/// grown since, it is read again whole: its other half would be a record that nobody wrote.
fn at_a_line_start(mut found: Found, options: &FileOptions) -> Result<Found, SourceError> {
    let start = found.input.start_of_line(found.offset, options.max_record_bytes)?;
    if start < found.offset {
        let path = options.path.display();
        warn!(%path, offset = start, "the line that the file ended with has grown; reading it again");
        found.offset = start;
        found.head = found.head.up_to(start);
    }
    Ok(found)
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
        // A copy that was made before the last checkpoint was written is older than what was read since.
        let since = modified(&options.checkpoint)?;
        let known = &checkpoint.left;
        if let Some(found) = folder::find_copy(&options.path, &checkpoint.place, since, known)? {
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
        return Ok(Start::at_the_beginning(current, false));
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
    Ok(Some(Start { found: at_a_line_start(found, options)?, is_rotated: true }))
}

/// Files that were rotated later than the lost one are not lost yet.
fn begin_after_a_loss(
    options: &FileOptions,
    checkpoint: &Checkpoint,
    current: Input,
    notices: &mut Notices,
) -> Result<Start, SourceError> {
    if !options.follow {
        return Ok(Start::at_the_beginning(current, false));
    }
    let since = modified(&options.checkpoint)?;
    let rotated = folder::rotated_since(
        &options.path,
        since,
        Unwanted { open: &[current.id], finished: &checkpoint.left },
    )?;
    notices.note_passed_over(&rotated);
    Ok(match rotated.next {
        Some(found) => Start { found, is_rotated: true },
        None => Start::at_the_beginning(current, false),
    })
}

fn modified(path: &Path) -> Result<SystemTime, SourceError> {
    std::fs::metadata(path)
        .and_then(|metadata| metadata.modified())
        .map_err(|error| failed("look at", path, error))
}
