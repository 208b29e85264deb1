//! What a process says while it waits after a request to stop: for what, how long at most, and how not to.

use std::{
    thread,
    time::{Duration, Instant},
};

use batchpipe_api::report::{Role, WorkloadState};

use crate::{produce::Shared, shutdown::Shutdown};

/// How long nobody wonders why the process does not end.
const UNREMARKABLE: Duration = Duration::from_secs(1);
/// How often it is said again.
const PERIOD: Duration = Duration::from_secs(10);

/// Makes the process unready as soon as it is asked to stop, and tells what it still waits for, at most for `grace`.
pub(crate) fn watch(sides: &[Shared], shutdown: &Shutdown, grace: Duration) {
    let (sides, shutdown) = (sides.to_vec(), shutdown.clone());
    thread::spawn(move || {
        while !shutdown.wait(Duration::from_hours(1)) {}
        let asked_at = Instant::now();
        for shared in &sides {
            shared.side.set_state(WorkloadState::Stopping);
        }
        thread::sleep(UNREMARKABLE);
        loop {
            let left = grace.saturating_sub(asked_at.elapsed()).as_secs();
            for shared in sides.iter().filter(|_| left > 0) {
                tell(shared, left);
            }
            thread::sleep(PERIOD);
        }
    });
}

fn tell(shared: &Shared, left: u64) {
    let in_flight = shared.ledger.snapshot().in_flight();
    if in_flight == 0 {
        return;
    }
    let stalls = shared.side.waiting_for().into_iter().map(|stall| stall.what);
    let obstacles = stalls.collect::<Vec<_>>().join("; ");
    let for_what = match shared.side.role() {
        Role::Producer => "records to be acknowledged",
        Role::Consumer => "records to be delivered",
    };
    tracing::info!(
        obstacles,
        "waiting for {in_flight} {for_what}, at most {left} s more (--grace-period); a second signal ends this at once"
    );
}
