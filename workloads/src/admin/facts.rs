//! The words in which a side describes itself that the Report does not have already.

use batchpipe_api::report::Role;

use super::conditions::Gate;

/// Why a batch was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// It had as many bytes as it may have.
    Size,
    /// It had as many records as it may have.
    Count,
    /// Its oldest record had waited long enough.
    Linger,
    /// The producer is stopping, or its source has ended.
    Shutdown,
}

impl CloseReason {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::Size, Self::Count, Self::Linger, Self::Shutdown];

    /// The name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Count => "count",
            Self::Linger => "linger",
            Self::Shutdown => "shutdown",
        }
    }
}

/// What must hold before a side is ready.
pub(super) const fn gates(role: Role) -> &'static [Gate] {
    match role {
        Role::Producer => &[Gate::Configuration, Gate::Brokers, Gate::Topic],
        Role::Consumer => &[Gate::Configuration, Gate::Brokers, Gate::Topic, Gate::Group],
    }
}

/// A moment as text, RFC 3339 in UTC.
pub(super) fn moment(unix_millis: i64) -> String {
    jiff::Timestamp::from_millisecond(unix_millis).unwrap_or(jiff::Timestamp::MAX).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_in_utc() {
        assert_eq!(moment(1_700_000_000_500), "2023-11-14T22:13:20.5Z");
    }
}
