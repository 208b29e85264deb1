//! Which file is read next: at the end of one, after a rotation, after a truncation. Opens and looks; reads nothing.

use std::time::Instant;

use tracing::{debug, info, warn};

use super::{
    FileSource, Kind, Step,
    fingerprint::Head,
    folder::{self, Copies, Found, PassedOver, Rotated},
    input::{FileId, Input},
    listing, open,
    start::{Start, Way},
    trail::Left,
};
use crate::{
    error::chain,
    source::{Block, SourceError},
};

/// How many times `grace` a rotated file that never stops growing keeps the next one waiting.
const PATIENCE: u32 = 10;

/// A file to go on with.
struct Next {
    found: Found,
    /// Whether it was read before.
    is_known: bool,
}

impl Next {
    /// One that was read before.
    fn known(found: Found, max_record_bytes: usize) -> Result<Self, SourceError> {
        Ok(Self { found: found.at_a_line_start(max_record_bytes)?, is_known: true })
    }
}

/// What is at the path when it is looked for files before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Newest {
    id: FileId,
    written: u64,
    is_empty: bool,
}

impl Newest {
    fn of(input: &Input) -> Result<Self, SourceError> {
        Ok(Self { id: input.id, written: input.written()?, is_empty: input.size()? == 0 })
    }
}

impl FileSource {
    /// Begins with a file. `left` are those that were left before a restart.
    pub(super) fn begin_with(&mut self, start: Start, mut left: Left) -> Result<(), SourceError> {
        let Start { found, way, known } = start;
        for place in known {
            left.remember(place);
        }
        // It may have been left, and named back.
        left.forget(found.input.id.inode);
        if self.options.follow {
            for found in folder::find_each(&self.options.path, &left.files, open::MOST)? {
                self.open.add(found);
            }
        }
        if way == Way::GoesOn {
            self.nothing_before = Some(Newest::of(&found.input)?);
        }
        self.trail.begin(found.input.id, found.offset, found.head, left);
        self.turn_to(found.input, way == Way::Rotated);
        Ok(())
    }

    /// Goes to a file that was rotated away and that nobody has read, before the newest one is read.
    ///
    /// A truncation of a file of which nothing was read shows only in that it was written to: what it held may be in a
    /// copy now.
    pub(super) fn look_before(&mut self) -> Result<Option<Step>, SourceError> {
        let Some(input) = &self.input else { return Ok(None) };
        if self.kind != Kind::Newest {
            return Ok(None);
        }
        let is_known = self.nothing_before.is_some_and(|newest| newest.id == input.id);
        if is_known && self.trail.offset() > 0 {
            return Ok(None);
        }
        let newest = Newest::of(input)?;
        if self.nothing_before == Some(newest) {
            return Ok(None);
        }
        let rotated = self.unread(Some(newest))?;
        let is_unread = rotated.next.is_some();
        if let Some(found) = rotated.next {
            info!(path = %found.input.path.display(), "a file was rotated away unread; reading it first");
            self.go_to(Next { found, is_known: false }, true);
        }
        self.pass_over(&rotated.passed_over);
        Ok(is_unread.then_some(Step::Progress))
    }

    /// There is nothing more in the file now. `had_all` says whether there was nothing more at the look before.
    pub(super) fn at_the_end(
        &mut self,
        block: &mut Block,
        had_all: bool,
    ) -> Result<Step, SourceError> {
        let Some(input) = &self.input else { return Ok(Step::Nothing) };
        if input.size()? < self.trail.offset() {
            return self.start_anew(block, had_all);
        }
        let follow = self.options.follow;
        if !follow && self.kind == Kind::Newest {
            return Ok(self.end(block));
        }
        let current = FileId::at(&self.options.path)?;
        self.is_missing = current.is_none();
        if current == Some(input.id) {
            (self.quiet_since, self.next_waits_since) = (None, None);
            return if follow { self.look_back() } else { Ok(self.end(block)) };
        }
        if !follow || (current.is_some() && self.is_believed_at_the_end()) {
            return self.go_on(block);
        }
        Ok(Step::Nothing)
    }

