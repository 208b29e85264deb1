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
        let FileId { device, inode } = id;
        Self { device, inode, offset, fingerprint, written }
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

    /// The start of the file, if it is the one of this place and was not shortened.
    ///
    /// The device is not compared: its number changes when a volume is attached again.
    pub(super) fn head_in(&self, input: &Input) -> Result<Option<Head>, SourceError> {
        if input.id.inode != self.inode {
            return Ok(None);
        }
        self.head_in_copy(input)
    }

    /// The start of a file that holds at least what was read here, whichever file it is.
    pub(super) fn head_in_copy(&self, input: &Input) -> Result<Option<Head>, SourceError> {
        if input.size()? < self.offset {
            return Ok(None);
        }
        Head::load(&input.file, self.fingerprint).map_err(|error| input.failed("read", error))
    }
}
