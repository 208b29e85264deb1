//! The whole way: a pipeline is created, its children appear, and then nothing is written any more.

use crate::support::{Namespace, Operator, cluster, wait_for};

#[test]
fn a_pipeline_gets_its_children_and_a_status() {
    let namespace = Namespace::new(cluster(), "path");
    let operator = Operator::start(namespace);
    namespace.pipeline("demo", "");
    namespace.await_children("demo");
    wait_for("a status", || {
        let object = namespace.get("batchpipeline/demo");
        (object["status"]["observedGeneration"] == object["metadata"]["generation"]).then_some(())
    });
    let deployment = namespace.get("deployment/demo-producer");
    let owner = &deployment["metadata"]["ownerReferences"][0];
    assert_eq!(owner["uid"], namespace.get("batchpipeline/demo")["metadata"]["uid"]);
    operator.stop();
}
