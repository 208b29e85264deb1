//! What people are told of a source that waits: in the names of the fields that they would have to change. Pure.

use batchpipe_api::report::missing_topic;

use super::KafkaOptions;
use crate::{error::chain, kafka::topics::TopicError};

/// The source's fields, as the words of every client name them.
const FIELDS: [&str; 3] = ["spec.kafka.bootstrapServers", "spec.kafka.tls", "spec.kafka.sasl"];

/// What a trouble with the topic is called.
pub(super) fn explain(error: &TopicError, options: &KafkaOptions) -> String {
    let said = match error {
        TopicError::Missing { topic } => {
            format!(
                "{}; create it, or correct spec.producer.source.kafka.topic",
                missing_topic(topic)
            )
        }
        other => chain(other),
    };
    about(&said, options)
}

/// The same for words that were chosen already.
pub(super) fn about(said: &str, options: &KafkaOptions) -> String {
    let mut said = said.to_owned();
    if options.is_other_cluster {
        said = said.replace(" (or --brokers, KAFKA_BROKER)", "");
        for field in FIELDS {
            let own = field.replace("spec.kafka.", "spec.producer.source.kafka.");
            said = said.replace(field, &own);
        }
    }
    format!("the Kafka source: {said}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{chunk::Rules, kafka::client::Cluster};

    fn options(is_other_cluster: bool) -> KafkaOptions {
        KafkaOptions {
            cluster: Cluster::default(),
            is_other_cluster,
            topic: "raw".to_owned(),
            group: "g".to_owned(),
            rules: Rules { validate: true, key: None },
            max_record_bytes: 1,
        }
    }

    #[test]
    fn the_fields_are_those_of_the_cluster_that_is_meant() {
        let error = TopicError::Unreachable { servers: "b:1".to_owned(), remark: "r".to_owned() };
        let own = explain(&error, &options(true));
        assert!(own.contains("check spec.producer.source.kafka.bootstrapServers and"), "{own}");
        let same = explain(&error, &options(false));
        assert!(same.contains("check spec.kafka.bootstrapServers (or --brokers"), "{same}");
    }

    #[test]
    fn a_missing_topic_is_not_ours_to_make() {
        let said = explain(&TopicError::Missing { topic: "raw".to_owned() }, &options(false));
        assert!(said.contains("topic raw does not exist; create it"), "{said}");
    }
}
