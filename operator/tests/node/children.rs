//! What becomes of a pipeline's objects when it is deleted.

use crate::support::{Manifest, Pipeline, bed, wait_for};

const KINDS: &str =
    "deployments,replicasets,pods,networkpolicies,poddisruptionbudgets,serviceaccounts";

#[test]
fn a_deleted_pipeline_leaves_nothing_but_its_topic() {
    let Some(bed) = bed() else { return };
    let Some(pipeline) = Pipeline::flowing(&Manifest::new("deleted")) else { return };
    let children = || bed.list(KINDS, "app.kubernetes.io/instance=deleted");
    assert!(children().len() >= 11, "two of each but the account: {}", children().len());
    bed.kubectl(&["delete", "bp", "deleted"]);
    wait_for("its children to go", || children().is_empty().then_some(()));
    let audit = pipeline.audit(bed.stage.kafka());
    let printed = bed.printed.count("deleted");
    println!("deleted: {audit:?}, printed {printed:?}");
    assert!(audit.records > 0 && printed.distinct <= audit.records);
}