    /// Whether enough was waited for lines that were written before those of the next file.
    fn is_believed_at_the_end(&mut self) -> bool {
        let grace = self.options.grace;
        let quiet = self.quiet_since.get_or_insert_with(Instant::now).elapsed();
        let waited = self.next_waits_since.get_or_insert_with(Instant::now).elapsed();
        let is_in_a_line = self.splitter.pending_bytes() > 0;
        quiet >= grace || (!is_in_a_line && (self.kind == Kind::Late || waited >= PATIENCE * grace))
    }

    /// Nothing more is in the newest file now: goes back to one that was left and has grown since.
    fn look_back(&mut self) -> Result<Step, SourceError> {
        // The rest of a line that was begun is waited for first.
        if self.splitter.pending_bytes() > 0 {
            return Ok(Step::Nothing);
        }
        let Some(left) = self.open.take_grown(None)? else { return Ok(Step::Nothing) };
        let next = Next::known(left, self.options.max_record_bytes)?;
        let (path, offset) = (next.found.input.path.display(), next.found.offset);
        info!(%path, offset, "a file that was rotated away has grown; reading on in it");
        self.go_to(next, true);
        Ok(Step::Progress)
    }

    /// Goes on from a rotated file to the one after it, if that has begun.
    fn go_on(&mut self, block: &mut Block) -> Result<Step, SourceError> {
        let current = Input::open(&self.options.path)?;
        let newest = current.as_ref().map(Newest::of).transpose()?;
        let (older, passed_over) = self.older_than(newest)?;
        let Some(next) = (match (older, current) {
            (Some(older), _) => Some(older),
            (None, Some(current)) => Some(self.current(current)?),
            (None, None) => None,
        }) else {
            return Ok(if self.options.follow { Step::Nothing } else { self.end(block) });
        };
        if self.options.follow && !next.is_known && next.found.input.size()? == 0 {
            return Ok(Step::Nothing); // whoever writes has not noticed yet, and may go on with the old one
        }
        if self.kind != Kind::Late {
            self.notices.rotations += 1;
            info!(to = %next.found.input.path.display(), "file was rotated");
        }
        self.splitter.finish(block);
        let is_rotated = newest.map(|newest| newest.id) != Some(next.found.input.id);
        self.go_to(next, is_rotated);
        self.pass_over(&passed_over);
        Ok(Step::Progress)
    }

    /// What to read before the newest file: one that was left and has grown, or one that was rotated away meanwhile.
    fn older_than(
        &mut self,
        newest: Option<Newest>,
    ) -> Result<(Option<Next>, Vec<PassedOver>), SourceError> {
        if let Some(left) = self.open.take_grown(newest.map(|newest| newest.id))? {
            let next = Next::known(left, self.options.max_record_bytes)?;
            return Ok((Some(next), Vec::new()));
        }
        // All rotated files would be opened at every look while nobody writes to the new one.
        if newest.is_some_and(|newest| newest.is_empty) && self.nothing_before == newest {
            return Ok((None, Vec::new()));
        }
        let rotated = self.unread(newest)?;
        let next = rotated.next.map(|found| Next { found, is_known: false });
        Ok((next, rotated.passed_over))
    }

    /// Files that were rotated away before the newest one, and that nobody has read to their end.
    fn unread(&mut self, newest: Option<Newest>) -> Result<Rotated, SourceError> {
        let mut open: Vec<FileId> = self.open.ids().collect();
        open.extend(newest.map(|newest| newest.id));
        open.extend(self.input.as_ref().map(|input| input.id));
        let mut left = self.trail.left();
        if let Some(here) = self.trail.here() {
            left.remember(here);
        }
        let mut rotated = folder::unread(&self.options.path, &left, &open)?;
        let most = self.options.max_record_bytes;
        rotated.next = rotated.next.map(|found| found.at_a_line_start(most)).transpose()?;
        self.nothing_before = if rotated.next.is_none() { newest } else { None };
        Ok(rotated)
    }

