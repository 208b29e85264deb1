//! When which pipeline is looked at. Pure: time is passed in.
//!
//! Changes that come in a burst are one look. An object that fails waits longer each time, whatever happens around it
//! meanwhile, so that it can neither keep the API server busy nor delay the others. What changed goes before what is
//! only looked at again, so that a change is soon carried out however busy the process is.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use crate::backoff::Backoff;

/// How long a change waits for more of them.
const SETTLE: Duration = Duration::from_millis(50);
/// A look that nothing happened for lets others go before it for so long, and not for ever.
const LET_PASS: Duration = Duration::from_secs(10);
/// A failing object is looked at at most so often because it changes. With the tries that come by themselves, that is
/// at most twelve times a minute.
const FAILING_SPACING: Duration = Duration::from_secs(8);
/// The first wait after a failure.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest one.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// What comes after a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// All is well; look again after this time if nothing happens before.
    After(Duration),
    /// It failed: look again after a wait that grows.
    Retry,
    /// It is gone: forget it.
    Forget,
}

/// The order of things to look at.
#[derive(Debug)]
pub struct Queue<K> {
    entries: BTreeMap<K, Entry>,
    /// What changed.
    changed: BTreeSet<(Instant, K)>,
    /// What is looked at again although nothing is known to have happened.
    again: BTreeSet<(Instant, K)>,
}

#[derive(Debug)]
struct Entry {
    state: State,
    backoff: Backoff,
    not_before: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting { at: Instant, is_touched: bool },
    Running { is_touched: bool },
}

impl<K> Default for Queue<K> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), changed: BTreeSet::new(), again: BTreeSet::new() }
    }
}

impl<K: Ord + Clone> Queue<K> {
    /// Something changed about this object.
    pub fn touch(&mut self, key: &K, now: Instant) {
        let Some(entry) = self.entries.get_mut(key) else {
            let backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
            let state = State::Running { is_touched: true };
            self.entries.insert(key.clone(), Entry { state, backoff, not_before: now });
            self.wait(key, now + SETTLE, true);
            return;
        };
        match &mut entry.state {
            State::Running { is_touched } => *is_touched = true,
            State::Waiting { at, is_touched } => {
                let (before, was_touched) = (*at, *is_touched);
                let soon = (now + SETTLE).max(entry.not_before).min(before);
                if soon < before || !was_touched {
                    self.line(was_touched).remove(&(before, key.clone()));
                    self.wait(key, soon, true);
                }
            }
        }
    }

