//! Whether messages come from where they are expected, after something came that cannot be read: librdkafka may have lost its
//! place then. Pure.

use std::time::{Duration, Instant};

/// How long it may have.
const PERIOD: Duration = Duration::from_mins(1);

/// What is known of something that cannot be read.
#[derive(Debug, Default)]
pub(crate) struct Suspicion {
    /// When it last came.
    at: Option<Instant>,
    /// Where we last asked for what comes next: partition and offset.
    asked: Option<(i32, i64)>,
}

impl Suspicion {
    /// Something came that cannot be read.
    pub(crate) fn arise(&mut self, now: Instant) {
        *self = Self { at: Some(now), asked: None };
    }

    /// Whether a message is not to be taken, because it is not what is expected next: then it has to be asked again for
    /// `expected`. What is left out when that was asked for is not there.
    pub(crate) fn is_astray(
        &mut self,
        partition: i32,
        offset: i64,
        expected: i64,
        now: Instant,
    ) -> bool {
        let is_suspected = self.at.is_some_and(|at| now.duration_since(at) < PERIOD);
        if !is_suspected || expected < 0 || offset == expected {
            return false;
        }
        let here = Some((partition, expected));
        offset < expected || std::mem::replace(&mut self.asked, here) != here
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_astray_while_nothing_is_suspected() {
        let (mut suspicion, now) = (Suspicion::default(), Instant::now());
        assert!(!suspicion.is_astray(0, 3, 7, now));
        suspicion.arise(now);
        assert!(suspicion.is_astray(0, 3, 7, now));
        assert!(!suspicion.is_astray(0, 3, 7, now + PERIOD));
        assert!(!suspicion.is_astray(0, 3, -1, now), "nothing is expected");
    }

    #[test]
    fn a_gap_is_believed_when_it_was_asked_for_what_is_in_it() {
        let (mut suspicion, now) = (Suspicion::default(), Instant::now());
        suspicion.arise(now);
        assert!(!suspicion.is_astray(0, 7, 7, now));
        assert!(suspicion.is_astray(0, 12, 8, now));
        assert!(!suspicion.is_astray(0, 12, 8, now));
        assert!(suspicion.is_astray(1, 12, 8, now), "of another partition");
        suspicion.arise(now);
        assert!(suspicion.is_astray(1, 12, 8, now), "it came again");
    }
}
