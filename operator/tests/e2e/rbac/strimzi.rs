//! As much of Strimzi as the operator looks at: its kinds, and objects as Strimzi leaves them.

use std::sync::Once;

use crate::support::{
    Namespace, cluster, install_strimzi, kafka, kafka_status, manifest, user, user_status,
};

/// Installs the kinds, once.
pub(super) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| install_strimzi(cluster()));
}

/// A Kafka, its user, and a pipeline with both.
pub(super) fn provoke(namespace: Namespace<'_>) {
    namespace.strimzi(
        &kafka("lab", &[("tls", true, Some("tls"))]),
        &kafka_status(&[("tls", "lab:9093")]),
    );
    namespace.strimzi(&user("me", "tls"), &user_status("CN=me", "me"));
    let pipeline = manifest("demo", "");
    let strimzi = "strimzi: {cluster: lab, listener: tls, user: me}";
    namespace.apply(&pipeline.replace("bootstrapServers: 'kafka:9093'", strimzi));
}

/// Whether the topic was made.
pub(super) fn has_topic(namespace: Namespace<'_>) -> bool {
    namespace.find("kafkatopic/demo").is_some()
}
