//! A cluster that does not know Strimzi's kinds.

use super::{PATIENCE, await_known, await_unknown, pipeline};
use crate::support::{
    Namespace, Operator, Server, attend, install, install_strimzi, kafka, kafka_status, manifest,
    wait_for, within,
};

#[test]
fn without_strimzi_that_is_said_and_others_are_not_touched_until_it_is_installed() {
    // One of its own, because in that of the other tests the kinds may be installed at any time.
    let cluster = batchpipe_testbed::control_plane().unwrap();
    install(&cluster);
    attend(&Server::of(&cluster));
    let namespace = Namespace::new(&cluster, "without");
    let operator = Operator::start(namespace);
    namespace.apply(&pipeline("plain", None));
    await_unknown(
        namespace,
        "KafkaNotFound",
        "does not serve Kafka of kafka.strimzi.io/v1; install Strimzi",
    );
    namespace.apply(&manifest("plain", ""));
    namespace.await_children("plain");
    wait_for("the plain one to be ready", || {
        let ready = namespace.condition("plain", "Ready")?;
        (ready["reason"] == "AsDesired").then_some(())
    });
    let before = namespace.get("deployment/plain-producer")["metadata"]["generation"].clone();

    install_strimzi(&cluster);
    await_unknown(namespace, "KafkaNotFound", "Kafka lab does not exist");
    namespace
        .strimzi(&kafka("lab", &[("plain", false, None)]), &kafka_status(&[("plain", "lab:9092")]));
    await_known(namespace);
    within(PATIENCE, "the topic", || namespace.find("kafkatopic/demo"));
    let after = namespace.get("deployment/plain-producer")["metadata"]["generation"].clone();
    assert_eq!(before, after);
    operator.stop();
}
