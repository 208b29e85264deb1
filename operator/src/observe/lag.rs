//! How far the consumers are, put together from the reports of all of them. Pure.
//!
//! What a report says of a partition may be older than the report: each partition has its own time, by our clock.

use std::collections::BTreeMap;

use batchpipe_api::report::PartitionLag;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::{ObservedPod, ObservedSide};

/// What was last heard of one partition.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// What was heard.
    pub lag: PartitionLag,
    /// Nothing of it is older than this, by our clock, however the pod's clock goes.
    pub at: Timestamp,
}

/// All partitions that pods speak of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Partitions {
    /// How many the topic has; absent: nobody has said.
    pub count: Option<i32>,
    /// The newest word of each. Of a partition that changes hands there may be none.
    pub known: BTreeMap<i32, Measured>,
}

impl Partitions {
    /// What these pods say.
    pub fn of(side: &ObservedSide) -> Self {
        let mut known: BTreeMap<i32, Measured> = BTreeMap::new();
        for measured in side.pods.iter().flat_map(measured) {
            let newest = known.entry(measured.lag.partition).or_insert(measured);
            if measured.at > newest.at {
                *newest = measured;
            }
        }
        let said = side.reports().filter_map(|report| report.partitions).max();
        let highest = known.keys().next_back().map_or(0, |highest| highest + 1);
        Self { count: said.map(|said| said.max(highest)), known }
    }

    /// The newest word of every partition, if there is one of each.
    pub fn all(&self) -> Option<Vec<&Measured>> {
        (0..self.count?).map(|partition| self.known.get(&partition)).collect()
    }
}

fn measured(pod: &ObservedPod) -> impl Iterator<Item = Measured> {
    let both = pod.report.as_ref().zip(pod.asked_at);
    both.into_iter().flat_map(|(report, asked_at)| {
        report.lag.iter().filter_map(move |lag| {
            let age =
                SignedDuration::from_millis(report.begun_at_ms.checked_sub(lag.asked_at_ms?)?);
            let at = asked_at.checked_sub(age.max(SignedDuration::ZERO)).ok()?;
            Some(Measured { lag: *lag, at })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::testing::{consumer_pod, lag, moment, said};

    fn side(pods: Vec<ObservedPod>) -> ObservedSide {
        ObservedSide { pods, ..ObservedSide::default() }
    }

    #[test]
    fn what_is_said_of_a_partition_is_as_old_as_its_question_by_our_clock() {
        let mut pod = consumer_pod("a", vec![lag(0, 5, 5)]);
        let report = said(&mut pod);
        // The pod's clock is a day ahead; it asked the brokers 7 s before it made the report.
        report.begun_at_ms += 86_400_000;
        report.lag[0].asked_at_ms = Some(report.begun_at_ms - 7_000);
        pod.asked_at = Some(moment(100));
        assert_eq!(Partitions::of(&side(vec![pod])).known[&0].at, moment(93));
    }

    #[test]
    fn the_newest_word_counts_when_two_pods_speak_of_a_partition() {
        let (mut old, mut new) =
            (consumer_pod("a", vec![lag(0, 1, 9)]), consumer_pod("b", vec![lag(0, 9, 9)]));
        old.asked_at = Some(moment(10));
        new.asked_at = Some(moment(11));
        for pods in [vec![old.clone(), new.clone()], vec![new, old]] {
            assert_eq!(Partitions::of(&side(pods)).known[&0].lag.position, Some(9));
        }
    }

    #[test]
    fn a_partition_of_which_nobody_speaks_makes_all_of_them_unknown() {
        let mut pod = consumer_pod("a", vec![lag(0, 1, 1), lag(1, 1, 1)]);
        assert_eq!(Partitions::of(&side(vec![pod.clone()])).all().unwrap().len(), 2);
        said(&mut pod).partitions = Some(3);
        assert_eq!(Partitions::of(&side(vec![pod.clone()])).all(), None);
        said(&mut pod).partitions = None;
        assert_eq!(Partitions::of(&side(vec![pod])).all(), None);
    }

    #[test]
    fn what_has_no_time_does_not_count() {
        let mut pod = consumer_pod("a", vec![lag(0, 1, 1)]);
        said(&mut pod).lag[0].asked_at_ms = None;
        assert!(Partitions::of(&side(vec![pod])).known.is_empty());
    }
}
