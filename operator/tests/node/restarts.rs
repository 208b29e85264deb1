//! Pods of the pipeline and of the operator are killed.

use serde_json::json;

use crate::support::{Manifest, Pipeline, Pod, Side, bed, wait_for};

/// Waits until the pod with this uid is gone and another one is ready.
fn await_replaced(pipeline: &Pipeline, side: Side, uid: &str) {
    wait_for("another pod", || {
        let pods = pipeline.pods(side);
        (pods.iter().all(|pod| pod.uid() != uid) && pods.iter().any(Pod::is_ready)).then_some(())
    });
    pipeline.await_ready();
    pipeline.await_more();
}

#[test]
fn a_killed_consumer_pod_is_replaced_and_nothing_is_lost() {
    let Some(pipeline) = Pipeline::flowing(&Manifest::new("consumer-killed")) else { return };
    let pod = pipeline.pods(Side::Consumer).remove(0);
    pod.delete_by_force();
    await_replaced(&pipeline, Side::Consumer, pod.uid());
    pipeline.finish();
}

#[test]
fn a_killed_producer_pod_is_replaced_and_nothing_is_lost() {
    let Some(pipeline) = Pipeline::flowing(&Manifest::new("producer-killed")) else { return };
    let pod = pipeline.pods(Side::Producer).remove(0);
    pod.delete_by_force();
    await_replaced(&pipeline, Side::Producer, pod.uid());
    pipeline.finish();
}

#[test]
fn killed_processes_start_again_in_their_pods_and_nothing_is_lost() {
    let Some(pipeline) = Pipeline::flowing(&Manifest::new("processes-killed")) else { return };
    for side in [Side::Consumer, Side::Producer] {
        pipeline.pods(side).remove(0).kill_processes();
        wait_for("the container to be started again", || {
            let pod = pipeline.pods(side).remove(0);
            (pod.restarts() == 1 && pod.is_ready()).then_some(())
        });
    }
    pipeline.await_ready();
    pipeline.await_more();
    pipeline.finish();
}

#[test]
fn a_rollout_is_completed_by_the_next_operator_when_one_is_killed() {
    let Some(bed) = bed() else { return };
    let manifest = Manifest::new("operator-killed").with("/producer/replicas", 2);
    let Some(pipeline) = Pipeline::flowing(&manifest) else { return };
    let before = pipeline.uids(Side::Producer);
    pipeline.patch(&json!({"batch": {"maxRecords": 77}, "state": "Running"}));
    wait_for("the rollout to begin", || {
        pipeline.uids(Side::Producer).iter().any(|uid| !before.contains(uid)).then_some(())
    });
    // Another change, which it hardly gets to see.
    pipeline.patch(&json!({"consumer": {"replicas": 2}}));
    let operator = bed.operators();
    assert!(!operator.is_empty());
    for pod in &operator {
        let name = pod["metadata"]["name"].as_str().unwrap();
        bed.kubectl(&["delete", "pod", name, "--force", "--grace-period=0"]);
    }
    pipeline.await_ready();
    let after = pipeline.uids(Side::Producer);
    assert!(
        after.len() == 2 && after.iter().all(|uid| !before.contains(uid)),
        "{before:?} {after:?}"
    );
    assert_eq!(pipeline.ready_pods(Side::Consumer), 2);
    pipeline.await_more();
    pipeline.finish();
}
