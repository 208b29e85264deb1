//! Lines of a file, once or for ever, across rotation, truncation and restarts.
//!
//! What was acknowledged is remembered in a checkpoint; after a restart, at most what was acknowledged since
//! the last checkpoint comes again. Without `follow` the end of the file ends the source; a second run then
//! begins where the first one ended, so it sends only what was added. In both ways:
//!
//! - A file that was renamed or removed is read to its end before the new one of that name. Files that were rotated
//!   in between (`NAME.1`, `NAME-20260102`) come first, oldest first.
//! - A file that became shorter, or begins with other bytes than before, is read again from its start; a copy of it
//!   that holds more than was read is read to its end before.
//!
//! With `follow`, the end of a renamed file is believed when the new file has content and the old one did not grow for a
//! while. What is written to the old one later is read when it comes.
//!
//! A line that is cut off by the end of a rotated or truncated file is handed over as it is.

mod checkpoint;
mod fingerprint;
mod folder;
mod input;
mod listing;
mod lock;
mod notices;
mod open;
mod options;
mod place;
mod start;
#[cfg(test)]
mod tests;
mod trail;
mod turns;

use std::{
    collections::HashSet,
    io,
    time::{Duration, Instant},
};

use rustix::buffer::spare_capacity;
use tracing::warn;

use self::{
    checkpoint::{Checkpoint, Saver},
    input::Input,
    lock::Lock,
    open::Open,
    trail::Trail,
    turns::Newest,
};
pub use self::{
    notices::Notices,
    options::{CHECKPOINT_SUFFIX, FileOptions},
};
use super::{Block, Position, Read, Source, SourceError, lines::LineSplitter};
use crate::error::chain;

/// The source of a pipeline with `source.file`.
#[derive(Debug)]
pub struct FileSource {
    options: FileOptions,
    /// The file that is being read; none before it appears.
    input: Option<Input>,
    /// What `input` is.
    kind: Kind,
    open: Open,
    trail: Trail,
    splitter: LineSplitter,
    saver: Saver,
    /// What to go on from, until a file to read was found.
    resume: Checkpoint,
    /// Since when the file is known to be rotated and did not grow.
    quiet_since: Option<Instant>,
    /// Since when the next file is known to wait.
    next_waits_since: Option<Instant>,
    /// The newest file before which there was nothing to read when last looked.
    nothing_before: Option<Newest>,
    /// Which files were said not to be readable.
    told: HashSet<String>,
    /// Whether the last look found nothing more in the file.
    is_at_the_end: bool,
    is_missing: bool,
    has_ended: bool,
    notices: Notices,
    _lock: Lock,
}

/// What a file is that is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The one that was at the path when it was opened.
    Newest,
    /// One that was rotated away already, and is read for the first time.
    Rotated,
    /// One that was rotated away and left, and is read once more because it has grown.
    Late,
}

/// What one look at the file brought.
enum Step {
    /// Bytes, or another file: there may be more at once.
    Progress,
    /// Nothing; there may be more later.
    Nothing,
    /// The end of the source.
    End,
}

impl FileSource {
    /// Opens the file and its checkpoint. A file that is to be followed may still be missing.
    pub fn open(options: FileOptions) -> Result<Self, SourceError> {
        let lock = Lock::take(&options.checkpoint)?;
        let saved = Checkpoint::load(&options.checkpoint)?;
        let is_first = saved.is_none();
        let resume = match saved.clone() {
            Some(saved) => saved,
            None => Checkpoint::at_first(folder::read_by_others(&options.path)?),
        };
        let mut source = Self {
            input: None,
            kind: Kind::Newest,
            open: Open::default(),
            trail: Trail::default(),
            splitter: LineSplitter::new(options.max_record_bytes),
            saver: Saver::new(options.checkpoint.clone(), saved),
            resume,
            quiet_since: None,
            next_waits_since: None,
            nothing_before: None,
            told: HashSet::new(),
            is_at_the_end: false,
            is_missing: false,
            has_ended: false,
            notices: Notices::default(),
            _lock: lock,
            options,
        };
        source.begin()?;
        if source.is_missing && !source.options.follow {
            let error = rustix::io::Errno::NOENT.into();
            return Err(input::failed("open", &source.options.path, error));
        }
        // Before anything is read: whatever is rotated away from now on is known to be ours after a kill, too.
        if is_first {
            let first = source.trail.checkpoint().unwrap_or_else(|| source.resume.clone());
            source.saver.save(first)?;
        }
        Ok(source)
    }

