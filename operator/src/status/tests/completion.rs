//! Scenes of a source that has ended.

use batchpipe_api::report::{PartitionLag, WorkloadState};

use super::*;

#[test]
fn a_source_that_has_ended_completes_when_everything_is_delivered() {
    let with = |state, rate, last: PartitionLag| {
        let mut scene = Scene::settled();
        let report = said(&mut scene.observed.producer.pods[0]);
        report.state = state;
        report.rates.records_per_second = rate;
        scene.observed.consumer.pods[1] = consumer("c2", vec![last]);
        in_short(&scene.summary())
    };
    let completed = "Completed Ready=True/Completed Reconciling=- Stalled=-";
    assert_eq!(with(WorkloadState::Completed, 0.0, lag(1, 7, 7)), completed);
    let running = "Running Ready=True/AsDesired Reconciling=- Stalled=-";
    assert_eq!(with(WorkloadState::Completed, 0.0, lag(1, 7, 8)), running);
    assert_eq!(with(WorkloadState::Running, 0.0, lag(1, 7, 7)), running);
    let old_numbers = with(WorkloadState::Completed, 0.1, lag(1, 7, 7));
    assert_eq!(old_numbers, running, "the consumers' numbers may be older than the end");
}

#[test]
fn what_consumers_measured_after_the_end_was_heard_of_completes_at_once() {
    let with = |ended_at| {
        let mut scene = Scene::settled();
        scene.ended_at = ended_at;
        let report = said(&mut scene.observed.producer.pods[0]);
        report.state = WorkloadState::Completed;
        assert!(report.rates.records_per_second > 0.0);
        scene.summary().phase.unwrap()
    };
    // The consumers were asked at second 0.
    assert_eq!(with(Some(-1)), Phase::Completed);
    assert_eq!(with(Some(1)), Phase::Running);
    assert_eq!(with(None), Phase::Running);
}
