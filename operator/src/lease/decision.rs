//! What to do about the Lease as it was seen last. Pure.
//!
//! The times that other processes write into the Lease are never compared with a clock of ours: what counts is how
//! long it has not changed before our eyes, so that clocks may differ. That it is gone, or names nobody, does not mean
//! that nobody leads: whoever held it learns that only with the next renewal.

use std::time::{Duration, Instant};

/// How long a Lease lasts that its holder has given back: shorter than any that is held, and by that told from one that
/// was emptied by hand.
pub(super) const GIVEN_BACK: Duration = Duration::from_secs(1);

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

impl Record {
    /// Whether its last holder says that it writes no more.
    fn is_given_back(&self) -> bool {
        self.holder.is_empty() && self.duration <= GIVEN_BACK
    }
}

/// The Lease as it was seen, and since when it is like that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    /// What it says; absent: there is none.
    pub record: Option<Record>,
    /// When it was first seen like that, by our own clock.
    pub since: Instant,
    /// How long from then on somebody may still lead.
    pub reserved: Duration,
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
    /// Somebody else leads, or may do so.
    Wait,
}

impl Sight {
    /// What is seen now, given what was seen before.
    pub fn next(before: Option<&Self>, record: Option<Record>, now: Instant) -> Self {
        match before {
            Some(before) if before.record == record => before.clone(),
            _ => Self { reserved: reserved(before, record.as_ref()), record, since: now },
        }
    }
}

/// How long somebody may lead by what is seen, and by what was seen before that.
fn reserved(before: Option<&Sight>, record: Option<&Record>) -> Duration {
    let before = before.map_or(Duration::ZERO, |sight| sight.reserved);
    match record {
        None => before,
        Some(record) if record.is_given_back() => Duration::ZERO,
        Some(record) if record.holder.is_empty() => record.duration.max(before),
        Some(record) => record.duration,
    }
}

/// What to do about the Lease.
pub fn decide(sight: &Sight, identity: &str, now: Instant) -> Action {
    let is_over = now.saturating_duration_since(sight.since) >= sight.reserved;
    match &sight.record {
        Some(record) if record.holder == identity => Action::Renew,
        _ if !is_over => Action::Wait,
        Some(_) => Action::Take,
        None => Action::Create,
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
        after(&[record.into()], age)
    }

    /// What is decided so long after the last of these was seen for the first time.
    fn after(seen: &[Option<Record>], age: Duration) -> Action {
        let start = Instant::now();
        let see = |before: Option<Sight>, record: &Option<Record>| {
            Some(Sight::next(before.as_ref(), record.clone(), start))
        };
        decide(&seen.iter().fold(None, see).unwrap(), "me", start + age)
    }

    fn given_back() -> Record {
        Record { duration: GIVEN_BACK, ..held_by("", "2") }
    }

    #[test]
    fn a_missing_lease_is_made() {
        assert_eq!(decided(None, Duration::ZERO), Action::Create);
    }

    #[test]
    fn a_released_lease_is_taken_at_once() {
        assert_eq!(decided(given_back(), Duration::ZERO), Action::Take);
        let seen = [Some(held_by("other", "1")), Some(given_back())];
        assert_eq!(after(&seen, Duration::ZERO), Action::Take);
        let seen = [Some(held_by("other", "1")), Some(given_back()), None];
        assert_eq!(after(&seen, Duration::ZERO), Action::Create);
    }

    #[test]
    fn a_lease_that_vanished_while_it_was_held_is_made_when_its_duration_has_passed() {
        let almost = DURATION.checked_sub(Duration::from_millis(1)).unwrap();
        for holder in ["other", "me"] {
            let seen = [Some(held_by(holder, "1")), None];
            assert_eq!(after(&seen, almost), Action::Wait, "{holder}");
            assert_eq!(after(&seen, DURATION), Action::Create, "{holder}");
        }
    }

    #[test]
    fn a_lease_that_was_emptied_and_not_given_back_is_taken_when_its_duration_has_passed() {
        let almost = DURATION.checked_sub(Duration::from_millis(1)).unwrap();
        let emptied = |seconds| Record {
            duration: Duration::from_secs(seconds),
            renewed: None,
            ..held_by("", "1")
        };
        let held = || Some(held_by("other", "1"));
        for seen in [vec![Some(emptied(15))], vec![held(), Some(emptied(3))]] {
            assert_eq!(after(&seen, almost), Action::Wait, "{seen:?}");
            assert_eq!(after(&seen, DURATION), Action::Take, "{seen:?}");
        }
        assert_eq!(after(&[held(), Some(emptied(3)), None], almost), Action::Wait);
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
