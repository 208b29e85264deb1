//! A partition for as long as it is ours, as sinks see it.

use std::fmt;

use rdkafka::consumer::ConsumerGroupMetadata;

/// One partition's time with this process; a partition that comes back begins another one.
pub trait Tenure: Send + Sync {
    /// The partition's number.
    fn partition(&self) -> i32;

    /// Kafka's id of the topic that its offsets are of, if it is known.
    fn topic_id(&self) -> Option<&str>;

    /// Whether the partition is not ours any more, so that others may be at work there already. While it is being given
    /// back it still is.
    fn has_ended(&self) -> bool;

    /// What proves to brokers that this process is a member of the group, as it is now; none when it is not.
    fn member(&self) -> Option<ConsumerGroupMetadata>;
}

impl fmt::Debug for dyn Tenure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tenure").field("partition", &self.partition()).finish_non_exhaustive()
    }
}

/// A tenure without a group, which lasts.
#[cfg(test)]
pub(crate) fn lasting(partition: i32) -> std::sync::Arc<dyn Tenure> {
    struct Lasting(i32);
    impl Tenure for Lasting {
        fn partition(&self) -> i32 {
            self.0
        }
        fn topic_id(&self) -> Option<&str> {
            None
        }
        fn has_ended(&self) -> bool {
            false
        }
        fn member(&self) -> Option<ConsumerGroupMetadata> {
            None
        }
    }
    std::sync::Arc::new(Lasting(partition))
}