    /// The next object whose time has come; it counts as being looked at until [`Self::finish`].
    pub fn take(&mut self, now: Instant) -> Option<K> {
        let is_due = |at: &Instant| *at <= now;
        let changed = self.changed.first().map(|(at, _)| *at).filter(is_due);
        let again = self.again.first().map(|(at, _)| *at).filter(is_due);
        let is_change_first = match (changed, again) {
            (Some(changed), Some(again)) => changed <= again + LET_PASS,
            (changed, _) => changed.is_some(),
        };
        if !is_change_first && again.is_none() {
            return None;
        }
        let (_, key) = self.line(is_change_first).pop_first()?;
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.state = State::Running { is_touched: false };
        }
        Some(key)
    }

    /// When the next object's time comes.
    pub fn next_due(&self) -> Option<Instant> {
        let firsts = [self.changed.first(), self.again.first()];
        firsts.into_iter().flatten().map(|(at, _)| *at).min()
    }

    fn line(&mut self, is_touched: bool) -> &mut BTreeSet<(Instant, K)> {
        if is_touched { &mut self.changed } else { &mut self.again }
    }

    fn wait(&mut self, key: &K, at: Instant, is_touched: bool) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.state = State::Waiting { at, is_touched };
            self.line(is_touched).insert((at, key.clone()));
        }
    }

    /// A look came to its end.
    pub fn finish(&mut self, key: &K, next: Next, now: Instant) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        let is_touched = matches!(entry.state, State::Running { is_touched: true });
        let wait = match next {
            Next::Forget if !is_touched => {
                self.entries.remove(key);
                return;
            }
            Next::Retry => {
                entry.not_before = now + FAILING_SPACING;
                entry.backoff.next_wait()
            }
            Next::After(wait) => {
                entry.succeed(now);
                wait
            }
            Next::Forget => {
                entry.succeed(now);
                SETTLE
            }
        };
        let soon = (now + SETTLE).max(entry.not_before);
        let at = if is_touched { soon.min(now + wait) } else { now + wait };
        self.wait(key, at, is_touched);
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Entry {
    const fn succeed(&mut self, now: Instant) {
        self.backoff.reset();
        self.not_before = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn queue() -> (Queue<&'static str>, Instant) {
        (Queue::default(), Instant::now())
    }

    /// Takes the object at its time and ends its look.
    fn look(queue: &mut Queue<&'static str>, now: Instant, next: Next) {
        let key = queue.take(now).unwrap();
        queue.finish(&key, next, now);
    }

    #[test]
    fn a_burst_of_changes_is_one_look() {
        let (mut queue, now) = queue();
        for millis in 0..40 {
            queue.touch(&"a", now + Duration::from_millis(millis));
        }
        assert_eq!(queue.take(now), None);
        assert_eq!(queue.take(now + SETTLE), Some("a"));
        queue.finish(&"a", Next::After(MINUTE), now + SETTLE);
        assert_eq!(queue.next_due(), Some(now + SETTLE + MINUTE));
    }

    #[test]
    fn an_object_is_never_looked_at_twice_at_a_time() {
        let (mut queue, now) = queue();
        queue.touch(&"a", now);
        assert_eq!(queue.take(now + SETTLE), Some("a"));
        queue.touch(&"a", now + SETTLE);
        assert_eq!(queue.take(now + MINUTE), None);
        queue.finish(&"a", Next::After(MINUTE), now + MINUTE);
        assert_eq!(queue.take(now + MINUTE + SETTLE), Some("a"), "the change was not lost");
    }

    #[test]
    fn a_failing_object_is_looked_at_at_most_twelve_times_a_minute_whatever_changes() {
        let (mut queue, start) = queue();
        let mut looks = 0;
        for millis in (0..60_000).step_by(10) {
            let now = start + Duration::from_millis(millis);
            queue.touch(&"a", now);
            if queue.take(now).is_some() {
                looks += 1;
                queue.touch(&"a", now);
                queue.finish(&"a", Next::Retry, now);
            }
        }
        assert!((5..=12).contains(&looks), "{looks}");
    }

    #[test]
    fn waits_grow_while_it_fails_and_start_again_after_success() {
        let (mut queue, mut now) = queue();
        queue.touch(&"a", now);
        let mut waits = Vec::new();
        for _ in 0..10 {
            now = queue.next_due().unwrap();
            look(&mut queue, now, Next::Retry);
            waits.push(queue.next_due().unwrap() - now);
        }
        assert!(waits[0] <= FIRST_WAIT && waits[9] >= LONGEST_WAIT / 2, "{waits:?}");
        now = queue.next_due().unwrap();
        look(&mut queue, now, Next::After(MINUTE));
        queue.touch(&"a", now);
        look(&mut queue, now + SETTLE, Next::Retry);
        assert!(queue.next_due().unwrap() - now <= FIRST_WAIT + SETTLE);
    }

    #[test]
    fn a_change_goes_before_looks_that_are_due_longer_but_not_for_ever() {
        let (mut queue, now) = queue();
        for key in ["a", "b"] {
            queue.touch(&key, now);
            look(&mut queue, now + SETTLE, Next::After(MINUTE));
        }
        let due = now + SETTLE + MINUTE;
        queue.touch(&"c", due);
        assert_eq!(queue.take(due + SETTLE), Some("c"), "somebody waits for it");
        let late = due + LET_PASS;
        queue.touch(&"b", late);
        queue.touch(&"d", late);
        let order = [(); 3].map(|()| queue.take(late + SETTLE));
        assert_eq!(order, [Some("b"), Some("a"), Some("d")]);
    }

    #[test]
    fn a_failing_object_does_not_delay_others() {
        let (mut queue, now) = queue();
        queue.touch(&"a", now);
        look(&mut queue, now + SETTLE, Next::Retry);
        queue.touch(&"b", now + SETTLE);
        assert_eq!(queue.take(now + 2 * SETTLE), Some("b"));
    }

    #[test]
    fn what_is_gone_is_forgotten_unless_it_came_back_meanwhile() {
        let (mut queue, now) = queue();
        queue.touch(&"a", now);
        queue.take(now + SETTLE).unwrap();
        queue.touch(&"a", now + SETTLE);
        queue.finish(&"a", Next::Forget, now + SETTLE);
        assert_eq!(queue.len(), 1);
        look(&mut queue, now + MINUTE, Next::Forget);
        assert!(queue.is_empty());
        assert_eq!(queue.next_due(), None);
    }
}
