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
    fn expired(&self, log_start: i64) -> u64 {
        (log_start.min(self.to) - self.from).max(0).unsigned_abs()
    }
}

/// Tells of each leap how much of it retention removed, by partition, first offset and number, and forgets it; keeps those of
/// which the `start` of the log was not heard after they were made, to be asked again.
pub(crate) fn look_into(
    leaps: &mut Vec<Leap>,
    start: impl Fn(i32) -> Option<i64>,
    tell: impl Fn(i32, i64, u64),
) {
    leaps.retain(|leap| {
        let Some(start) = start(leap.partition) else { return true };
        let expired = leap.expired(start);
        if expired > 0 {
            tell(leap.partition, leap.from, expired);
        }
        false
    });
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn a_leap_is_kept_until_it_is_known_where_the_log_starts() {
        let of = |partition| Leap { partition, from: 5, to: 9 };
        let (mut leaps, told) = (vec![of(0), of(1), of(2)], RefCell::new(Vec::new()));
        let starts = [None, Some(7), Some(3)];
        let start = |partition: i32| starts[usize::try_from(partition).unwrap()];
        let tell = |partition, from, expired| told.borrow_mut().push((partition, from, expired));
        look_into(&mut leaps, start, tell);
        assert_eq!((leaps, told.into_inner()), (vec![of(0)], vec![(1, 5, 2)]));
    }

    #[test]
    fn only_what_is_before_the_log_s_start_has_expired() {
        let leap = Leap { partition: 0, from: 5, to: 9 };
        for (start, expired) in [(3, 0), (5, 0), (7, 2), (20, 4)] {
            assert_eq!(leap.expired(start), expired, "{start}");
        }
    }
}
