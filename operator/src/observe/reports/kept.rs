//! What pods said last, and how long that counts. Pure: time is passed in.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use batchpipe_api::report::{Report, Stall};

use super::Answer;

/// How long an answer, or that there was none, counts.
const MAX_AGE: Duration = Duration::from_secs(5);
/// How long a pod is left alone at most that keeps everybody waiting.
const LONGEST_SILENCE: Duration = Duration::from_mins(1);
/// So much is kept of all pods together, in bytes: what two hundred thousand partitions take, which is more than a
/// thousand pipelines have. What does not fit is asked again each time.
const MOST_BYTES: usize = 24 << 20;

/// What came of asking a pod.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Heard {
    /// It spoke.
    Answer(Answer),
    /// It is known at once that it says nothing of use.
    Nothing,
    /// It was waited for in vain: to ask it again costs as much.
    Silence,
}

impl Heard {
    /// What it said.
    pub(super) fn answer(self) -> Option<Answer> {
        match self {
            Self::Answer(answer) => Some(answer),
            Self::Nothing | Self::Silence => None,
        }
    }

    /// How many bytes are held for it.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Answer(answer) => bytes(&answer.report),
            Self::Nothing | Self::Silence => 0,
        }
    }
}

fn bytes(report: &Report) -> usize {
    let words = |stall: &Stall| size_of::<Stall>() + stall.reason.len() + stall.what.len();
    size_of::<Report>()
        + size_of_val(report.lag.as_slice())
        + report.stalled.iter().map(words).sum::<usize>()
}

/// What was heard of all pods. What does not count any more is dropped, so that it holds no more than was asked for
/// within the last few seconds.
#[derive(Debug, Default)]
pub(super) struct Kept {
    by_uid: HashMap<String, Entry>,
    /// The bytes of all answers.
    bytes: usize,
    swept_at: Option<Instant>,
}

#[derive(Debug)]
struct Entry {
    heard: Heard,
    asked: Instant,
    until: Instant,
    /// How often in a row it was silent.
    silences: u32,
}

impl Kept {
    /// What was heard of a pod, while that counts.
    pub(super) fn get(&self, uid: &str, now: Instant) -> Option<Heard> {
        self.by_uid.get(uid).filter(|entry| now < entry.until).map(|entry| entry.heard.clone())
    }

    /// When a pod was asked last; absent: never, or too long ago to be known.
    pub(super) fn asked(&self, uid: &str) -> Option<Instant> {
        self.by_uid.get(uid).map(|entry| entry.asked)
    }

    /// Keeps what was heard of a pod that was asked at this time.
    pub(super) fn note(&mut self, uid: &str, heard: Heard, asked: Instant) {
        self.sweep(asked);
        let before = self.by_uid.remove(uid);
        self.bytes -= before.as_ref().map_or(0, |entry| entry.heard.bytes());
        if self.bytes + heard.bytes() > MOST_BYTES {
            return;
        }
        let before = before.map_or(0, |entry| entry.silences);
        let silences = if heard == Heard::Silence { before.saturating_add(1) } else { 0 };
        let until = asked + counts_for(silences);
        self.bytes += heard.bytes();
        self.by_uid.insert(uid.to_owned(), Entry { heard, asked, until, silences });
    }

    /// Forgets the pods that are gone.
    pub(super) fn retain(&mut self, exists: impl Fn(&str) -> bool) {
        self.by_uid.retain(|uid, _| exists(uid));
        self.count();
    }

    fn sweep(&mut self, now: Instant) {
        let is_recent = |at: Instant| now.saturating_duration_since(at) < MAX_AGE;
        if self.swept_at.is_some_and(is_recent) {
            return;
        }
        self.swept_at = Some(now);
        // How often a pod was silent is remembered for as long as it may be silent again.
        self.by_uid.retain(|_, entry| {
            let more = if entry.silences > 0 { LONGEST_SILENCE } else { Duration::ZERO };
            now < entry.until + more
        });
        self.count();
    }

    fn count(&mut self) {
        self.bytes = self.by_uid.values().map(|entry| entry.heard.bytes()).sum();
    }
}

/// Twice as long with each silence after the first.
fn counts_for(silences: u32) -> Duration {
    let factor = 2u32.saturating_pow(silences.saturating_sub(1));
    MAX_AGE.saturating_mul(factor).min(LONGEST_SILENCE)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use batchpipe_api::report::Role;
    use k8s_openapi::jiff::Timestamp;

    use super::*;
    use crate::observe::testing::{lag, report};

    fn answer() -> Heard {
        answer_with(0)
    }

    fn answer_with(partitions: i32) -> Heard {
        let lag = (0..partitions).map(|partition| lag(partition, 0, 0)).collect();
        let report = Arc::new(Report { lag, ..report(Role::Consumer) });
        Heard::Answer(Answer { report, asked_at: Timestamp::UNIX_EPOCH })
    }

    /// How long each of these in a row counts.
    fn waits(heard: &[Heard]) -> Vec<u64> {
        let (mut kept, mut now) = (Kept::default(), Instant::now());
        let each = heard.iter().map(|heard| {
            kept.note("u", heard.clone(), now);
            let asked = now;
            while kept.get("u", now).is_some() {
                now += Duration::from_secs(1);
            }
            (now - asked).as_secs()
        });
        each.collect()
    }

    #[test]
    fn a_pod_that_stays_silent_is_left_alone_for_longer_each_time_up_to_a_minute() {
        assert_eq!(waits(&[const { Heard::Silence }; 6]), [5, 10, 20, 40, 60, 60]);
    }

    #[test]
    fn what_costs_no_waiting_counts_for_five_seconds_each_time() {
        assert_eq!(waits(&[Heard::Nothing, Heard::Nothing, answer(), answer()]), [5, 5, 5, 5]);
    }

    #[test]
    fn a_pod_that_speaks_again_starts_anew() {
        let heard = [Heard::Silence, Heard::Silence, answer(), Heard::Silence];
        assert_eq!(waits(&heard), [5, 10, 5, 5]);
    }

    #[test]
    fn answers_that_count_no_more_are_not_held() {
        let (mut kept, start) = (Kept::default(), Instant::now());
        for second in 0..100u32 {
            let uid = second.to_string();
            kept.note(&uid, answer(), start + second * Duration::from_secs(1));
        }
        assert!(kept.by_uid.len() <= 10, "{}", kept.by_uid.len());
    }

    #[test]
    fn however_much_pods_say_only_so_much_is_held() {
        let (mut kept, now) = (Kept::default(), Instant::now());
        for pod in 0..100 {
            kept.note(&pod.to_string(), answer_with(9_000), now);
        }
        let one = answer_with(9_000).bytes();
        assert!(one > 1_000_000, "{one}");
        assert_eq!(kept.by_uid.len(), MOST_BYTES / one);
        assert_eq!(kept.bytes, kept.by_uid.len() * one);
        kept.note("0", answer(), now);
        kept.note("another", answer_with(9_000), now);
        assert!(kept.get("another", now).is_some(), "what is given up makes place");
        kept.retain(|uid| uid == "another");
        assert_eq!(kept.bytes, one);
    }
}
