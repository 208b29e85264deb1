//! How far a file was read, in a form that survives a restart, a new name and another device number.

use serde::{Deserialize, Serialize};

use super::{
    fingerprint::{Fingerprint, Head},
    input::{FileId, Input},
};
use crate::source::SourceError;

/// How far a file was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    device: u64,
    pub(super) inode: u64,
    /// When the file was made, in nanoseconds since the epoch; 0 where the file system does not say.
    #[serde(default)]
    born: u64,
    /// How many bytes of the file were read.
    pub(super) offset: u64,
    pub(super) fingerprint: Fingerprint,
    /// When the file was written to, as known when it was last read; nanoseconds since the epoch, 0 = not known.
    #[serde(default)]
    pub(super) written: u64,
}

impl Place {
    pub(super) const fn new(
        id: FileId,
        offset: u64,
        fingerprint: Fingerprint,
        written: u64,
    ) -> Self {
        let FileId { device, inode, born } = id;
        Self { device, inode, born, offset, fingerprint, written }
    }

    /// A place in no file: none was found so far. No file has the number 0.
    pub(super) fn nowhere() -> Self {
        let id = FileId { device: 0, inode: 0, born: 0 };
        Self::new(id, 0, Head::new().fingerprint(0), 0)
    }

    pub(super) const fn is_nowhere(&self) -> bool {
        self.inode == 0
    }

    /// A file of which nothing need be read, as it is now.
    pub(super) fn at_the_end_of(input: &Input) -> Result<Self, SourceError> {
        let offset = input.size()?;
        let head = Head::of(&input.file, offset).map_err(|error| input.failed("read", error))?;
        Ok(Self::new(input.id, offset, head.fingerprint(offset), input.written()?))
    }

    /// Whether it can have been written by us.
    pub(super) fn is_sound(&self) -> bool {
        self.fingerprint.fits(self.offset)
    }

    /// Whether this is the file, whatever became of what it held.
    ///
    /// The device is not compared: its number changes when a volume is attached again. The number of a removed file is
    /// given to another one, which is born later.
    pub(super) const fn is_of(&self, input: &Input) -> bool {
        let is_born_then = self.born == 0 || input.id.born == 0 || self.born == input.id.born;
        self.inode == input.id.inode && is_born_then
    }

    /// The start of the file, if it is the one of this place and was not shortened.
    pub(super) fn head_in(&self, input: &Input) -> Result<Option<Head>, SourceError> {
        if self.is_of(input) { self.head_in_copy(input) } else { Ok(None) }
    }

    /// How far another file holds what was read here, and its start up to there; `None` when it begins with other bytes.
    /// A shorter one is compared by its first bytes alone, and only when there are many of them.
    pub(super) fn copied_to(&self, input: &Input) -> Result<Option<(u64, Head)>, SourceError> {
        let size = input.size()?;
        if size < self.offset && !(self.fingerprint.is_full() && self.fingerprint.fits(size)) {
            return Ok(None);
        }
        let offset = size.min(self.offset);
        Ok(self.load_head(input)?.map(|head| (offset, head)))
    }

    /// The start of a file that holds at least what was read here, whichever file it is.
    fn head_in_copy(&self, input: &Input) -> Result<Option<Head>, SourceError> {
        if input.size()? < self.offset { Ok(None) } else { self.load_head(input) }
    }

    fn load_head(&self, input: &Input) -> Result<Option<Head>, SourceError> {
        Head::load(&input.file, self.fingerprint).map_err(|error| input.failed("read", error))
    }
}
