//! Starting, stopping, killing and pausing the broker's process.

use std::{net::SocketAddr, process::ExitStatus};

use super::{Kafka, wire};
use crate::Result;

impl Kafka {
    /// Starts the broker again on the same port and data, after [`Self::stop`] or [`Self::kill`].
    pub fn start_again(&mut self) -> Result<()> {
        let address = self.address();
        // Only when it answers a request do its listeners serve clients.
        self.broker.start(&mut self.watchdog, || wire::answers(address))
    }

    /// Asks the broker to stop (SIGTERM) and waits until it has.
    pub fn stop(&mut self) -> Result<()> {
        self.broker.stop(&mut self.watchdog)
    }

    /// Kills the broker (SIGKILL), as a power failure would.
    pub fn kill(&mut self) -> Result<()> {
        self.broker.kill(&mut self.watchdog)
    }

    /// How the broker ended, if nobody asked it to; it can then be started again.
    ///
    /// # Errors
    ///
    /// When it was stopped or killed by this value before.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.broker.ended(&mut self.watchdog)
    }

    /// Freezes the broker (SIGSTOP): connections stay open, and nothing is answered.
    pub fn pause(&self) -> Result<()> {
        self.broker.pause()
    }

    /// Lets a paused broker go on.
    pub fn resume(&self) -> Result<()> {
        self.broker.resume()
    }

    pub(super) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port.number()))
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        // Not running is fine, and the watchdog tries again.
        let _ = self.kill();
    }
}
