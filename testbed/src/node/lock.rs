//! One node at a time on a machine: it has a fixed place in the machine's network.

use std::{
    fs::File,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use rustix::fs::{FlockOperation, flock};

use super::{cable, settings::CABLE};
use crate::{Error, Result, error::Context};

const PATH: &str = "/run/batchpipe-node.lock";

/// How long the watchdog of a node that was killed may take.
const LIMIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);

/// Waits until no other node is there. The right to be the only one ends with the file.
pub(crate) fn take() -> Result<File> {
    let file = File::create(PATH).context("create", PATH)?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        eprintln!("another node runs on this machine: waiting until it has ended");
        flock(&file, FlockOperation::LockExclusive).context("lock", PATH)?;
    }
    let deadline = Instant::now() + LIMIT;
    while cable::is_there() {
        if Instant::now() > deadline {
            return Err(Error::Leftover { interface: CABLE, path: Path::new(PATH).into() });
        }
        thread::sleep(POLL);
    }
    Ok(file)
}
