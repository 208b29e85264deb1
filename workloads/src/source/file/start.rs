//! Where reading begins: what the checkpoint says against what the folder holds now.

use std::{path::Path, time::SystemTime};

use tracing::{info, warn};

use super::{
    FileOptions, Notices,
    checkpoint::Checkpoint,
    fingerprint::Head,
    folder::{self, Unwanted},
    input::{Input, failed},
};
use crate::source::SourceError;

/// Where reading begins.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) input: Input,
    pub(super) offset: u64,
    /// The start of the file up to `offset`.
    pub(super) head: Head,
    /// Whether newer files wait behind this one.
    pub(super) is_rotated: bool,
}

impl Start {
    const fn at_the_beginning(input: Input, is_rotated: bool) -> Self {
        Self { input, offset: 0, head: Head::new(), is_rotated }
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
    let offset = checkpoint.offset;
    if let Some(input) = current {
        if let Some(head) = folder::is_of(&input, checkpoint)? {
            info!(path = %options.path.display(), offset, "going on from the checkpoint");
            return Ok(Some(Start { input, offset, head, is_rotated: false }));
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
    let (path, offset) = (options.path.display(), checkpoint.offset);
    if current.id.inode == checkpoint.inode {
        let size = current.size()?;
        warn!(%path, offset, size, "file was truncated or overwritten; reading it from its start");
        notices.truncations += 1;
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
        inode = checkpoint.inode,
        "file was rotated and removed; what it held after this offset, if anything, is lost"
    );
    notices.lost_remainders += 1;
    begin_after_a_loss(options, current, notices)
}

/// The checkpoint's file; when it is not to be found, nothing.
fn find_rotated(
    options: &FileOptions,
    checkpoint: &Checkpoint,
) -> Result<Option<Start>, SourceError> {
    let Some((input, head)) = folder::find(&options.path, checkpoint)? else { return Ok(None) };
    let (path, offset) = (input.path.display(), checkpoint.offset);
    info!(%path, offset, "file was rotated; reading the old one to its end first");
    Ok(Some(Start { input, offset, head, is_rotated: true }))
}

/// Files that were rotated later than the lost one are not lost yet.
fn begin_after_a_loss(
    options: &FileOptions,
    current: Input,
    notices: &mut Notices,
) -> Result<Start, SourceError> {
    if !options.follow {
        return Ok(Start::at_the_beginning(current, false));
    }
    // What was finished before the last checkpoint was written has not changed since.
    let since = modified(&options.checkpoint)?;
    let rotated = folder::rotated_since(
        &options.path,
        since,
        Unwanted { open: &[current.id], finished: &[] },
    )?;
    notices.note_passed_over(&rotated);
    Ok(match rotated.next {
        Some(next) => Start::at_the_beginning(next.input, true),
        None => Start::at_the_beginning(current, false),
    })
}

fn modified(path: &Path) -> Result<SystemTime, SourceError> {
    std::fs::metadata(path)
        .and_then(|metadata| metadata.modified())
        .map_err(|error| failed("look at", path, error))
}
