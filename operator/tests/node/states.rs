//! Paused, Drained, and gone.

use serde_json::json;

use crate::support::{Manifest, Pipeline, Side, wait_for};

#[test]
fn a_paused_pipeline_has_no_pods_and_goes_on_where_it_was() {
    let Some(pipeline) = Pipeline::flowing(&Manifest::new("paused")) else { return };
    pipeline.patch(&json!({"state": "Paused"}));
    pipeline.await_phase("Paused");
    wait_for("all pods to go", || {
        let sides = [Side::Producer, Side::Consumer];
        sides.iter().all(|side| pipeline.all_pods(*side).is_empty()).then_some(())
    });
    pipeline.patch(&json!({"state": "Running"}));
    pipeline.await_ready();
    pipeline.await_more();
    pipeline.finish();
}

#[test]
fn draining_works_off_a_backlog_even_without_a_consumer_and_can_be_taken_back() {
    let manifest = Manifest::new("drained").with("/consumer/replicas", 0);
    let Some(bed) = crate::support::bed() else { return };
    let pipeline = Pipeline::apply(bed, &manifest);
    pipeline.await_ready();
    wait_for("a backlog", || {
        let ends = bed.stage.kafka().end_offsets("drained");
        ends.is_ok_and(|ends| ends.iter().sum::<i64>() > 50).then_some(())
    });
    assert_eq!(bed.printed.count("drained").lines, 0);
    pipeline.drain();
    assert!(bed.printed.is_begun("drained"));
    pipeline.patch(&json!({"state": "Running", "consumer": {"replicas": 1}}));
    pipeline.await_ready();
    pipeline.await_more();
    pipeline.finish();
}
