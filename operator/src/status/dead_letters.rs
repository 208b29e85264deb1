//! How many records were dead-lettered, over pods that come and go. Pure.
//!
//! Pods count from their own start. What a process that is gone had counted stays counted; what the status said before
//! this operator process began is the start, so the number never falls. It is what was seen: letters of a pod that
//! came and went while no operator looked are not in it.

use std::collections::{BTreeMap, VecDeque};

use batchpipe_api::{
    report::{Report, Role},
    status::DataStatus,
};
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use crate::observe::{MOST, Observed, ObservedPod};

/// A process that is older than this when it is heard of has a successor that is younger when that is heard of.
const YOUNG: SignedDuration = SignedDuration::from_mins(1);
/// Answers take their time, and clocks are adjusted: a process that began so much later than another one may be the same.
const SAME: SignedDuration = SignedDuration::from_secs(5);
/// So many pods that are gone are known by uid. One that comes back, because its owner could not be seen for a while,
/// is among the last that went.
const BURIED: usize = 64;

/// The count of one pipeline, from one pass to the next.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeadLetterTally {
    /// When counting began: a process that is younger is not in what was written then.
    began: Option<Timestamp>,
    /// Of processes that are gone, and of before.
    earlier: u64,
    /// The pods that went last, by uid, with what `earlier` has of each.
    buried: VecDeque<(String, Process)>,
    /// The process that each pod spoke of last, by uid.
    pods: BTreeMap<String, Process>,
}

/// A process of a pod, whose container may begin anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Process {
    /// What it has counted.
    count: u64,
    /// How long it had run, by a clock that nobody sets.
    uptime: SignedDuration,
    /// When it began, by ours, which may be set.
    began: Timestamp,
}

impl DeadLetterTally {
    /// Takes in what pods report now. `said` is what the status says; absent: nothing yet. The result is absent when
    /// nothing is known at all.
    pub fn count(
        &mut self,
        said: Option<&DataStatus>,
        observed: &Observed,
        now: Timestamp,
    ) -> Option<i64> {
        let written = said.and_then(|data| data.dead_letters).filter(|written| is_count(*written));
        let began = *self.began.get_or_insert_with(|| {
            self.earlier = written.unwrap_or(0).unsigned_abs();
            // No operator may have looked since that was written.
            said.and_then(|data| data.observed_at.as_ref()).map_or(now, |at| at.0.min(now))
        });
        for role in Role::ALL {
            for pod in &observed.side(role).pods {
                self.take(pod, began);
            }
        }
        self.bury(observed);
        let counts = self.pods.values().map(|process| process.count);
        let total = counts.fold(self.earlier, u64::saturating_add);
        let is_known = written.is_some() || total > 0 || !self.pods.is_empty();
        is_known.then_some(total.min(MOST).cast_signed())
    }

    fn take(&mut self, pod: &ObservedPod, began: Timestamp) {
        let Some((report, asked_at)) = pod.report.as_deref().zip(pod.asked_at) else { return };
        let process = Process::of(report, asked_at);
        let before = self.pods.insert(pod.uid.clone(), process).or_else(|| self.exhume(&pod.uid));
        match before {
            // The same pod, but its process began anew.
            Some(before) if process.is_after(before) => {
                self.earlier = self.earlier.saturating_add(before.count);
            }
            // A process that is older than this count is in what was written already.
            None if process.began < began => {
                self.earlier = self.earlier.saturating_sub(process.count);
            }
            _ => {}
        }
    }

    fn bury(&mut self, observed: &Observed) {
        let exists = |uid: &str| {
            let mut all = observed.producer.pods.iter().chain(&observed.consumer.pods);
            all.any(|pod| pod.uid == uid)
        };
        for (uid, process) in self.pods.extract_if(.., |uid, _| !exists(uid)) {
            self.earlier = self.earlier.saturating_add(process.count);
            self.buried.push_back((uid, process));
        }
        let too_many = self.buried.len().saturating_sub(BURIED);
        self.buried.drain(..too_many);
    }

