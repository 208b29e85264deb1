//! Which file is read next: at the end of one, after a rotation, after a truncation. Opens and looks; reads nothing.

use std::time::Instant;

use tracing::{info, warn};

use super::{
    FileSource, Kind, Step,
    fingerprint::Head,
    folder::{self, Found, Rotated},
    input::{FileId, Input},
    place::Place,
    trail::Left,
};
use crate::source::{Block, SourceError};

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

impl FileSource {
    /// Begins with a file. `known` are those that were left before a restart.
    pub(super) fn begin_with(
        &mut self,
        found: Found,
        is_rotated: bool,
        known: Left,
    ) -> Result<(), SourceError> {
        if self.options.follow {
            for place in &known.files {
                if let Some(found) = folder::find(&self.options.path, place)? {
                    self.open.add(found);
                }
            }
        }
        self.trail.begin(found.input.id, found.offset, found.head, known);
        self.turn_to(found.input, is_rotated);
        Ok(())
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
        let Some(left) = self.open.take_grown()? else { return Ok(Step::Nothing) };
        let next = Next::known(left, self.options.max_record_bytes)?;
        let (path, offset) = (next.found.input.path.display(), next.found.offset);
        info!(%path, offset, "a file that was rotated away has grown; reading on in it");
        self.go_to(next, true);
        Ok(Step::Progress)
    }

    /// Goes on from a rotated file to the one after it, if that has begun.
    fn go_on(&mut self, block: &mut Block) -> Result<Step, SourceError> {
        let current = Input::open(&self.options.path)?;
        let current_id = current.as_ref().map(|input| input.id);
        let (older, passed_over) = self.older_than_current(current.as_ref())?;
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
        self.notices.note_passed_over(&passed_over);
        if self.kind != Kind::Late {
            self.notices.rotations += 1;
            info!(to = %next.found.input.path.display(), "file was rotated");
        }
        self.splitter.finish(block);
        let is_rotated = current_id != Some(next.found.input.id);
        self.go_to(next, is_rotated);
        Ok(Step::Progress)
    }

    /// What to read before the newest file: one that was left and has grown, or one that was rotated away meanwhile.
    fn older_than_current(
        &mut self,
        current: Option<&Input>,
    ) -> Result<(Option<Next>, Rotated), SourceError> {
        let Some(finished) = &self.input else { return Ok((None, Rotated::default())) };
        if !self.options.follow {
            return Ok((None, Rotated::default()));
        }
        if let Some(left) = self.open.take_grown()? {
            let next = Next::known(left, self.options.max_record_bytes)?;
            return Ok((Some(next), Rotated::default()));
        }
        // All rotated files would be opened at every look while nobody writes to the new one.
        let current_id = current.map(|current| current.id);
        if let Some(current) = current
            && self.nothing_before == current_id
            && current.size()? == 0
        {
            return Ok((None, Rotated::default()));
        }
        let mut open = vec![finished.id];
        open.extend(current_id);
        open.extend(self.open.ids());
        let mut left = self.trail.left();
        if let Some(here) = self.trail.here() {
            left.remember(here);
        }
        let mut rotated = folder::unread(&self.options.path, &left, &open)?;
        self.nothing_before = if rotated.next.is_none() { current_id } else { None };
        let next = rotated.next.take().map(|found| Next { found, is_known: false });
        Ok((next, rotated))
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
        let copy = folder::find_copy(&self.options.path, &here, &self.trail.left().files)?;
        self.notices.truncations += 1;
        match copy {
            Some(copy) if copy.input.size()? > offset => {
                let copy_path = copy.input.path.display();
                warn!(%path, copy = %copy_path, offset, size, "file was copied and truncated; reading its copy to the end first");
                // A line that was begun goes on in the copy.
                self.trail.turn_to(copy.input.id, offset, copy.head, None);
                self.turn_to(copy.input, true);
            }
            copy => {
                if copy.is_some() {
                    warn!(%path, offset, size, "file was copied and truncated; reading it from its start");
                } else {
                    warn!(%path, offset, size, "file was truncated or overwritten; reading it from its start, what was not read before is lost");
                    self.notices.lost_remainders += u64::from(!had_all);
                }
                let copied = match copy {
                    Some(copy) => {
                        let (id, written) = (copy.input.id, copy.input.written()?);
                        Some(Place::new(id, offset, here.fingerprint, written))
                    }
                    None => None,
                };
                self.splitter.finish(block);
                self.trail.turn_to(input.id, 0, Head::new(), copied);
                self.is_at_the_end = false;
            }
        }
        Ok(Step::Progress)
    }

    /// Leaves this file, which was read to its end for now, and goes on with another one.
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
    }

    /// Reads this file from now on; the trail knows from where. Gives back the one before.
    fn turn_to(&mut self, input: Input, is_rotated: bool) -> Option<Input> {
        self.kind = if is_rotated { Kind::Rotated } else { Kind::Newest };
        (self.quiet_since, self.next_waits_since) = (None, None);
        (self.is_at_the_end, self.nothing_before) = (false, None);
        self.input.replace(input)
    }
}
