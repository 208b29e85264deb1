//! A line on the terminal that shows how far the work is; nothing when nobody looks.

use std::{
    io::{IsTerminal, Write},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use batchpipe_api::report::Role;

use crate::{produce::Shared, shutdown::Shutdown};

const PERIOD: Duration = Duration::from_millis(500);

/// The line, until it is dropped.
pub struct Progress(Option<(Shutdown, JoinHandle<()>)>);

impl Progress {
    /// Shows the progress of these sides, if standard error is a terminal.
    pub fn start(sides: &[Shared]) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self(None);
        }
        let (end, sides) = (Shutdown::new(), sides.to_vec());
        let ended = end.clone();
        let thread = std::thread::spawn(move || {
            let started = Instant::now();
            while !ended.wait(PERIOD) {
                show(&line(&sides, started.elapsed()));
            }
            show("");
        });
        Self(Some((end, thread)))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((end, thread)) = self.0.take() {
            end.request();
            let _ = thread.join(); // it only prints
        }
    }
}

/// Puts a text in the place of the last one.
fn show(text: &str) {
    let mut out = std::io::stderr().lock();
    let _ = write!(out, "\r\x1b[2K{text}").and_then(|()| out.flush()); // a terminal that is gone needs no line
}

fn line(sides: &[Shared], elapsed: Duration) -> String {
    let parts: Vec<_> = sides.iter().map(|shared| part(shared, elapsed)).collect();
    parts.join(" | ")
}

fn part(shared: &Shared, elapsed: Duration) -> String {
    let counts = shared.ledger.snapshot();
    let verb = match shared.side.role() {
        Role::Producer => "produced",
        Role::Consumer => "consumed",
    };
    let rate = per_second(counts.delivered, elapsed);
    let waiting = shared.side.waiting_for();
    let waiting =
        waiting.first().map_or_else(String::new, |stall| format!(", waiting: {}", stall.what));
    format!(
        "{verb} {} records, {rate}/s, {} dead letters{waiting}",
        counts.delivered,
        counts.dead_letters()
    )
}

/// A mean rate, rounded.
pub fn per_second(count: u64, elapsed: Duration) -> u64 {
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    count.saturating_mul(1000).checked_div(millis).unwrap_or(0)
}