    /// Says once of each file that it is not read, and does not look at it again.
    fn pass_over(&mut self, files: &[PassedOver]) {
        for file in files {
            if let PassedOver::Unreadable(error) = file
                && !self.told.insert(error.to_string())
            {
                continue;
            }
            self.notices.note_passed_over(file);
            self.trail.pass_over(file);
        }
    }

    /// The newest file: at its start, unless it was left for another one.
    fn current(&mut self, current: Input) -> Result<Next, SourceError> {
        if let Some(left) = self.open.take(current.id) {
            return Next::known(left, self.options.max_record_bytes);
        }
        let (offset, head) = folder::read_before(&current, &self.trail.left().files)?;
        let found = Found { input: current, offset, head };
        let found = found.at_a_line_start(self.options.max_record_bytes)?;
        Ok(Next { found, is_known: offset > 0 })
    }

    /// The file does not hold any more what was read of it. `had_all` says whether there was nothing more in it at
    /// the last look before.
    pub(super) fn start_anew(
        &mut self,
        block: &mut Block,
        had_all: bool,
    ) -> Result<Step, SourceError> {
        let (Some(input), Some(here)) = (&self.input, self.trail.here()) else {
            return Ok(Step::Nothing);
        };
        let (path, offset, size) = (input.path.display(), here.offset, input.size()?);
        let known = &self.trail.left().files;
        let Copies { mut read, next } = folder::find_copies(&self.options.path, &here, known)?;
        self.notices.truncations += 1;
        if let Some(copy) = next {
            let copy_path = copy.input.path.display();
            warn!(%path, copy = %copy_path, offset, size, "file was copied and truncated; reading its copy to the end first");
            // A line that was begun goes on in the copy.
            self.trail.turn_to(copy.input.id, offset, copy.head, &read);
            self.turn_to(copy.input, true);
            return Ok(Step::Progress);
        }
        if read.is_empty() {
            warn!(%path, offset, size, "file was truncated or overwritten; reading it from its start, what was not read before is lost");
            self.notices.lost_remainders += u64::from(!had_all);
            if had_all {
                // All of it was read, so nothing is lost by that.
                read.extend(folder::find_compressed(&self.options.path, &here, known)?);
            }
        } else {
            warn!(%path, offset, size, "file was copied and truncated; reading it from its start");
        }
        self.splitter.finish(block);
        self.trail.turn_to(input.id, 0, Head::new(), &read);
        (self.is_at_the_end, self.nothing_before) = (false, None);
        Ok(Step::Progress)
    }

    /// Leaves this file, which was read to its end for now, and goes on with another one. It cannot fail: half of it done, the
    /// one would be read from where the other is.
    fn go_to(&mut self, next: Next, is_rotated: bool) {
        let (offset, head) = (self.trail.offset(), self.trail.head().cloned());
        let Found { input, offset: start, head: start_of_next } = next.found;
        self.trail.go_to(input.id, start, start_of_next);
        if let Some(input) = self.turn_to(input, is_rotated) {
            self.open.add(Found { input, offset, head: head.unwrap_or_default() });
        }
        if is_rotated && next.is_known {
            self.kind = Kind::Late;
        }
        if self.trail.remembers_many() {
            match listing::inodes(&self.options.path) {
                Ok(there) => self.trail.forget_removed(&there),
                Err(error) => debug!("{}; more is remembered until the next file", chain(&error)),
            }
        }
    }

    /// Reads this file from now on; the trail knows from where. Gives back the one before.
    fn turn_to(&mut self, input: Input, is_rotated: bool) -> Option<Input> {
        self.kind = if is_rotated { Kind::Rotated } else { Kind::Newest };
        (self.quiet_since, self.next_waits_since) = (None, None);
        self.is_at_the_end = false;
        self.input.replace(input)
    }
}
