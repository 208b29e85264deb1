//! One fact each about the numbers of pipelines with several pods.

use batchpipe_api::{pipeline::DesiredState, report::PartitionLag, status::DrainingStatus};

use super::*;
use crate::{
    decide::{Decision, Drain},
    observe::{
        Observed,
        testing::{lag, pod, said, settled},
    },
    status::{
        Outcome,
        testing::{Scene, consumer, decided, producer},
    },
};

fn numbers(change: impl FnOnce(&mut Scene)) -> DataStatus {
    Scene::changed(change).summary().data.unwrap()
}

#[test]
fn rates_of_all_consumers_are_added() {
    assert_eq!(numbers(|_| {}).records_per_second, Some(120));
}

#[test]
fn without_consumers_the_producers_rate_counts() {
    let alone = numbers(|scene| {
        scene.object.spec.consumer = None;
        scene.outcome = decided(2, 0);
        scene.observed.consumer = settled(Vec::new());
        scene.observed.producer = settled(vec![producer("a"), producer("b")]);
    });
    assert_eq!(alone.records_per_second, Some(241));
    assert_eq!((alone.lag_messages, alone.lag_records, alone.lag_seconds), (None, None, None));
}

#[test]
fn a_ready_pod_that_says_nothing_makes_the_rate_unknown_and_a_starting_one_does_not() {
    let silent = |is_ready| {
        numbers(|scene| {
            scene
                .observed
                .consumer
                .pods
                .push(crate::observe::ObservedPod { is_ready, ..pod("c3") });
        })
    };
    assert_eq!(silent(true).records_per_second, None);
    assert_eq!(silent(false).records_per_second, Some(120));
}

#[test]
fn the_ratio_is_that_of_all_bytes_not_the_mean_of_ratios() {
    let two = numbers(|scene| {
        let mut other = producer("p2");
        let accounting = &mut said(&mut other).accounting;
        (accounting.raw_bytes, accounting.wire_bytes) = (1000, 500);
        scene.observed.producer = settled(vec![producer("p1"), other]);
    });
    assert_eq!(two.ratio.as_deref(), Some("6.0x"));
    assert_eq!(two.saved_percent, Some(83));
}

#[test]
fn without_producers_the_ratio_is_what_consumers_read() {
    let found = numbers(|scene| scene.observed.producer = settled(Vec::new()));
    assert_eq!(found.ratio.as_deref(), Some("3.0x"));
}

#[test]
fn data_that_grew_saves_less_than_nothing() {
    let grown = numbers(|scene| {
        said(&mut scene.observed.producer.pods[0]).accounting.wire_bytes = 10_000;
    });
    assert_eq!((grown.ratio.as_deref(), grown.saved_percent), (Some("0.8x"), Some(-25)));
}

#[test]
fn lag_is_the_sum_over_partitions_and_the_oldest_record() {
    let found = numbers(|scene| {
        let mut first = lag(0, 5, 9);
        first.seconds = Some(11.6);
        scene.observed.consumer =
            settled(vec![consumer("a", vec![first]), consumer("b", vec![lag(1, 7, 8)])]);
    });
    assert_eq!(
        (found.lag_messages, found.lag_records, found.lag_seconds),
        (Some(5), Some(50), Some(12))
    );
}

#[test]
fn lag_is_unknown_while_a_partition_belongs_to_nobody() {
    let found = numbers(|scene| {
        said(&mut scene.observed.consumer.pods[1]).lag.clear();
    });
    assert_eq!((found.lag_messages, found.lag_seconds), (None, None));
    assert_eq!(found.records_per_second, Some(120), "the rest is known");
}

#[test]
fn what_one_partition_does_not_say_is_unknown_for_all() {
    let found = numbers(|scene| {
        said(&mut scene.observed.consumer.pods[1]).lag[0].seconds = None;
    });
    assert_eq!((found.lag_messages, found.lag_seconds), (Some(0), None));
}

#[test]
fn a_partition_that_changes_hands_counts_once() {
    let found = numbers(|scene| {
        let twice = vec![lag(0, 5, 9), lag(1, 7, 8)];
        scene.observed.consumer = settled(vec![consumer("a", twice.clone()), consumer("b", twice)]);
    });
    assert_eq!(found.lag_messages, Some(5));
}

