//! How long a source that leaves its group waits for acknowledgements, and for the group to take its last offsets.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};

use super::{
    desk::Desk,
    group::{Context, REVOCATION_PATIENCE},
};
use crate::kafka::leaving::{Departure, stop_reading};

/// How long it may take; a coordinator that is away is not waited for longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Leaves, and says of which partitions the group does not know how far they are. `commits`: whether offsets still have
/// a meaning.
pub(super) fn leave(client: &BaseConsumer<Context>, desk: &Desk, commits: bool) -> Vec<i32> {
    let context = client.context();
    context.leave();
    stop_reading(client);
    let ours = desk.offsets().partitions();
    desk.offsets().leave(&ours);
    if !commits {
        desk.offsets().forget(&ours);
    } else if !desk.is_finished() {
        desk.settle(&ours, Instant::now() + REVOCATION_PATIENCE);
    }
    let deadline = Instant::now() + PATIENCE;
    let has_time = || Instant::now() < deadline;
    let departure = Departure { client, membership: &context.membership, has_time };
    departure.settle(|| {
        // What is ours may have become less meanwhile.
        let ours = desk.offsets().partitions();
        let Err(error) = context.commit(client, &ours) else { return true };
        tracing::debug!(%error, "offsets were not committed; trying again");
        false
    });
    let uncommitted = desk.uncommitted();
    departure.tell();
    desk.offsets().forget(&ours);
    uncommitted
}
