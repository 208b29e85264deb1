//! What a machine must have to run a node.

use std::{fs, path::Path};

use super::settings::PLUGINS;
use crate::{Error, Result, process};

const PROGRAMS: [&str; 7] = ["unshare", "nsenter", "setpriv", "ip", "mount", "runc", "iptables"];

/// `CAP_NET_ADMIN` and `CAP_SYS_ADMIN`.
const CAPABILITIES: u64 = 1 << 12 | 1 << 21;

/// Why no node can run here, in words, whatever is installed; none when it can.
///
/// Only for this reason tests with a node may be left out: what is missing and can be installed is an error.
pub fn hindrance() -> Option<&'static str> {
    if !cfg!(target_os = "linux") {
        return Some("a Kubernetes node needs Linux");
    }
    // In a container, root may be root in name only.
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    (!may_administer(&status)).then_some("a Kubernetes node needs root")
}

/// Whether a process with this status may make mounts and networks.
fn may_administer(status: &str) -> bool {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let held = line.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok());
    held.is_some_and(|held| held & CAPABILITIES == CAPABILITIES)
}

pub(crate) fn check() -> Result<()> {
    if let Some(reason) = hindrance() {
        return Err(Error::NoNode { reason });
    }
    for program in PROGRAMS {
        process::require(Path::new(program))?;
    }
    if PLUGINS.iter().any(|folder| Path::new(folder).join("bridge").is_file()) {
        return Ok(());
    }
    let program = format!("{}/bridge", PLUGINS[0]);
    Err(Error::MissingProgram { program, package: "containernetworking-plugins" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_of_a_plain_container_is_not_root_enough() {
        assert!(!may_administer("Name:\tx\nCapEff:\t00000000a80425fb\n"));
        assert!(!may_administer("Name:\tx\nCapEff:\t0000000000000000\n"));
        assert!(may_administer("Name:\tx\nCapEff:\t000001fffeffffff\n"));
    }
}
