//! A namespace is deleted while the operator looks after it: nothing holds that up, nothing that Kubernetes removes is
//! fought for, and no right is said to be missing.

use std::{collections::BTreeMap, thread::sleep, time::Duration};

use serde_json::json;

use crate::support::{
    Faults, Namespace, Operator, Place, Rights, attended, options, wait_for, within,
};

/// How long it may take until a namespace is gone.
const SOON: Duration = Duration::from_mins(1);
/// So many writes of one object in this time.
const MOST: usize = 12;

/// A pipeline that is ready, with an operator whose rights do not go with the namespace.
fn begin() -> (Place, Operator) {
    let (cluster, server) = attended();
    let (home, place) = (Namespace::new(cluster, "ending-home"), Place::new(&server, "ending"));
    let rights = Rights::of_release(home.name, &["clusterWide=true", "rbac.aggregate=false"]);
    let mut options = options(home.name, "operator");
    options.settings.watch_namespaces = vec![place.namespace.clone()];
    let operator = Operator::at(&rights.give(cluster, home.name), options, Faults::none());
    place.create("batchpipelines", &json!({
        "apiVersion": "batchpipe.dev/v1alpha1", "kind": "BatchPipeline", "metadata": {"name": "demo"},
        "spec": {
            "kafka": {"bootstrapServers": "kafka:9093"},
            "producer": {"source": {"http": {}}}, "consumer": {"sink": {"blackhole": {}}},
        },
    }));
    wait_for("the pipeline", || {
        reasons(&place)?.contains(&"Ready AsDesired".to_owned()).then_some(())
    });
    (place, operator)
}

/// Type and reason of each condition; `None`: there is no pipeline, or no status.
fn reasons(place: &Place) -> Option<Vec<String>> {
    let object = place.find("batchpipelines", "demo")?;
    let conditions = object["status"]["conditions"].as_array()?.clone();
    let text = |it: &serde_json::Value| {
        format!(
            "{} {}",
            it["type"].as_str().unwrap_or_default(),
            it["reason"].as_str().unwrap_or_default()
        )
    };
    Some(conditions.iter().map(text).collect())
}

#[test]
fn a_namespace_that_is_deleted_goes_and_nobody_is_accused() {
    let (place, operator) = begin();
    let before = operator.faults.writes().len();
    let path = format!("/api/v1/namespaces/{}", place.namespace);
    place.server.delete(&path, "Background");
    within(SOON, "the namespace to go", || {
        for reason in reasons(&place).into_iter().flatten() {
            assert!(!reason.ends_with("Forbidden"), "{reason}");
        }
        place.server.find(&path).is_none().then_some(())
    });
    // What comes after its end is no better.
    sleep(Duration::from_secs(5));
    let mut tries: BTreeMap<String, usize> = BTreeMap::new();
    for write in operator.faults.writes().split_off(before) {
        *tries.entry(write.path).or_default() += 1;
    }
    println!("writes while the namespace goes: {tries:#?}");
    assert!(tries.values().all(|count| *count <= MOST), "{tries:#?}");
    operator.stop();
}
