//! How long a consumer that leaves its group waits for the group to take its last offsets, and what it says meanwhile.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use rdkafka::consumer::{BaseConsumer, Consumer as _};

use super::{
    assignment::Assigned,
    commits::{commit, is_final},
    group::Context,
};
use crate::kafka::{
    leaving::{Departure, stop_reading},
    membership::Membership,
};

/// How long leaving the group may take when nothing is at stake; a coordinator that is away is not waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// What of that is kept for closing the client.
const CLOSING: Duration = Duration::from_millis(500);
/// How long nobody wonders why the process does not end.
const UNREMARKABLE: Duration = Duration::from_secs(1);

/// What a session left undone.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// Partitions whose sink could not make durable what it had taken.
    pub(super) unfinished: Vec<i32>,
    /// Partitions of which the group does not know what was delivered.
    pub(super) uncommitted: Vec<i32>,
}

/// A member on its way out.
pub(super) struct Leaving {
    pub(super) client: Arc<BaseConsumer<Context>>,
    /// What it had, with what was reached.
    pub(super) left: Vec<Arc<Assigned>>,
    /// When it gives up.
    until: Instant,
    /// When it gives up if the brokers do not take the credentials that the client was made with.
    refused_until: Instant,
    /// Whether offsets still have a meaning.
    commits: bool,
}

impl Leaving {
    /// Begins to leave. Offsets that the group does not know are worth waiting for until `deadline`, unless they
    /// have lost their meaning.
    pub(super) fn begin(
        client: Arc<BaseConsumer<Context>>,
        left: Vec<Arc<Assigned>>,
        deadline: Instant,
        commits: bool,
    ) -> Self {
        let patient = Instant::now() + PATIENCE;
        let is_nothing_left = !commits || uncommitted(&left).is_empty();
        let until = if is_nothing_left { patient } else { deadline.max(patient) };
        if commits {
            // When the group takes them away while we wait for it, they are committed then.
            client.context().set_leaving(&left);
        }
        stop_reading(&client);
        Self { client, left, until, refused_until: patient, commits }
    }

    pub(super) const fn until(&self) -> Instant {
        self.until
    }

    /// Commits, unless offsets have lost their meaning, and tells the group.
    pub(super) fn run(&self) {
        let context = self.client.context();
        let (client, membership) = (self.client.as_ref(), context.membership.as_ref());
        let departure = Departure { client, membership, has_time: || self.has_time() };
        departure.settle(|| !self.commits || self.commit());
        departure.tell();
    }

    /// True when there is nothing more to commit.
    fn commit(&self) -> bool {
        let Err(error) = commit(&self.client, &self.left) else { return true };
        tracing::debug!(%error, "offsets were not committed; trying again");
        error.rdkafka_error_code().is_some_and(is_final)
    }

    fn has_time(&self) -> bool {
        let is_refused = self.client.context().is_refused();
        Instant::now() + CLOSING < if is_refused { self.refused_until } else { self.until }
    }
}

/// Waits until the group is left, and says so when that takes long.
pub(super) fn wait(gone: &Receiver<()>, until: Instant, membership: &Membership) {
    let is_late = |outcome| outcome == Err(RecvTimeoutError::Timeout);
    if !is_late(gone.recv_timeout(UNREMARKABLE)) {
        return;
    }
    let obstacle = || {
        if membership.is_joining() {
            "the group rebalances"
        } else {
            "the group's coordinator does not answer"
        }
    };
    let left = until.saturating_duration_since(Instant::now()).as_secs();
    tracing::info!("{}; waiting up to {left} s; a second signal ends this at once", obstacle());
    if is_late(gone.recv_deadline(until)) {
        tracing::warn!(
            "{}; leaving without telling it, which the others notice when the session times out",
            obstacle()
        );
    }
}

/// The partitions of which the group does not know what was reached.
pub(super) fn uncommitted(left: &[Arc<Assigned>]) -> Vec<i32> {
    numbers(left, |assigned| assigned.uncommitted().is_some())
}

/// The numbers of the partitions of which something holds.
pub(super) fn numbers(left: &[Arc<Assigned>], holds: impl Fn(&Assigned) -> bool) -> Vec<i32> {
    left.iter().filter(|assigned| holds(assigned)).map(|assigned| assigned.partition).collect()
}
