//! Topics as objects of Strimzi.

use serde_json::json;

use super::{PATIENCE, await_known, begin, pipeline};
use crate::support::{complaint, kafka, kafka_status, within};

#[test]
fn topics_are_objects_that_strimzi_accepts_and_that_are_made_again_when_deleted() {
    let (namespace, operator) = begin("topics");
    let listeners = [("plain", "lab:9092")];
    namespace.strimzi(&kafka("lab", &[("plain", false, None)]), &kafka_status(&listeners));
    let more = "  topic: {partitions: 3, config: {retention.ms: '60000'}}";
    namespace.apply(&format!("{}{more}", pipeline("plain", None)));
    await_known(namespace);
    let topic = namespace.get("kafkatopic/demo");
    assert_eq!(topic["metadata"]["labels"]["strimzi.io/cluster"], "lab");
    let spec = json!({"partitions": 3, "replicas": 1, "config": {"retention.ms": "60000"}});
    assert_eq!(topic["spec"], spec);
    assert_eq!(namespace.get("kafkatopic/demo.dlq")["spec"]["partitions"], 1);

    // What its owner changes is left alone; what is deleted is made again.
    let patch = r#"{"spec": {"partitions": 7}}"#;
    namespace.kubectl(&["patch", "kafkatopic/demo", "--type=merge", "--patch", patch]);
    namespace.kubectl(&["delete", "kafkatopic/demo.dlq"]);
    within(PATIENCE, "the deleted topic", || namespace.find("kafkatopic/demo.dlq"));
    assert_eq!(namespace.get("kafkatopic/demo")["spec"]["partitions"], 7);

    // A complaint about a topic that is in use is no reason to call the pipeline unready.
    namespace.set_status("kafkatopic/demo", &json!({"conditions": [complaint("partitions")]}));
    let before = operator.faults.count();
    within(PATIENCE, "it to be looked at again", || {
        let seen = operator.faults.seen().split_off(before);
        seen.iter().any(|it| it.path.ends_with("/kafkatopics/demo")).then_some(())
    });
    await_known(namespace);
    operator.stop();
}
