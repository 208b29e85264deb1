//! What all fault tests use: running the command, known inputs, and counting what came out.

mod child;
mod disk;
mod records;
mod scene;
mod tally;
mod topic;

use std::{
    thread,
    time::{Duration, Instant},
};

pub(crate) use self::{
    child::{Child, Ended},
    disk::SmallDisk,
    records::Records,
    scene::Scene,
    tally::Tally,
    topic::{TopicMessage, Transaction, copy_topic, read_topic},
};

/// How long anything that should happen may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// Waits until something holds; the test fails when it does not in time.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    until_within(PATIENCE, what, &mut holds);
}

/// Waits until something holds, at most so long.
pub(crate) fn until_within(limit: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {} s: {what}", limit.as_secs());
        thread::sleep(Duration::from_millis(20));
    }
}
