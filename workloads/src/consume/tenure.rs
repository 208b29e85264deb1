//! What a sink that keeps the group's offsets has to know of an assigned partition.

use std::sync::{Arc, Weak};

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerGroupMetadata};

use super::{assignment::Assigned, group::Context};
use crate::sink::tenure::Tenure;

/// A partition while it is assigned to this member of the group.
pub(super) struct GroupTenure {
    pub(super) assigned: Arc<Assigned>,
    /// Weak, because whoever drops the last reference waits for librdkafka's threads.
    pub(super) client: Weak<BaseConsumer<Context>>,
}

impl Tenure for GroupTenure {
    fn partition(&self) -> i32 {
        self.assigned.partition
    }

    fn topic_id(&self) -> Option<&str> {
        self.assigned.topic_id()
    }

    fn has_ended(&self) -> bool {
        self.assigned.is_abandoned()
    }

    fn member(&self) -> Option<ConsumerGroupMetadata> {
        self.client.upgrade()?.group_metadata()
    }
}
