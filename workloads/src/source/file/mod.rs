//! Lines of a file, once or for ever, across rotation, truncation and restarts.
//!
//! What was acknowledged is remembered in a checkpoint; after a restart, at most what was acknowledged since
//! the last checkpoint comes again. Without `follow` the end of the file ends the source; a second run then
//! begins where the first one ended, so it sends only what was added. With `follow`:
//!
//! - A file that was renamed or removed is read to its end before the new one of that name. The end is believed
//!   when the new file has content and the old one did not grow for a while. If several rotations happened
//!   meanwhile, the files in between (`NAME.1`, `NAME-20260102`) come first, oldest first.
//! - A file that became shorter, or begins with other bytes than before, is read again from its start.
//!
//! A line that is cut off by the end of a rotated or truncated file is handed over as it is.

mod checkpoint;
mod fingerprint;
mod folder;
mod input;
mod lock;
mod notices;
mod options;
mod start;
#[cfg(test)]
mod tests;
mod trail;

use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use tracing::{info, warn};

use self::{
    checkpoint::{Checkpoint, Saver},
    fingerprint::Head,
    folder::{Next, Rotated, Unwanted},
    input::{FileId, Input},
    lock::Lock,
    trail::Trail,
};
pub use self::{
    notices::Notices,
    options::{CHECKPOINT_SUFFIX, FileOptions},
};
use super::{Block, Position, Read, Source, SourceError, lines::LineSplitter};

/// How many finished files are remembered.
const REMEMBERED: usize = 16;

/// The source of a pipeline with `source.file`.
#[derive(Debug)]
pub struct FileSource {
    options: FileOptions,
    /// The file that is being read; none before it appears.
    input: Option<Input>,
    /// Whether `input` was rotated away already when it was opened.
    is_rotated: bool,
    /// The files that were finished last, as far as they were read.
    finished: Vec<Checkpoint>,
    trail: Trail,
    splitter: LineSplitter,
    saver: Saver,
    /// What to go on from, until a file to read was found.
    resume: Option<Checkpoint>,
    /// Since when the file is known to be rotated and did not grow.
    quiet_since: Option<Instant>,
    is_missing: bool,
    has_ended: bool,
    notices: Notices,
    _lock: Lock,
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
        let resume = Checkpoint::load(&options.checkpoint)?;
        let mut source = Self {
            input: None,
            is_rotated: false,
            finished: Vec::new(),
            trail: Trail::default(),
            splitter: LineSplitter::new(options.max_record_bytes),
            saver: Saver::new(options.checkpoint.clone(), resume),
            resume,
            quiet_since: None,
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
        let found = start::begin(&self.options, self.resume.as_ref(), &mut self.notices)?;
        self.is_missing = found.is_none();
        let Some(start) = found else { return Ok(Step::Nothing) };
        self.resume = None;
        self.go_to(start.input, start.offset, start.head, start.is_rotated);
        Ok(Step::Progress)
    }

    fn go_to(&mut self, input: Input, offset: u64, head: Head, is_rotated: bool) {
        self.trail.go_to(input.id, offset, head);
        self.input = Some(input);
        self.is_rotated = is_rotated;
        self.quiet_since = None;
    }

    fn step(&mut self, block: &mut Block) -> Result<Step, SourceError> {
        if self.has_ended {
            return Ok(Step::End);
        }
        let Some(input) = &self.input else { return self.begin() };
        // Before each read, never after: what was read is then what followed the bytes before it, and if the
        // file is overwritten in between, it is read from its start again, so nothing is left out.
        if let Some(head) = self.trail.head()
            && !head.is_start_of(&input.file).map_err(|error| input.failed("read", error))?
        {
            return self.start_anew(block);
        }
        if self.fill(block)? > 0 {
            self.quiet_since = None;
            return Ok(Step::Progress);
        }
        self.at_the_end(block)
    }

    /// Reads once; tells how many bytes there were.
    fn fill(&mut self, block: &mut Block) -> Result<usize, SourceError> {
        let Some(input) = &self.input else { return Ok(0) };
        let trail = &mut self.trail;
        let outcome = self.splitter.fill(block, |text| {
            let before = text.len();
            let count = rustix::io::retry_on_intr(|| {
                rustix::io::pread(&input.file, spare_capacity(text), trail.offset())
            })?;
            trail.note(&text[before..]);
            Ok(count)
        });
        outcome.map_err(|error: rustix::io::Errno| input.failed("read", error.into()))
    }

    /// There is nothing more in the file now.
    fn at_the_end(&mut self, block: &mut Block) -> Result<Step, SourceError> {
        let Some(input) = &self.input else { return Ok(Step::Nothing) };
        if input.size()? < self.trail.offset() {
            return self.start_anew(block);
        }
        if !self.options.follow && !self.is_rotated {
            return Ok(self.end(block));
        }
        let current = FileId::at(&self.options.path)?;
        self.is_missing = current.is_none();
        if current == Some(input.id) {
            self.quiet_since = None;
        } else if !self.options.follow {
            return self.go_on(block);
        } else if current.is_some() {
            let since = *self.quiet_since.get_or_insert_with(Instant::now);
            if since.elapsed() >= self.options.grace {
                return self.go_on(block);
            }
        }
        Ok(Step::Nothing)
    }

    /// Goes on from a rotated file to the one after it, if that has begun.
    fn go_on(&mut self, block: &mut Block) -> Result<Step, SourceError> {
        let Some(finished) = &self.input else { return Ok(Step::Nothing) };
        let current = Input::open(&self.options.path)?;
        let mut rotated = Rotated::default();
        if self.options.follow {
            let mut open = vec![finished.id];
            open.extend(current.iter().map(|input| input.id));
            let not = Unwanted { open: &open, finished: &self.finished };
            rotated = folder::rotated_since(&self.options.path, finished.modified()?, not)?;
        }
        let is_rotated = rotated.next.is_some();
        let anew = |input| Next { input, offset: 0, head: Head::new() };
        let Some(next) = rotated.next.take().or_else(|| current.map(anew)) else {
            return Ok(if self.options.follow { Step::Nothing } else { self.end(block) });
        };
        if self.options.follow && next.input.size()? == 0 {
            return Ok(Step::Nothing); // whoever writes has not noticed yet, and may go on with the old one
        }
        info!(from = %finished.path.display(), to = %next.input.path.display(), "file was rotated");
        self.notices.rotations += 1;
        self.notices.note_passed_over(&rotated);
        if self.finished.len() == REMEMBERED {
            self.finished.remove(0);
        }
        self.finished.extend(self.trail.read_so_far());
        self.splitter.finish(block);
        self.go_to(next.input, next.offset, next.head, is_rotated);
        Ok(Step::Progress)
    }

    /// The file does not hold any more what was read of it.
    fn start_anew(&mut self, block: &mut Block) -> Result<Step, SourceError> {
        let Some(input) = &self.input else { return Ok(Step::Nothing) };
        let (path, offset, size) = (input.path.display(), self.trail.offset(), input.size()?);
        warn!(%path, offset, size, "file was truncated or overwritten; reading it from its start, what was not read before is lost");
        self.notices.truncations += 1;
        self.splitter.finish(block);
        self.trail.go_to(input.id, 0, Head::new());
        Ok(Step::Progress)
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
            warn!(error = &error as &dyn std::error::Error, "checkpoint is tried again");
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
