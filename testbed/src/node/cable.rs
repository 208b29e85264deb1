//! The cable between a node's network and the host's.

use std::{
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use super::settings::{ADDRESS, CABLE, HOST, SERVICES};
use crate::{Result, process, processes::Processes};

const NETWORK: &str = include_str!("../../assets/node/network.sh");

/// The kernel takes a network apart a moment after its last process.
const LIMIT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);

/// A cable that is plugged in. It vanishes with the node's namespaces; dropping it waits for that.
#[derive(Debug)]
pub(crate) struct Cable(());

impl Cable {
    /// Joins the namespaces' network with the host's.
    pub(crate) fn plug_in(processes: &Processes) -> Result<Self> {
        let node = processes.init().to_string();
        let mut script = Command::new("sh");
        script.args(["-c", NETWORK, "network", &node, CABLE, HOST, ADDRESS, SERVICES]);
        process::run(&mut script).map(|_| Self(()))
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        let deadline = Instant::now() + LIMIT;
        while is_there() && Instant::now() < deadline {
            thread::sleep(POLL);
        }
    }
}

/// Whether the host still has its end of a node's cable.
pub(crate) fn is_there() -> bool {
    Path::new("/sys/class/net").join(CABLE).exists()
}
