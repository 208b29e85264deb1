//! What happened to a file that a user should know of: warned about once, and counted.

use tracing::warn;

use super::folder::PassedOver;
use crate::error::chain;

/// What happened to the file so far, as counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notices {
    /// Another file took the place of the one that was read.
    pub rotations: u64,
    /// The file was shortened or overwritten, and read again from its start.
    pub truncations: u64,
    /// Files that were removed or compressed before they could be read to their end, or cannot be read.
    pub lost_remainders: u64,
}

impl Notices {
    /// Notes a file that nobody can read any more, or that we cannot.
    pub(super) fn note_passed_over(&mut self, file: &PassedOver) {
        self.lost_remainders += 1;
        match file {
            PassedOver::Compressed(path, _) => {
                let path = path.display();
                warn!(%path, "file was rotated and compressed before it could be read; it is lost");
            }
            PassedOver::Unreadable(error) => {
                warn!("{}; passed over, although it may be a rotated file", chain(error));
            }
        }
    }
}
