//! What a machine must have to run a Docker engine and compose files.

use std::path::Path;

use crate::{Error, Result, node_hindrance, process};

const PROGRAMS: [&str; 9] =
    ["unshare", "nsenter", "setpriv", "ip", "mount", "iptables", "runc", "dockerd", "docker"];

/// Why no engine can run here, in words, whatever is installed; none when it can.
///
/// Only for this reason tests with an engine may be left out: what is missing and can be installed is an error.
pub fn hindrance() -> Option<&'static str> {
    node_hindrance().map(|_| "a Docker engine of the test's own needs root and Linux")
}

pub(crate) fn check() -> Result<()> {
    if let Some(reason) = hindrance() {
        return Err(Error::NoNode { reason });
    }
    PROGRAMS.iter().try_for_each(|program| process::require(Path::new(program)))
}

/// Fails when there is no docker-compose of the first generation either.
pub(crate) fn require_compose() -> Result<()> {
    process::require(Path::new("docker-compose"))
}
