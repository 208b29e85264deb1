//! The words in which a side describes itself: plain values, and their names in metrics and answers.

use super::conditions::Gate;

/// Which half of a pipeline a side is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Source to topic.
    Producer,
    /// Topic to sink.
    Consumer,
}

/// What a side is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// It has not begun.
    #[default]
    Starting,
    /// It works, or waits for work.
    Running,
    /// It was asked to stop and settles what it has.
    Stopping,
    /// Its source has ended and all of it is settled.
    Completed,
}

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

/// How far a partition's consumer is behind.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Lag {
    /// Messages; exact.
    pub messages: u64,
    /// Records: messages times the mean number of records in one; 0 only when caught up.
    pub records: u64,
    /// Age of the oldest message that is not consumed, in seconds.
    pub seconds: f64,
}

/// What the counters grew by per second, lately.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Records delivered.
    pub records: f64,
    /// Bytes before compression.
    pub raw_bytes: f64,
    /// Bytes of message values.
    pub wire_bytes: f64,
}

/// The newest error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastError {
    /// What happened.
    pub message: String,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: i64,
}

impl Role {
    /// The name in labels, messages and the Report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        }
    }

    /// What must hold before the side is ready.
    pub(super) const fn gates(self) -> &'static [Gate] {
        match self {
            Self::Producer => &[Gate::Configuration, Gate::Brokers, Gate::Topic],
            Self::Consumer => &[Gate::Configuration, Gate::Brokers, Gate::Topic, Gate::Group],
        }
    }
}

impl Phase {
    /// The name in the Report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "Starting",
            Self::Running => "Running",
            Self::Stopping => "Stopping",
            Self::Completed => "Completed",
        }
    }
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

/// A moment as text, RFC 3339 in UTC.
pub fn moment(unix_millis: i64) -> String {
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
