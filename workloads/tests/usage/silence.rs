//! An address that takes note of who connects to it.

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

/// A listener that never answers.
pub(crate) struct Ear(TcpListener);

impl Ear {
    pub(crate) fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    pub(crate) fn address(&self) -> String {
        self.0.local_addr().unwrap().to_string()
    }

    /// Whether somebody has connected: the system keeps connections until they are accepted.
    pub(crate) fn heard(&self) -> bool {
        self.0.accept().is_ok()
    }

    /// Waits until somebody connects.
    pub(crate) fn hears(&self, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        while Instant::now() < deadline {
            if self.heard() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }
}