    /// Takes back what was buried of a pod that had only been out of sight.
    fn exhume(&mut self, uid: &str) -> Option<Process> {
        let place = self.buried.iter().position(|(buried, _)| buried == uid)?;
        let (_, process) = self.buried.remove(place)?;
        self.earlier = self.earlier.saturating_sub(process.count);
        Some(process)
    }
}

impl Process {
    fn of(report: &Report, asked_at: Timestamp) -> Self {
        let uptime = SignedDuration::try_from_secs_f64(report.uptime_seconds);
        let uptime = uptime.unwrap_or(SignedDuration::MAX);
        let began = asked_at.checked_sub(uptime).unwrap_or(Timestamp::MIN);
        Self { count: report.accounting.dead_lettered, uptime, began }
    }

    /// Whether this is not the one that was there before, whose count and age it may have passed since.
    fn is_after(self, before: Self) -> bool {
        let is_later = self.began.duration_since(before.began) > SAME;
        self.count < before.count
            || self.uptime < before.uptime
            || (before.uptime < YOUNG && is_later)
    }
}

/// What a forged report made of the number before such reports were refused is none, and must not stay for ever.
const fn is_count(written: i64) -> bool {
    0 <= written && written < MOST.cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::testing::{moment, pod, report, reporting, settled};

    fn counting(name: &str, letters: u64, uptime_seconds: f64, second: i64) -> ObservedPod {
        let mut report = Report { uptime_seconds, ..report(Role::Consumer) };
        report.accounting.dead_lettered = letters;
        ObservedPod { asked_at: Some(moment(second)), ..reporting(name, report) }
    }

    fn observed(pods: Vec<ObservedPod>) -> Observed {
        Observed { consumer: settled(pods), ..Observed::default() }
    }

    fn count(
        tally: &mut DeadLetterTally,
        written: Option<i64>,
        pods: Vec<ObservedPod>,
    ) -> Option<i64> {
        let data = DataStatus { dead_letters: written, ..DataStatus::default() };
        tally.count(Some(&data), &observed(pods), moment(100))
    }

    #[test]
    fn both_sides_and_all_pods_count() {
        let mut all = observed(vec![counting("a", 2, 1.0, 100), counting("b", 3, 1.0, 100)]);
        all.producer = settled(vec![counting("p", 4, 1.0, 100)]);
        assert_eq!(DeadLetterTally::default().count(None, &all, moment(50)), Some(9));
    }

    #[test]
    fn nothing_is_known_until_somebody_has_said_something() {
        assert_eq!(count(&mut DeadLetterTally::default(), None, vec![pod("a")]), None);
        let known = count(&mut DeadLetterTally::default(), None, vec![counting("a", 0, 1.0, 100)]);
        assert_eq!(known, Some(0));
    }

    #[test]
    fn letters_of_a_pod_that_is_gone_or_silent_stay_counted() {
        let mut tally = DeadLetterTally::default();
        assert_eq!(count(&mut tally, None, vec![counting("a", 5, 0.0, 101)]), Some(5));
        assert_eq!(count(&mut tally, Some(5), vec![pod("a")]), Some(5));
        assert_eq!(count(&mut tally, Some(5), vec![counting("b", 1, 0.0, 120)]), Some(6));
        assert_eq!(count(&mut tally, Some(6), Vec::new()), Some(6));
    }

    #[test]
    fn a_pod_that_was_out_of_sight_is_not_counted_twice() {
        let mut tally = DeadLetterTally::default();
        count(&mut tally, None, vec![counting("a", 5, 0.0, 101)]);
        assert_eq!(count(&mut tally, Some(5), Vec::new()), Some(5));
        assert_eq!(count(&mut tally, Some(5), vec![counting("a", 6, 5.0, 106)]), Some(6));
        assert_eq!(count(&mut tally, Some(6), Vec::new()), Some(6));
        let anew = vec![counting("a", 1, 0.0, 120)];
        assert_eq!(count(&mut tally, Some(6), anew), Some(7), "its process began anew meanwhile");
    }

    #[test]
    fn of_pods_that_are_gone_only_the_last_are_known_and_all_are_counted() {
        let mut tally = DeadLetterTally::default();
        for number in 0..100 {
            let pods = vec![counting(&number.to_string(), 1, 0.0, 101)];
            assert_eq!(count(&mut tally, None, pods), Some(number + 1));
        }
        assert_eq!(tally.buried.len(), BURIED);
    }

    #[test]
    fn a_pod_that_began_while_no_operator_looked_is_added_to_what_was_written() {
        let written_at = |second| DataStatus {
            dead_letters: Some(12),
            observed_at: Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(moment(second))),
            ..DataStatus::default()
        };
        let pods = || observed(vec![counting("a", 4, 50.0, 100)]);
        let with =
            |data: &DataStatus| DeadLetterTally::default().count(Some(data), &pods(), moment(100));
        assert_eq!(with(&written_at(40)), Some(16));
        assert_eq!(with(&written_at(60)), Some(12), "it was there when that was written");
    }

    #[test]
    fn the_number_is_never_below_what_the_pods_of_now_have() {
        let mut tally = DeadLetterTally::default();
        let pods = vec![counting("a", 9, 90.0, 100), counting("b", 8, 90.0, 100)];
        assert_eq!(count(&mut tally, Some(12), pods), Some(17));
    }

    #[test]
    fn a_number_that_cannot_be_does_not_stay() {
        let pods = || vec![counting("a", 4, 0.0, 101)];
        for written in [i64::MAX, MOST.cast_signed(), -1] {
            assert_eq!(count(&mut DeadLetterTally::default(), Some(written), pods()), Some(4));
        }
    }

    #[test]
    fn a_container_that_began_anew_goes_on_counting() {
        let mut tally = DeadLetterTally::default();
        count(&mut tally, None, vec![counting("a", 5, 0.0, 101)]);
        assert_eq!(count(&mut tally, Some(5), vec![counting("a", 1, 0.0, 110)]), Some(6));
        assert_eq!(count(&mut tally, Some(6), vec![counting("a", 3, 9.0, 119)]), Some(8));
    }

    #[test]
    fn a_container_that_has_passed_its_predecessor_since_it_began_anew_counts_in_full() {
        let mut tally = DeadLetterTally::default();
        count(&mut tally, None, vec![counting("a", 5, 0.0, 101)]);
        assert_eq!(count(&mut tally, Some(5), vec![counting("a", 7, 3.0, 120)]), Some(12));
        assert_eq!(count(&mut tally, Some(12), vec![counting("a", 8, 13.0, 130)]), Some(13));
        assert_eq!(count(&mut tally, Some(13), vec![counting("a", 9, 2.0, 150)]), Some(22));
        count(&mut tally, Some(22), Vec::new());
        let out_of_sight = vec![counting("a", 10, 1.0, 160)];
        assert_eq!(count(&mut tally, Some(22), out_of_sight), Some(32));
    }

    #[test]
    fn a_clock_that_was_set_makes_no_new_process() {
        let mut tally = DeadLetterTally::default();
        count(&mut tally, None, vec![counting("a", 5, 0.0, 101)]);
        assert_eq!(count(&mut tally, Some(5), vec![counting("a", 6, 60.0, 164)]), Some(6), "late");
        assert_eq!(count(&mut tally, Some(6), vec![counting("a", 7, 70.0, 3774)]), Some(7));
        assert_eq!(count(&mut tally, Some(7), vec![counting("a", 8, 80.0, 184)]), Some(8));
    }

    #[test]
    fn a_new_operator_goes_on_where_the_old_one_was() {
        let mut tally = DeadLetterTally::default();
        // 12 were written: 7 of pods that are gone, 5 of this one, which goes on to count.
        assert_eq!(count(&mut tally, Some(12), vec![pod("a")]), Some(12));
        assert_eq!(count(&mut tally, Some(12), vec![counting("a", 5, 90.0, 101)]), Some(12));
        assert_eq!(count(&mut tally, Some(12), vec![counting("a", 8, 95.0, 106)]), Some(15));
    }
}