    /// What happened to the file so far.
    pub const fn notices(&self) -> Notices {
        self.notices
    }

    /// Saves what is acknowledged, without waiting for the next time to do so.
    pub fn checkpoint_now(&mut self) -> Result<(), SourceError> {
        let Some(mut checkpoint) = self.trail.checkpoint() else { return Ok(()) };
        checkpoint.complete = self.has_ended && self.trail.is_acknowledged();
        self.saver.save(checkpoint)
    }

    /// Looks for the file to begin with.
    fn begin(&mut self) -> Result<Step, SourceError> {
        let found = start::begin(&self.options, &self.resume, &mut self.notices)?;
        self.is_missing = found.is_none();
        let Some(start) = found else { return Ok(Step::Nothing) };
        self.begin_with(start, self.resume.left.clone())?;
        Ok(Step::Progress)
    }

    fn step(&mut self, block: &mut Block) -> Result<Step, SourceError> {
        if self.has_ended {
            return Ok(Step::End);
        }
        if self.input.is_none() {
            return self.begin();
        }
        if let Some(step) = self.look_before()? {
            return Ok(step);
        }
        let had_all = self.is_at_the_end;
        let Some(count) = self.fill(block)? else { return self.start_anew(block, had_all) };
        self.is_at_the_end = count == 0;
        if self.is_at_the_end {
            return self.at_the_end(block, had_all);
        }
        self.quiet_since = None;
        Ok(Step::Progress)
    }

    /// Reads once; tells how many bytes there were. `None` when the file does not begin any more as it did.
    fn fill(&mut self, block: &mut Block) -> Result<Option<usize>, SourceError> {
        let Some(input) = &self.input else { return Ok(Some(0)) };
        let trail = &mut self.trail;
        let outcome = self.splitter.fill(block, |text| {
            let before = text.len();
            let count = rustix::io::retry_on_intr(|| {
                rustix::io::pread(&input.file, spare_capacity(text), trail.offset())
            })?;
            // After the read: what was read of a file that was overwritten does not follow the bytes before it. If it
            // is overwritten later, the next read tells.
            let is_same = trail.head().map_or(Ok(true), |head| head.is_start_of(&input.file));
            if !matches!(is_same, Ok(true)) {
                text.truncate(before); // after an error it is read again
                return is_same.map(|_| None);
            }
            trail.note(&text[before..]);
            Ok(Some(count))
        });
        let count = outcome.map_err(|error: io::Error| input.failed("read", error))?;
        // What was read is in the block by now: an error must not come between it and what comes next.
        if count.is_some_and(|count| count > 0)
            && let Ok(written) = input.written()
        {
            self.trail.note_written(written);
        }
        Ok(count)
    }

    fn end(&mut self, block: &mut Block) -> Step {
        self.splitter.finish(block);
        self.has_ended = true;
        Step::Progress
    }

    /// The position after everything that was handed over.
    fn position(&self) -> Position {
        Position(self.trail.position().0 - self.splitter.pending_bytes())
    }

    /// Acknowledgements may have stopped coming before the last one was saved.
    fn save_when_idle(&mut self) {
        if self.saver.is_due()
            && let Err(error) = self.checkpoint_now()
        {
            // Told to the caller when it acknowledges or finishes; reading does not depend on it.
            warn!("{}; trying again", chain(&error));
        }
    }
}

impl Source for FileSource {
    fn read(&mut self, block: &mut Block, wait: Duration) -> Result<Read, SourceError> {
        let deadline = Instant::now() + wait;
        loop {
            let step = self.step(block)?;
            if !block.is_empty() {
                let rest = block.cut() as u64;
                return Ok(Read::Lines(Position(self.position().0 - rest)));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match step {
                Step::End => return Ok(Read::End),
                Step::Nothing => {
                    self.save_when_idle();
                    std::thread::sleep(self.options.poll.min(left));
                }
                Step::Progress => {}
            }
            if left.is_zero() && !self.has_ended {
                return Ok(Read::Idle);
            }
        }
    }

    fn acknowledge(&mut self, position: Position) -> Result<(), SourceError> {
        self.trail.acknowledge(position);
        if self.saver.is_due() || self.saver.has_failed() {
            return self.checkpoint_now();
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), SourceError> {
        self.checkpoint_now()
    }

    fn waiting_for(&self) -> Option<String> {
        self.is_missing.then(|| format!("{} to appear", self.options.path.display()))
    }
}
