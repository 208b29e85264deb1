//! What to do about the Lease as it was seen last. Pure.
//!
//! The times that other processes write into the Lease are never compared with a clock of ours: what counts is how
//! long it has not changed before our eyes, so that clocks may differ. That it is gone, or names nobody, does not mean
//! that nobody leads: whoever held it learns that only with the next renewal. Nor does our own name in it say that we
//! lead: a hand may have put it there, and only what this process wrote counts.

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

    /// Whether it was renewed, taken or given back since this one. What is changed by hand is not, and who holds it does
    /// not know of that yet.
    fn is_newer(&self, before: Option<&Self>) -> bool {
        before.is_none_or(|before| self.renewed != before.renewed)
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
    /// Whether this process wrote what it says.
    pub is_ours: bool,
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
    /// What is seen now, given what was seen before, and what this process may have written.
    pub fn next(
        before: Option<&Self>,
        record: Option<Record>,
        sent: &[Record],
        now: Instant,
    ) -> Self {
        let is_ours = record.as_ref().is_some_and(|record| sent.contains(record));
        match before {
            Some(before) if before.record == record => Self { is_ours, ..before.clone() },
            _ => {
                let reserved = reserved(before, record.as_ref());
                Self { record, since: now, reserved, is_ours }
            }
        }
    }
}

/// How long somebody may lead by what is seen, and by what was seen before that.
fn reserved(before: Option<&Sight>, record: Option<&Record>) -> Duration {
    let left = before.map_or(Duration::ZERO, |sight| sight.reserved);
    let before = before.and_then(|sight| sight.record.as_ref());
    match record {
        None => left,
        Some(record) if !record.is_newer(before) => record.duration.max(left),
        Some(record) if record.is_given_back() => Duration::ZERO,
        Some(record) if record.holder.is_empty() => record.duration.max(left),
        Some(record) => record.duration,
    }
}

/// What to do about the Lease.
pub fn decide(sight: &Sight, now: Instant) -> Action {
    let is_over = now.saturating_duration_since(sight.since) >= sight.reserved;
    match &sight.record {
        Some(_) if sight.is_ours => Action::Renew,
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
        having_sent(&[], seen, age)
    }

    /// The same by a process that has written this.
    fn having_sent(sent: &[Record], seen: &[Option<Record>], age: Duration) -> Action {
        let start = Instant::now();
        let see = |before: Option<Sight>, record: &Option<Record>| {
            Some(Sight::next(before.as_ref(), record.clone(), sent, start))
        };
        decide(&seen.iter().fold(None, see).unwrap(), start + age)
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
        // As if it were given back, but for the time of it.
        let disguised = Record { duration: GIVEN_BACK, ..held_by("", "1") };
        let all = [
            vec![Some(emptied(15))],
            vec![held(), Some(emptied(3))],
            vec![held(), Some(disguised)],
        ];
        for seen in all {
            assert_eq!(after(&seen, almost), Action::Wait, "{seen:?}");
            assert_eq!(after(&seen, DURATION), Action::Take, "{seen:?}");
        }
        assert_eq!(after(&[held(), Some(emptied(3)), None], almost), Action::Wait);
    }

    #[test]
    fn what_this_process_wrote_is_renewed_however_old_it_is() {
        // The answer to one of them may have been lost.
        let sent = [held_by("me", "1"), held_by("me", "2")];
        for written in &sent {
            let seen = [Some(held_by("other", "0")), Some(written.clone())];
            assert_eq!(having_sent(&sent, &seen, Duration::ZERO), Action::Renew);
            assert_eq!(having_sent(&sent, &seen, 9 * DURATION), Action::Renew);
        }
    }

    #[test]
    fn a_lease_that_somebody_hands_to_us_is_taken_when_it_has_not_changed_for_its_duration() {
        let almost = DURATION.checked_sub(Duration::from_millis(1)).unwrap();
        let sent = [held_by("me", "1")];
        for seen in [vec![held_by("me", "7")], vec![held_by("other", "7"), held_by("me", "7")]] {
            let seen: Vec<_> = seen.into_iter().map(Some).collect();
            assert_eq!(having_sent(&sent, &seen, almost), Action::Wait, "{seen:?}");
            assert_eq!(having_sent(&sent, &seen, DURATION), Action::Take, "{seen:?}");
        }
    }

    #[test]
    fn a_duration_that_somebody_shortens_takes_nothing_from_the_holder() {
        let almost = DURATION.checked_sub(Duration::from_millis(1)).unwrap();
        let shortened = |renewed| {
            let duration = Duration::from_secs(1);
            Some(Record { duration, ..held_by("other", renewed) })
        };
        let seen = [Some(held_by("other", "1")), shortened("1")];
        assert_eq!(after(&seen, almost), Action::Wait);
        assert_eq!(after(&seen, DURATION), Action::Take);
        // Its holder says so itself.
        let seen = [Some(held_by("other", "1")), shortened("2")];
        assert_eq!(after(&seen, Duration::from_secs(1)), Action::Take);
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
        let first = Sight::next(None, Some(held_by("other", "1")), &[], start);
        let same = Sight::next(Some(&first), Some(held_by("other", "1")), &[], start + DURATION);
        assert_eq!(same.since, start);
        let renewed = Sight::next(Some(&same), Some(held_by("other", "2")), &[], start + DURATION);
        assert_eq!(decide(&renewed, start + DURATION), Action::Wait);
        assert_eq!(decide(&renewed, start + 2 * DURATION), Action::Take);
    }

    #[test]
    fn times_in_the_lease_are_never_compared_with_our_clock() {
        let long_ago = held_by("other", "1999-01-01T00:00:00Z");
        assert_eq!(decided(long_ago, Duration::ZERO), Action::Wait);
    }
}
