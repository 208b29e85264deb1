//! Signals become requests to stop: the first one asks, a second one does not wait.

use std::io;

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::shutdown::Shutdown;

/// What a shell makes of a process that was interrupted.
const INTERRUPTED: i32 = 130;

/// Asks for a stop at SIGTERM or SIGINT, and ends the process at the second one.
pub fn watch(shutdown: &Shutdown) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let shutdown = shutdown.clone();
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            if shutdown.is_requested() {
                tracing::error!(signal, "asked to stop a second time; ending without waiting");
                std::process::exit(INTERRUPTED);
            }
            tracing::info!(signal, "asked to stop; finishing what is at hand");
            shutdown.request();
        }
    })?;
    Ok(())
}
