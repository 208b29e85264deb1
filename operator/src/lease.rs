//! lease: at most one writer. A Lease of coordination.k8s.io says who leads; this process writes only while it
//! does, and proves it to the gate of every writing request by a deadline on its own monotonic clock.
//!
//! [`decide`](decision::decide) is pure; [`Elector`] is a thin loop around it. A leader that cannot
//! renew steps down instead of ending the process: its caches stay warm, the gate keeps it from writing, and after an
//! outage of the API server it goes on without a restart.

pub mod decision;
pub mod elector;
pub mod leadership;
mod record;

use std::time::Duration;

pub use self::{elector::Elector, leadership::Leadership};

/// The shortest [`Timing::duration`]: what lasts shorter was given back.
pub const SHORTEST: Duration = Duration::from_secs(2);
/// The longest [`Timing::duration`]. A Lease that says more is taken when it has not changed for so long.
pub const LONGEST: Duration = Duration::from_mins(10);

/// How long leadership lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Others take over when the Lease has not changed for so long.
    pub duration: Duration,
    /// The leader stops writing when it could not renew for so long. What it sent before that has the time up to
    /// `duration` to come to its end.
    pub renew_deadline: Duration,
    /// The time between two tries.
    pub retry: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry: Duration::from_secs(2),
        }
    }
}

/// Which Lease, and who asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the Lease is.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What tells this process from all others, also from its predecessor in the same pod.
    pub identity: String,
    /// How long leadership lasts.
    pub timing: Timing,
}
