//! `docker-compose.yml`: what it means to both generations of compose, and all of it running in a Docker engine of the
//! test's own, command by command as README tells it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod file;
mod image;
mod leftovers;
mod project;
mod quick_start;

use std::path::{Path, PathBuf};

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}
