//! Offsets that no message came for. Pure.

/// Offsets of a partition that no message came for: retention removed them, or they were no messages (the ends of
/// transactions).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leap {
    pub(crate) partition: i32,
    /// The first of them.
    pub(crate) from: i64,
    /// The message after them.
    pub(crate) to: i64,
}

impl Leap {
    /// How many of them retention removed: those before the start of the log, which was heard after the leap was made.
    /// What is behind it were no messages.
    pub(crate) fn expired(&self, log_start: i64) -> u64 {
        (log_start.min(self.to) - self.from).max(0).unsigned_abs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_before_the_log_s_start_has_expired() {
        let leap = Leap { partition: 0, from: 5, to: 9 };
        for (start, expired) in [(3, 0), (5, 0), (7, 2), (20, 4)] {
            assert_eq!(leap.expired(start), expired, "{start}");
        }
    }
}
