//! Leaving the group: what is acknowledged is committed, then the group is told that we leave.
//!
//! Both need a group that is settled: while it is being joined anew, a commit is refused and librdkafka leaves without a
//! word, after which the others wait for a dead member. So that is waited for, within limits.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};

use super::{
    desk::Desk,
    group::{Context, REVOCATION_PATIENCE},
};

/// How long one poll waits for something to happen.
const POLL_WAIT: Duration = Duration::from_millis(50);
/// How long it may take; a coordinator that is away is not waited for longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Leaves, and says of which partitions the group does not know how far they are. `commits`: whether offsets still have
/// a meaning.
pub(super) fn leave(client: &BaseConsumer<Context>, desk: &Desk, commits: bool) -> Vec<i32> {
    let context = client.context();
    context.leave();
    if let Err(error) = client.assignment().and_then(|all| client.pause(&all)) {
        tracing::debug!(%error, "cannot pause; what comes is dropped");
    }
    let ours = desk.offsets().partitions();
    desk.offsets().leave(&ours);
    if !commits {
        desk.offsets().forget(&ours);
    } else if !desk.is_finished() {
        desk.settle(&ours, Instant::now() + REVOCATION_PATIENCE);
    }
    let deadline = Instant::now() + PATIENCE;
    let has_time = || Instant::now() < deadline;
    let mut is_committed = false;
    while has_time() {
        if !is_committed && !context.membership.is_joining() {
            // What is ours may have become less meanwhile.
            let ours = desk.offsets().partitions();
            match context.commit(client, &ours) {
                Ok(()) => is_committed = true,
                Err(error) => tracing::debug!(%error, "offsets were not committed; trying again"),
            }
        }
        if is_committed && context.membership.is_settled() {
            break;
        }
        drop(client.poll(POLL_WAIT)); // messages are left to the next owner
    }
    let uncommitted = desk.uncommitted();
    client.unsubscribe();
    while has_time() && context.membership.has_asked() && !context.membership.has_left() {
        drop(client.poll(POLL_WAIT));
    }
    desk.offsets().forget(&ours);
    uncommitted
}
