//! What to do about the Lease as it was seen last. Pure.
//!
//! The times that other processes write into the Lease are never compared with a clock of ours: what counts is how
//! long it has not changed before our eyes, so that clocks may differ.

use std::time::{Duration, Instant};

/// What the Lease says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Who leads; empty: nobody.
    pub holder: String,
    /// How long the holder leads without renewing.
    pub duration: Duration,
    /// Changes with every renewal; only compared with itself.
    pub renewed: Option<String>,
}

/// The Lease as it was seen, and since when it is like that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    /// What it says; absent: there is none.
    pub record: Option<Record>,
    /// When it was first seen like that, by our own clock.
    pub since: Instant,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// There is no Lease: make it.
    Create,
    /// Nobody holds it any more: put our name in.
    Take,
    /// We hold it: say so again.
    Renew,
    /// Somebody else leads.
    Wait,
}

impl Sight {
    /// What is seen now, given what was seen before.
    pub fn next(before: Option<&Self>, record: Option<Record>, now: Instant) -> Self {
        match before {
            Some(before) if before.record == record => before.clone(),
            _ => Self { record, since: now },
        }
    }
}

/// What to do about the Lease.
pub fn decide(sight: &Sight, identity: &str, now: Instant) -> Action {
    let Some(record) = &sight.record else { return Action::Create };
    let is_over = now.saturating_duration_since(sight.since) >= record.duration;
    if record.holder == identity {
        Action::Renew
    } else if record.holder.is_empty() || is_over {
        Action::Take
    } else {
        Action::Wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DURATION: Duration = Duration::from_secs(15);

    fn held_by(holder: &str, renewed: &str) -> Record {
        let renewed = Some(renewed.to_owned());
        Record { holder: holder.to_owned(), duration: DURATION, renewed }
    }

    fn decided(record: impl Into<Option<Record>>, age: Duration) -> Action {
        let since = Instant::now();
        decide(&Sight { record: record.into(), since }, "me", since + age)
    }

    #[test]
    fn a_missing_lease_is_made() {
        assert_eq!(decided(None, Duration::ZERO), Action::Create);
    }

    #[test]
    fn a_released_lease_is_taken_at_once() {
        assert_eq!(decided(held_by("", "1"), Duration::ZERO), Action::Take);
    }

    #[test]
    fn our_own_lease_is_renewed_however_old_it_is() {
        assert_eq!(decided(held_by("me", "1"), Duration::ZERO), Action::Renew);
        assert_eq!(decided(held_by("me", "1"), 9 * DURATION), Action::Renew);
    }

    #[test]
    fn anothers_lease_is_taken_only_when_it_has_not_changed_for_its_duration() {
        let almost = DURATION.checked_sub(Duration::from_millis(1)).unwrap();
        assert_eq!(decided(held_by("other", "1"), almost), Action::Wait);
        assert_eq!(decided(held_by("other", "1"), DURATION), Action::Take);
    }

    #[test]
    fn a_renewal_starts_the_wait_anew() {
        let start = Instant::now();
        let first = Sight::next(None, Some(held_by("other", "1")), start);
        let same = Sight::next(Some(&first), Some(held_by("other", "1")), start + DURATION);
        assert_eq!(same.since, start);
        let renewed = Sight::next(Some(&same), Some(held_by("other", "2")), start + DURATION);
        assert_eq!(decide(&renewed, "me", start + DURATION), Action::Wait);
        assert_eq!(decide(&renewed, "me", start + 2 * DURATION), Action::Take);
    }

    #[test]
    fn times_in_the_lease_are_never_compared_with_our_clock() {
        let long_ago = held_by("other", "1999-01-01T00:00:00Z");
        assert_eq!(decided(long_ago, Duration::ZERO), Action::Wait);
    }
}
