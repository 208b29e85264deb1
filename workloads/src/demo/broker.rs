//! The embedded broker: librdkafka's mock cluster, with one topic.

use rdkafka::{error::KafkaError, mocking::MockCluster, producer::DefaultProducerContext};

/// The demo's topic.
pub(super) const TOPIC: &str = "demo";
const PARTITIONS: i32 = 4;

/// A broker inside this process; it ends with it.
pub(super) struct EmbeddedBroker(MockCluster<'static, DefaultProducerContext>);

impl EmbeddedBroker {
    pub(super) fn start() -> Result<Self, KafkaError> {
        let cluster = MockCluster::new(1)?;
        cluster.create_topic(TOPIC, PARTITIONS, 1)?;
        Ok(Self(cluster))
    }

    pub(super) fn bootstrap_servers(&self) -> String {
        self.0.bootstrap_servers()
    }
}
