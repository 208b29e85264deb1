//! What the broker's or librdkafka's word on a message that was not sent means. Pure.

use batchpipe_api::conditions::reasons;
use rdkafka::error::RDKafkaErrorCode;

/// What a refusal means for the pipeline.
pub(super) const fn reason(code: RDKafkaErrorCode) -> &'static str {
    match code {
        RDKafkaErrorCode::TopicAuthorizationFailed
        | RDKafkaErrorCode::ClusterAuthorizationFailed => reasons::AUTHORIZATION_FAILED,
        RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition => {
            reasons::TOPIC_MISSING
        }
        _ => reasons::PARTITION_CLOSED,
    }
}

/// Whether the broker refuses the size of a message or of the record batch that it was in.
pub(crate) const fn is_size(code: RDKafkaErrorCode) -> bool {
    matches!(code, RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::MessageBatchTooLarge)
}

/// Whether the message failed only because the client had to be taken down, not by itself.
pub(super) const fn is_consequence(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::PurgeQueue
            | RDKafkaErrorCode::PurgeInflight
            | RDKafkaErrorCode::Fatal
            | RDKafkaErrorCode::GaplessGuarantee
    )
}

/// Whether a message that failed like this may be in the log all the same. One that was purged from the queue may
/// have been sent before, and be there to be sent again because no answer came; and so may one that is not authorized any
/// more. A size is that of each attempt, and what a topic that is gone had taken is gone too.
pub(super) const fn is_possibly_persisted(code: RDKafkaErrorCode) -> bool {
    !matches!(
        code,
        RDKafkaErrorCode::MessageSizeTooLarge
            | RDKafkaErrorCode::MessageBatchTooLarge
            | RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownPartition
            | RDKafkaErrorCode::UnknownTopicOrPartition
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_no_attempt_can_have_left_is_surely_not_in_the_log() {
        use RDKafkaErrorCode as Code;
        let unsure = [
            Code::PurgeQueue,
            Code::PurgeInflight,
            Code::MessageTimedOut,
            Code::BrokerTransportFailure,
            Code::TopicAuthorizationFailed,
            Code::NotEnoughReplicasAfterAppend,
        ];
        assert!(unsure.into_iter().all(is_possibly_persisted));
        let sure = [
            Code::MessageSizeTooLarge,
            Code::MessageBatchTooLarge,
            Code::UnknownTopic,
            Code::UnknownPartition,
            Code::UnknownTopicOrPartition,
        ];
        assert!(!sure.into_iter().any(is_possibly_persisted));
    }
}
