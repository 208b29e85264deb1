//! Brokers and topics that are named without a pipeline, checked by the rules that hold in one. Pure.

use batchpipe_api::validate::{Violation, check_value};
use serde_json::{Value, json};

/// Addresses of brokers, if `spec.kafka.bootstrapServers` may hold them.
pub fn check_brokers(text: &str) -> Result<String, String> {
    check(text, "spec.kafka.bootstrapServers", &pipeline(text, "topic"))
}

/// The name of a topic, if `spec.topic.name` may hold it.
pub fn check_topic(text: &str) -> Result<String, String> {
    check(text, "spec.topic.name", &pipeline("broker:9092", text))
}

fn pipeline(brokers: &str, topic: &str) -> Value {
    json!({
        "apiVersion": batchpipe_api::pipeline::API_VERSION,
        "kind": batchpipe_api::pipeline::KIND,
        "metadata": {"name": "any"},
        "spec": {
            "kafka": {"bootstrapServers": brokers},
            "topic": {"name": topic},
            // A dead-letter topic of its own: the default's name might be too long when the topic's is not.
            "consumer": {"sink": {"blackhole": {}}, "deadLetter": {"topic": "any.dlq.of.this.check"}},
        },
    })
}

fn check(text: &str, field: &str, pipeline: &Value) -> Result<String, String> {
    let violations = check_value(pipeline.clone()).err().unwrap_or_default();
    let wrong = violations.into_iter().find(|violation: &Violation| violation.path == field);
    wrong.map_or_else(|| Ok(text.to_owned()), |violation| Err(violation.message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_host_and_port() {
        for right in ["kafka:9093", "127.0.0.1:1,[::1]:65535"] {
            assert_eq!(check_brokers(right).as_deref(), Ok(right));
        }
        for wrong in ["", "kafka", "http://kafka:9092", "kafka:99999", "kafka:0", "a:1, b:2"] {
            assert!(check_brokers(wrong).is_err(), "{wrong:?}");
        }
        assert!(check_brokers("kafka").unwrap_err().contains("HOST:PORT"));
    }

    #[test]
    fn topics_have_names_that_kafka_takes() {
        let longest = "t".repeat(249);
        for right in ["rooms", "rooms.dlq", "_", "A-b_c", longest.as_str()] {
            assert_eq!(check_topic(right).as_deref(), Ok(right));
        }
        let too_long = "t".repeat(250);
        for wrong in ["", "a b", "a/b", "..", too_long.as_str()] {
            assert!(check_topic(wrong).is_err(), "{wrong:?}");
        }
    }
}
