//! A broker within the process, librdkafka's own, for tests that need one answer of a broker: it can be told to refuse a
//! request.

use std::collections::BTreeMap;

use rdkafka::{mocking::MockCluster, producer::DefaultProducerContext};

use super::client::Cluster;

/// The topic that is there, with one partition.
pub(crate) const TOPIC: &str = "t";

/// A broker; it ends with this.
pub(crate) type StandIn = MockCluster<'static, DefaultProducerContext>;

pub(crate) fn stand_in() -> StandIn {
    let broker = MockCluster::new(1).unwrap();
    broker.create_topic(TOPIC, 1, 1).unwrap();
    broker
}

/// How to get there, for members that hear soon what becomes of their group.
pub(crate) fn cluster_of(broker: &StandIn) -> Cluster {
    let options = [("heartbeat.interval.ms", "50")];
    Cluster {
        bootstrap_servers: broker.bootstrap_servers(),
        options: BTreeMap::from(options.map(|(key, value)| (key.to_owned(), value.to_owned()))),
        ..Cluster::default()
    }
}
