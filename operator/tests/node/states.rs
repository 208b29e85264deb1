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
fn a_pipeline_that_only_consumes_what_another_one_sends_drains_to_the_end_that_was_there() {
    let Some(bed) = crate::support::bed() else { return };
    let topic = json!({"name": "mine", "partitions": 4});
    let other = Manifest::new("other").with("/topic", topic.clone()).without("consumer");
    let other = Pipeline::apply(bed, &other);
    let mine = Manifest::new("mine").with("/topic", topic).without("producer");
    let mine = Pipeline::apply(bed, &mine);
    mine.await_ready();
    mine.await_more();
    // While the other one goes on, so that the end moves.
    mine.patch(&json!({"state": "Drained"}));
    mine.await_phase("Drained");
    wait_for("its pods to go", || mine.all_pods(Side::Consumer).is_empty().then_some(()));
    assert_eq!(other.ready_pods(Side::Producer), 1);
    println!("mine: drained at first with {:?} printed", bed.printed.count("mine"));
    other.patch(&json!({"state": "Drained"}));
    other.await_phase("Drained");
    // What came after its end is read when it runs again: the audit of the topic finds all of it printed.
    mine.patch(&json!({"state": "Running"}));
    mine.await_ready();
    mine.finish();
    bed.kubectl(&["delete", &other.object(), "--wait=false"]);
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
