//! Signals become requests to stop: the first one asks, a second one does not wait.

use std::{
    io,
    time::{Duration, Instant},
};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::shutdown::Shutdown;

/// What a shell makes of a process that was interrupted.
const INTERRUPTED: i32 = 130;

/// A signal that follows so soon is the same request: some tools send theirs to the process and to its group.
const SAME_REQUEST: Duration = Duration::from_millis(300);

/// Asks for a stop at SIGTERM or SIGINT, and ends the process at the second one.
pub fn watch(shutdown: &Shutdown) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let shutdown = shutdown.clone();
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut asked_at: Option<Instant> = None;
        for signal in signals.forever() {
            if asked_at.is_some_and(|at| at.elapsed() < SAME_REQUEST) {
                continue;
            }
            if asked_at.is_some() {
                tracing::error!(signal, "asked to stop a second time; ending without waiting");
                std::process::exit(INTERRUPTED);
            }
            tracing::info!(signal, "asked to stop; finishing what is at hand");
            asked_at = Some(Instant::now());
            shutdown.request();
        }
    })?;
    Ok(())
}
