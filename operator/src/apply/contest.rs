//! Children, and statuses, that somebody else keeps changing. One edit by hand is put back at once; who changes the same
//! one again and again, such as a second operator of the same namespace, would make pods roll for ever. Then putting back
//! gets slower, and is said. Pure but for its lock; time is passed in.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;

use super::written::Place;
use crate::settings::FIELD_MANAGER;

/// So many times within [`WINDOW`] a child is put back at once.
const AT_ONCE: u32 = 5;
/// See there.
const WINDOW: Duration = Duration::from_mins(1);
/// The wait after the first correction that was one too many; it doubles with each that follows.
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// So long after the last correction the other one is taken to have given up.
const CALM: Duration = Duration::from_mins(3);

/// The children that had to be put back lately, of all pipelines.
#[derive(Debug, Default)]
pub(super) struct Contests(Mutex<BTreeMap<Place, Contest>>);

#[derive(Clone, Debug)]
struct Contest {
    since: Instant,
    last: Instant,
    corrections: u32,
    /// Who changes it, as far as it is known.
    by: Option<String>,
}

/// Whether a child may be put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nobody is known to fight for it.
    Free,
    /// Somebody is, and it is time to put it back once more.
    Contested,
    /// Somebody is, and it is not.
    Wait,
}

impl Contests {
    /// Whether this child may be put back now.
    pub(super) fn turn(&self, place: &Place, now: Instant) -> Turn {
        match self.lock().get(place).filter(|it| it.lasts(now)) {
            None => Turn::Free,
            Some(contest) if now >= contest.last + contest.wait() => Turn::Contested,
            Some(_) => Turn::Wait,
        }
    }

    /// It was put back.
    pub(super) fn note(&self, place: Place, by: Option<String>, now: Instant) {
        let mut all = self.lock();
        all.retain(|_, it| now.saturating_duration_since(it.last) < CALM);
        let new = Contest { since: now, last: now, corrections: 0, by: None };
        let contest = all.entry(place).or_insert_with(|| new.clone());
        if !contest.lasts(now) && now.saturating_duration_since(contest.since) >= WINDOW {
            *contest = new;
        }
        contest.corrections += 1;
        contest.last = now;
        if by.is_some() {
            contest.by = by;
        }
    }

    /// Who fights for this child; `None`: nobody does.
    pub(super) fn rival(&self, place: &Place, now: Instant) -> Option<Rival> {
        self.lock().get(place).filter(|it| it.lasts(now)).map(|it| Rival { name: it.by.clone() })
    }

    /// Forgets a pipeline that is gone.
    pub(super) fn forget(&self, uid: &str) {
        self.lock().retain(|(owner, _, _), _| owner != uid);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Place, Contest>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who changes a child again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rival {
    /// Its name among the managers of fields, if it is another than ours.
    pub(super) name: Option<String>,
}

impl Contest {
    fn lasts(&self, now: Instant) -> bool {
        self.corrections >= AT_ONCE && now.saturating_duration_since(self.last) < CALM
    }

    fn wait(&self) -> Duration {
        let doublings = self.corrections.saturating_sub(AT_ONCE).min(10);
        FIRST_WAIT.saturating_mul(1 << doublings).min(LONGEST_WAIT)
    }
}

/// Who wrote an object last; `None`: somebody with our own name, which another operator has. Statuses do not count.
pub(super) fn last_writer(entries: &[ManagedFieldsEntry]) -> Option<String> {
    let writes = entries.iter().filter(|it| it.subresource.as_deref() != Some("status"));
    // Of two in the same second it is the one that is not us.
    let is_ours = |it: &ManagedFieldsEntry| it.manager.as_deref() == Some(FIELD_MANAGER);
    let last = writes.max_by_key(|it| (it.time.as_ref().map(|time| time.0), !is_ours(it)))?;
    last.manager.clone().filter(|_| !is_ours(last))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

    use super::*;

    fn place() -> Place {
        ("u".to_owned(), "Deployment".to_owned(), "a".to_owned())
    }

    /// When a child is put back within these seconds that somebody changes again at once.
    fn corrections(contests: &Contests, start: Instant, seconds: u64) -> Vec<u64> {
        let is_put_back = |second: &u64| {
            let now = start + Duration::from_secs(*second);
            let may = contests.turn(&place(), now) != Turn::Wait;
            if may {
                contests.note(place(), Some("hand".to_owned()), now);
            }
            may
        };
        (0..seconds).filter(is_put_back).collect()
    }

    #[test]
    fn what_is_changed_again_and_again_is_put_back_more_and_more_seldom_and_then_once_a_minute() {
        let contests = Contests::default();
        let at = corrections(&contests, Instant::now(), 300);
        assert_eq!(at, [0, 1, 2, 3, 4, 6, 10, 18, 34, 66, 126, 186, 246]);
    }

    #[test]
    fn edits_now_and_then_are_no_contest() {
        let (contests, start) = (Contests::default(), Instant::now());
        for edit in 0..100 {
            let now = start + Duration::from_secs(20 * edit);
            assert_eq!(contests.turn(&place(), now), Turn::Free, "{edit}");
            contests.note(place(), None, now);
        }
    }

    #[test]
    fn a_contest_is_over_when_the_other_one_has_given_up() {
        let (contests, start) = (Contests::default(), Instant::now());
        corrections(&contests, start, 5);
        let last = start + Duration::from_secs(4);
        assert_eq!(contests.rival(&place(), last), Some(Rival { name: Some("hand".to_owned()) }));
        assert_eq!(contests.turn(&place(), last), Turn::Wait);
        assert_eq!(contests.rival(&place(), last + CALM), None);
        assert_eq!(contests.turn(&place(), last + CALM), Turn::Free);
        contests.note(place(), None, last + CALM);
        assert_eq!(contests.turn(&place(), last + CALM), Turn::Free);
        contests.forget("u");
        assert_eq!(contests.lock().len(), 0);
    }

    #[test]
    fn who_wrote_last_is_named_unless_it_has_our_own_name() {
        let entry = |manager: &str, second, subresource: Option<&str>| ManagedFieldsEntry {
            manager: Some(manager.to_owned()),
            time: Some(Time(Timestamp::from_second(second).unwrap())),
            subresource: subresource.map(str::to_owned),
            ..ManagedFieldsEntry::default()
        };
        let (ours, status) = (entry(FIELD_MANAGER, 5, None), entry("kubelet", 9, Some("status")));
        let hand = |second| entry("kubectl-edit", second, None);
        assert_eq!(last_writer(&[ours.clone(), status.clone(), hand(4)]), None);
        assert_eq!(last_writer(&[ours, status, hand(5)]).as_deref(), Some("kubectl-edit"));
    }
}
