//! Pausing a consumer's fetching while too much waits for those who take its messages.

use std::{sync::Arc, time::Duration};

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};

use crate::budget::Budget;

/// How long whoever takes messages may take to make room before fetching is paused. A pause throws away what was fetched
/// ahead, so it is for those who wait, not for those who are merely busy: fetching again and again cost 26 % of
/// consuming three million records.
const ROOM_WAIT: Duration = Duration::from_millis(100);

/// Whether one client fetches.
#[derive(Debug, Default)]
pub(crate) struct Fetching {
    is_paused: bool,
    seen_changes: u64,
}

impl Fetching {
    /// Whether there have been other changes of the assignment than when this was last asked. Then what is paused has to
    /// be said again: a partition that was taken away while it was paused is still paused when it comes back.
    pub(crate) const fn is_changed(&mut self, changes: u64) -> bool {
        let is_changed = self.seen_changes != changes;
        self.seen_changes = changes;
        is_changed
    }

    /// Whether too much is in `queue`; with hysteresis.
    pub(crate) fn is_too_much(&self, queue: &Arc<Budget>) -> bool {
        if self.is_paused {
            queue.used() > queue.limit() / 2
        } else {
            queue.used() > queue.limit() && queue.charge(queue.limit() / 2, ROOM_WAIT).is_none()
        }
    }

    /// Pauses or resumes all partitions, if that is news.
    pub(crate) fn set_paused<C: ConsumerContext>(
        &mut self,
        client: &BaseConsumer<C>,
        wanted: bool,
        is_changed: bool,
    ) {
        if wanted == self.is_paused && !is_changed {
            return;
        }
        let outcome = client
            .assignment()
            .and_then(|all| if wanted { client.pause(&all) } else { client.resume(&all) });
        match outcome {
            Ok(()) => self.is_paused = wanted,
            Err(error) => tracing::debug!(%error, "cannot pause or resume; trying again"),
        }
    }

    /// Begins fetching anew: the answer is then a refusal, a message, or the end of a partition.
    pub(crate) fn begin_anew<C: ConsumerContext>(&self, client: &BaseConsumer<C>) {
        if self.is_paused {
            return;
        }
        let outcome = client.assignment().and_then(|all| {
            client.pause(&all)?;
            client.resume(&all)
        });
        if let Err(error) = outcome {
            tracing::debug!(%error, "cannot begin fetching anew; trying again");
        }
    }
}
