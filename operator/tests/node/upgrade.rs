//! The operator is upgraded while pipelines run.

use crate::support::{Manifest, Pipeline, Pod, Side, bed, wait_for};

#[test]
fn an_upgrade_of_the_operator_changes_nothing_in_what_runs() {
    let Some(bed) = bed() else { return };
    let Some(pipeline) = Pipeline::flowing(&Manifest::new("upgraded")) else { return };
    let sides = [Side::Producer, Side::Consumer];
    let state = || {
        sides.map(|side| {
            let generation = pipeline.deployment(side)["metadata"]["generation"].clone();
            let restarts: i64 = pipeline.pods(side).iter().map(Pod::restarts).sum();
            (generation, pipeline.uids(side), restarts)
        })
    };
    let (before, old) = (state(), bed.operators().remove(0)["metadata"]["uid"].clone());
    bed.helm(&["upgrade", "--wait", "--timeout=3m"], &["log=debug"]);
    wait_for("the old operator to go", || {
        bed.operators().iter().all(|pod| pod["metadata"]["uid"] != old).then_some(())
    });
    // The new one has looked at it when it carries out a change of it.
    pipeline.patch(&serde_json::json!({"consumer": {"scaling": {"maxReplicas": 1}}}));
    wait_for("the new operator's first words", || {
        pipeline.get()["status"].get("scaling").map(|_| ())
    });
    assert_eq!(state(), before);
    pipeline.await_more();
    pipeline.finish();
}
