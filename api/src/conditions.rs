//! Every condition type and reason, in one place: conditions, events, reports and alerts use the same words.

/// Types of conditions.
pub mod types {
    /// The pipeline does what its spec asks for.
    pub const READY: &str = "Ready";
    /// The operator is changing something.
    pub const RECONCILING: &str = "Reconciling";
    /// Nothing will change until somebody acts.
    pub const STALLED: &str = "Stalled";
    /// Kafka's address and credentials are known.
    pub const KAFKA_RESOLVED: &str = "KafkaResolved";
    /// The producer's pods are ready.
    pub const PRODUCER_READY: &str = "ProducerReady";
    /// The consumer's pods are ready.
    pub const CONSUMER_READY: &str = "ConsumerReady";
    /// Every type, in the order in which status lists them.
    pub const ALL: [&str; 6] =
        [READY, RECONCILING, STALLED, KAFKA_RESOLVED, PRODUCER_READY, CONSUMER_READY];
}

/// Reasons of conditions and of what workloads wait for.
pub mod reasons {
    /// All is as asked for.
    pub const AS_DESIRED: &str = "AsDesired";
    /// A change is being rolled out.
    pub const PROGRESSING: &str = "Progressing";
    /// A rollout does not get ahead; the old pods go on.
    pub const ROLLOUT_STUCK: &str = "RolloutStuck";
    /// Pods are missing or not ready.
    pub const PODS_NOT_READY: &str = "PodsNotReady";
    /// The spec cannot be carried out; the message names the field.
    pub const INVALID_SPEC: &str = "InvalidSpec";
    /// Something else has the name, the topic or the group.
    pub const CONFLICT: &str = "Conflict";
    /// Stopped as asked.
    pub const PAUSED: &str = "Paused";
    /// The consumer works off what is left.
    pub const DRAINING: &str = "Draining";
    /// Nothing is left.
    pub const DRAINED: &str = "Drained";
    /// The source has ended.
    pub const COMPLETED: &str = "Completed";
    /// The spec does not ask for this side.
    pub const NOT_REQUESTED: &str = "NotRequested";
    /// The number of pods that the spec asks for is 0.
    pub const SCALED_TO_ZERO: &str = "ScaledToZero";
    /// Not known: nobody has reported yet.
    pub const UNKNOWN: &str = "Unknown";
    /// Address and credentials are known.
    pub const RESOLVED: &str = "Resolved";
    /// The Kafka object, its listener or its user is not there.
    pub const KAFKA_NOT_FOUND: &str = "KafkaNotFound";
    /// The Kafka object says nothing of the listener yet.
    pub const KAFKA_NOT_READY: &str = "KafkaNotReady";
    /// A Secret or a key of it is not there.
    pub const SECRET_MISSING: &str = "SecretMissing";
    /// No broker answers.
    pub const BROKERS_UNREACHABLE: &str = "BrokersUnreachable";
    /// Brokers refuse the login.
    pub const AUTHENTICATION_FAILED: &str = "AuthenticationFailed";
    /// Brokers refuse access to the topic or the group.
    pub const AUTHORIZATION_FAILED: &str = "AuthorizationFailed";
    /// The topic is not there.
    pub const TOPIC_MISSING: &str = "TopicMissing";
    /// The group has not been joined.
    pub const GROUP_NOT_JOINED: &str = "GroupNotJoined";
    /// The broker refuses messages of a partition; they are sent again.
    pub const PARTITION_CLOSED: &str = "PartitionClosed";
    /// The source cannot be read.
    pub const SOURCE_UNAVAILABLE: &str = "SourceUnavailable";
    /// The sink does not take records.
    pub const SINK_UNAVAILABLE: &str = "SinkUnavailable";
    /// The dead-letter topic does not take messages.
    pub const DEAD_LETTER_UNAVAILABLE: &str = "DeadLetterUnavailable";
    /// Another writer has the folder.
    pub const FOLDER_LOCKED: &str = "FolderLocked";
    /// Retention deleted messages before they were read.
    pub const DATA_EXPIRED: &str = "DataExpired";
    /// The operator may not do what it has to; the message names the verb.
    pub const FORBIDDEN: &str = "Forbidden";
    /// The API server does not answer as it should.
    pub const API_ERROR: &str = "ApiError";
    /// Every reason.
    pub const ALL: [&str; 30] = [
        AS_DESIRED,
        PROGRESSING,
        ROLLOUT_STUCK,
        PODS_NOT_READY,
        INVALID_SPEC,
        CONFLICT,
        PAUSED,
        DRAINING,
        DRAINED,
        COMPLETED,
        NOT_REQUESTED,
        SCALED_TO_ZERO,
        UNKNOWN,
        RESOLVED,
        KAFKA_NOT_FOUND,
        KAFKA_NOT_READY,
        SECRET_MISSING,
        BROKERS_UNREACHABLE,
        AUTHENTICATION_FAILED,
        AUTHORIZATION_FAILED,
        TOPIC_MISSING,
        GROUP_NOT_JOINED,
        PARTITION_CLOSED,
        SOURCE_UNAVAILABLE,
        SINK_UNAVAILABLE,
        DEAD_LETTER_UNAVAILABLE,
        FOLDER_LOCKED,
        DATA_EXPIRED,
        FORBIDDEN,
        API_ERROR,
    ];
}

#[cfg(test)]
mod tests {
    use super::{reasons, types};

    #[test]
    fn types_and_reasons_are_distinct_words_that_kubernetes_accepts() {
        for words in [types::ALL.as_slice(), reasons::ALL.as_slice()] {
            let distinct: std::collections::BTreeSet<_> = words.iter().collect();
            assert_eq!(distinct.len(), words.len());
            for word in words {
                assert!(word.starts_with(|c: char| c.is_ascii_uppercase()), "{word}");
                assert!(word.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{word}");
            }
        }
    }
}
