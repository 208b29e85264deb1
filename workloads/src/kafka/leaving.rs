//! Leaving a group: what was reached is committed, then the group is told that we leave.
//!
//! Both need a group that is settled. While it is being joined anew, a commit is refused and librdkafka leaves
//! without a word, after which the others wait for a dead member; so that is waited for, within limits.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};

use super::membership::Membership;

/// How long one poll waits for something to happen.
const POLL_WAIT: Duration = Duration::from_millis(50);

/// What comes from now on is not read.
pub(crate) fn stop_reading<C: ConsumerContext>(client: &BaseConsumer<C>) {
    if let Err(error) = client.assignment().and_then(|all| client.pause(&all)) {
        tracing::debug!(%error, "cannot pause; what comes is dropped");
    }
}

/// A member on its way out.
pub(crate) struct Departure<'a, C: ConsumerContext, T> {
    pub(crate) client: &'a BaseConsumer<C>,
    pub(crate) membership: &'a Membership,
    pub(crate) has_time: T,
}

impl<C: ConsumerContext, T: Fn() -> bool> Departure<'_, C, T> {
    /// Waits until the group is settled, and commits as soon as it takes that. `commit` is asked again until it says that
    /// there is nothing more to commit.
    pub(crate) fn settle(&self, mut commit: impl FnMut() -> bool) {
        let mut is_committed = false;
        while (self.has_time)() {
            if !is_committed && !self.membership.is_joining() {
                is_committed = commit();
            }
            if is_committed && self.membership.is_settled() {
                break;
            }
            self.poll();
        }
    }

    /// Tells the group.
    pub(crate) fn tell(&self) {
        self.client.unsubscribe();
        while (self.has_time)() && self.membership.has_asked() && !self.membership.has_left() {
            self.poll();
        }
    }

    /// Serves callbacks; messages are left to the next owner.
    fn poll(&self) {
        drop(self.client.poll(POLL_WAIT));
    }
}
