//! The operator is upgraded while pipelines run.

use serde_json::{Value, json};

use crate::support::{Manifest, Pipeline, Pod, Side, bed, wait_for};

/// All that a pipeline's children are of, without what Kubernetes makes of them.
const KINDS: &str = "deployments,networkpolicies,poddisruptionbudgets,serviceaccounts,services";

#[test]
fn an_upgrade_of_the_operator_changes_nothing_in_what_runs() {
    let Some(bed) = bed() else { return };
    let Some(pipeline) = Pipeline::flowing(&Manifest::new("upgraded")) else { return };
    let source = json!({"http": {"port": 8000}});
    // One with a Service; its pods are no matter.
    let served = Manifest::new("upgraded-http").with("/producer/source", source);
    let served = Pipeline::apply(bed, &served.with("/state", "Paused"));
    served.await_phase("Paused");
    let sides = [Side::Producer, Side::Consumer];
    let state = || {
        sides.map(|side| {
            let generation = pipeline.deployment(side)["metadata"]["generation"].clone();
            let restarts: i64 = pipeline.pods(side).iter().map(Pod::restarts).sum();
            (generation, pipeline.uids(side), restarts)
        })
    };
    let objects = || {
        let all = bed.list(KINDS, "app.kubernetes.io/instance in (upgraded,upgraded-http)");
        let of = |it: &Value| {
            let metadata = &it["metadata"];
            (
                format!("{} {}", it["kind"], metadata["name"]),
                metadata["uid"].clone(),
                it["spec"].clone(),
            )
        };
        all.iter().map(of).collect::<Vec<_>>()
    };
    let whole = objects();
    assert_eq!(whole.len(), 15, "{whole:?}");
    let (before, old) = (state(), bed.operators().remove(0)["metadata"]["uid"].clone());
    bed.apply_crd();
    bed.helm(&["upgrade", "--wait", "--timeout=3m"], &["log=debug"]);
    wait_for("the old operator to go", || {
        bed.operators().iter().all(|pod| pod["metadata"]["uid"] != old).then_some(())
    });
    // The new one has looked at it when it carries out a change of it.
    pipeline.patch(&json!({"consumer": {"scaling": {"maxReplicas": 1}}}));
    wait_for("the new operator's first words", || {
        pipeline.get()["status"].get("scaling").map(|_| ())
    });
    assert_eq!(state(), before);
    assert_eq!(objects(), whole);
    bed.kubectl(&["delete", &served.object(), "--wait=false"]);
    pipeline.await_more();
    pipeline.finish();
}
