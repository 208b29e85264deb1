//! What becomes of a pipeline's objects when it is deleted.

use serde_json::json;

use super::http::post;
use crate::support::{Manifest, Pipeline, bed, wait_for};

/// What there may be of a pipeline, and what there must never be: nobody keeps its settings or secrets beside it.
const KINDS: &str = "deployments,replicasets,pods,networkpolicies,poddisruptionbudgets,serviceaccounts,services,\
                     endpointslices,configmaps,secrets";
const RECORDS: u64 = 20;

#[test]
fn a_deleted_pipeline_leaves_nothing_but_its_topic() {
    let Some(bed) = bed() else { return };
    let manifest = Manifest::new("deleted")
        .with("/producer/source", json!({"http": {"port": 8000}}))
        .with("/batch", json!({"linger": "20ms"}));
    let pipeline = Pipeline::apply(bed, &manifest);
    pipeline.await_ready();
    let service = bed.find("service/deleted-producer").unwrap();
    let address = format!("{}:8000", service["spec"]["clusterIP"].as_str().unwrap());
    for record in 0..RECORDS {
        wait_for("the Service to lead to a pod", || {
            (post(&address, "", &format!("{{\"record\":{record}}}")).ok()? == 200).then_some(())
        });
    }
    wait_for("all records to be printed", || {
        (bed.printed.count("deleted").distinct == RECORDS).then_some(())
    });
    let children = || bed.list(KINDS, "app.kubernetes.io/instance=deleted");
    let kinds: Vec<_> = children().iter().map(|it| it["kind"].to_string()).collect();
    println!("deleted: {kinds:?}");
    // Two of five kinds, and the account, the Service and where it leads to.
    assert_eq!(kinds.len(), 13, "{kinds:?}");
    bed.kubectl(&["delete", "bp", "deleted"]);
    wait_for("its children to go", || children().is_empty().then_some(()));
    let audit = pipeline.audit(bed.stage.kafka());
    assert_eq!(audit.records - audit.duplicated, RECORDS, "{audit:?}");
}
