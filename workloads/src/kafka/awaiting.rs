//! Waiting until a topic can be read, and saying meanwhile what is missing.

use std::time::Duration;

use super::{
    client::Cluster,
    topics::{Admin, Provision, TopicError, TopicSpec, Waiting},
};
use crate::{
    admin::{Gate, Side},
    backoff::Backoff,
    shutdown::Shutdown,
};

/// The first and the longest wait between two questions.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3));

/// Waits for a topic that somebody else makes.
pub struct Awaiting {
    cluster: Cluster,
    topic: TopicSpec,
}

impl Awaiting {
    /// Waits for `topic`, which is not made here: that is the producer's part, or the user's.
    pub fn existing(cluster: &Cluster, topic: &TopicSpec) -> Self {
        Self { cluster: cluster.clone(), topic: topic.clone() }
    }

    /// Waits until the topic is there; returns the number of its partitions, or `None` when a stop was asked
    /// for.
    pub fn wait(&self, side: &Side, shutdown: &Shutdown) -> Option<u32> {
        let mut backoff = Backoff::new(RETRY.0, RETRY.1);
        let mut said = String::new();
        while !shutdown.is_requested() {
            match self.ask() {
                Ok(partitions) => {
                    side.gate(Gate::Brokers).open();
                    side.gate(Gate::Topic).open();
                    return Some(partitions);
                }
                Err(error) => {
                    let waiting = self.explain(&error);
                    waiting.tell(side);
                    if said != waiting.what {
                        tracing::warn!("{}; trying again", waiting.what);
                        said = waiting.what;
                    }
                    shutdown.wait(backoff.next_wait());
                }
            }
        }
        None
    }

    fn ask(&self) -> Result<u32, TopicError> {
        let unreachable = |source| TopicError::Unreachable {
            servers: self.cluster.bootstrap_servers.clone(),
            source,
        };
        let admin = Admin::new(&self.cluster.client_config()).map_err(unreachable)?;
        admin
            .partitions(&self.topic.name)?
            .ok_or_else(|| TopicError::Missing { topic: self.topic.name.clone() })
    }

    fn explain(&self, error: &TopicError) -> Waiting {
        let mut waiting = Waiting::from(error);
        if let (TopicError::Missing { topic }, Provision::Auto) = (error, self.topic.provision) {
            waiting.what =
                format!("topic {topic} does not exist yet; the producer creates it when it starts");
        }
        waiting
    }
}
