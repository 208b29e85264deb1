//! What is read, and how: values only.

use std::{path::PathBuf, time::Duration};

/// What is added to the name of a file for its checkpoint's.
pub const CHECKPOINT_SUFFIX: &str = ".batchpipe-checkpoint";

/// What is read, and how.
#[derive(Clone, Debug)]
pub struct FileOptions {
    /// The file.
    pub path: PathBuf,
    /// Whether to wait for more at its end.
    pub follow: bool,
    /// Where the checkpoint is kept.
    pub checkpoint: PathBuf,
    /// The largest record that is kept, in bytes.
    pub max_record_bytes: usize,
    /// How often to look for more at the end of the file.
    pub poll: Duration,
    /// How long a rotated file must not have grown to be believed at its end.
    pub grace: Duration,
}

impl FileOptions {
    /// Reads a file once, with its checkpoint beside it.
    pub fn new(path: impl Into<PathBuf>, max_record_bytes: usize) -> Self {
        let path = path.into();
        let mut checkpoint = path.clone().into_os_string();
        checkpoint.push(CHECKPOINT_SUFFIX);
        let (poll, grace) = (Duration::from_millis(50), Duration::from_secs(1));
        let checkpoint = checkpoint.into();
        Self { path, follow: false, checkpoint, max_record_bytes, poll, grace }
    }
}