#[test]
fn nothing_runs_is_a_rate_of_nothing_but_the_lag_is_unknown() {
    let found = numbers(|scene| {
        scene.object.spec.state = DesiredState::Paused;
        scene.outcome = decided(0, 0);
        scene.observed = Observed { producer: settled(Vec::new()), consumer: settled(Vec::new()) };
    });
    assert_eq!((found.records_per_second, found.lag_records, found.ratio), (Some(0), None, None));
}

/// A pipeline that is seen to be drained with these ends of its partitions, and then without any pod.
fn drained(first: PartitionLag, second: PartitionLag) -> [DataStatus; 2] {
    let mut scene = Scene::settled();
    scene.object.spec.state = DesiredState::Drained;
    let draining = DrainingStatus::default();
    let outcome = |drain| {
        let decision = Decision { drain: Some(drain), ..Decision::default() };
        Outcome::Applied(crate::apply::Applied::default(), decision)
    };
    scene.outcome = outcome(Drain::Ending(draining.clone()));
    scene.observed.producer = settled(Vec::new());
    scene.observed.consumer = settled(vec![consumer("a", vec![first, second])]);
    let seen = scene.pass().data.unwrap();
    scene.outcome = outcome(Drain::Done(draining));
    scene.observed = Observed::default();
    scene.pass();
    [seen, scene.pass().data.unwrap()]
}

#[test]
fn what_was_drained_has_no_lag() {
    let mut never_read = lag(1, 0, 0);
    (never_read.position, never_read.records, never_read.seconds) = (None, None, None);
    for data in drained(lag(0, 5, 5), never_read) {
        assert_eq!(
            (data.lag_messages, data.lag_records, data.lag_seconds),
            (Some(0), Some(0), Some(0))
        );
    }
}

#[test]
fn what_others_have_written_since_is_lag_also_of_what_was_drained() {
    for data in drained(lag(0, 5, 5), lag(1, 7, 9)) {
        assert_eq!((data.lag_messages, data.lag_records), (Some(2), Some(20)));
    }
}

#[test]
fn what_was_measured_before_draining_is_not_the_lag_of_what_is_drained() {
    let mut scene = Scene::settled();
    scene.pass();
    scene.object.spec.state = DesiredState::Drained;
    let drain = Some(Drain::Ending(DrainingStatus::default()));
    let decision = Decision { drain, ..Decision::default() };
    scene.outcome = Outcome::Applied(crate::apply::Applied::default(), decision);
    scene.observed = Observed::default();
    assert_eq!(scene.summary().data.unwrap().lag_messages, None);
}

#[test]
fn when_nothing_is_known_there_are_no_numbers() {
    let scene = Scene::changed(|scene| {
        for pods in [&mut scene.observed.producer.pods, &mut scene.observed.consumer.pods] {
            for pod in pods {
                pod.report = None;
            }
        }
    });
    assert_eq!(scene.summary().data, None);
}

#[test]
fn a_lag_that_was_measured_long_ago_is_not_the_lag_of_now() {
    let after = |second| numbers(|scene| scene.second = second).lag_records;
    assert_eq!(after(15), Some(0));
    assert_eq!(after(16), None);
}

#[test]
fn numbers_that_only_a_forged_report_has_stay_within_a_column() {
    let of = |raw_bytes, wire_bytes| {
        let data = numbers(|scene| {
            let accounting = &mut said(&mut scene.observed.producer.pods[0]).accounting;
            (accounting.raw_bytes, accounting.wire_bytes) = (raw_bytes, wire_bytes);
        });
        (data.saved_percent.unwrap(), data.ratio.unwrap())
    };
    assert_eq!(of(MOST - 1, 1), (100, "99999.9x".to_owned()));
    assert_eq!(of(1, MOST - 1), (-999, "0.0x".to_owned()));
    let lag = numbers(|scene| {
        said(&mut scene.observed.consumer.pods[0]).lag[0].records = Some(MOST - 1);
        said(&mut scene.observed.consumer.pods[1]).lag[0].records = Some(MOST - 1);
    });
    assert_eq!(lag.lag_records, Some(MOST.cast_signed()));
}
