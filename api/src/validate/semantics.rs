//! What CEL cannot say, or not clearly: rules that compare far-away fields or read numbers out of text.
//!
//! Pure, and only for objects that the first kind of rules has accepted.

use super::violation::Violation;
use crate::{
    codec::Codec,
    pipeline::BatchPipeline,
    spec::{compression::Transport, producer::Producer, sink::KafkaSink, source::KafkaSource},
};

/// Librdkafka options whose values are numbers end like this.
const NUMBERS: [&str; 4] = [".ms", ".bytes", ".max.fails", ".ttl"];
/// Librdkafka options whose values are `true` or `false`.
const SWITCHES: [&str; 4] = [
    "socket.keepalive.enable",
    "socket.nagle.disable",
    "log.connection.close",
    "enable.metrics.push",
];
/// The most bytes of a side's `pod.annotations`, names and values together.
const MOST_ANNOTATIONS: usize = 16 << 10;
/// What a message adds to its batch, in bytes: headers and framing, rounded up.
const MESSAGE_OVERHEAD: u64 = 512;

/// Everything that cannot be carried out although the API server accepts it.
pub fn validate(pipeline: &BatchPipeline) -> Vec<Violation> {
    let mut violations = Vec::new();
    options(pipeline, &mut violations);
    in_sync_replicas(pipeline, &mut violations);
    message_size(pipeline, &mut violations);
    loops(pipeline, &mut violations);
    annotations(pipeline, &mut violations);
    violations
}

/// What all annotations of a pod come to is in each pod of a side, and there may be a thousand.
fn annotations(pipeline: &BatchPipeline, violations: &mut Vec<Violation>) {
    let producer = pipeline.spec.producer.as_ref().map(|it| ("producer", &it.pod));
    let consumer = pipeline.spec.consumer.as_ref().map(|it| ("consumer", &it.pod));
    for (side, pod) in [producer, consumer].into_iter().flatten() {
        let bytes: usize =
            pod.annotations.iter().map(|(name, value)| name.len() + value.len()).sum();
        if bytes > MOST_ANNOTATIONS {
            let message =
                format!("must have at most {MOST_ANNOTATIONS} bytes together, have {bytes}");
            violations.push(Violation::rule(format!("spec.{side}.pod.annotations"), message));
        }
    }
}

fn options(pipeline: &BatchPipeline, violations: &mut Vec<Violation>) {
    for (name, value) in &pipeline.spec.kafka.options {
        let expected =
            if NUMBERS.iter().any(|end| name.ends_with(end)) && value.parse::<u32>().is_err() {
                "must be a whole number"
            } else if SWITCHES.contains(&name.as_str()) && value != "true" && value != "false" {
                "must be \"true\" or \"false\""
            } else {
                continue;
            };
        violations.push(Violation::rule(format!("spec.kafka.options.{name}"), expected));
    }
}

fn in_sync_replicas(pipeline: &BatchPipeline, violations: &mut Vec<Violation>) {
    let topic = &pipeline.spec.topic;
    let Some(needed) = topic.config.get("min.insync.replicas") else { return };
    let copies = topic.replication_factor;
    if needed.parse::<i32>().is_ok_and(|needed| (1..=copies).contains(&needed)) {
        return;
    }
    violations.push(
        Violation::rule(
            "spec.topic.config.min.insync.replicas",
            format!("must be 1 to {copies}, the replicationFactor; with more, no message would ever be acknowledged"),
        )
        .found(&needed.as_str().into()),
    );
}

/// Without any compression, full batches are as large as they can be.
fn message_size(pipeline: &BatchPipeline, violations: &mut Vec<Violation>) {
    let Some(text) = pipeline.spec.topic.config.get("max.message.bytes") else { return };
    let path = "spec.topic.config.max.message.bytes";
    let Ok(most) = text.parse::<u64>() else {
        return violations.push(
            Violation::rule(path, "must be a whole number of bytes").found(&text.as_str().into()),
        );
    };
    let compression = &pipeline.spec.compression;
    let grows = compression.codec == Codec::None && compression.transport == Transport::None;
    let batch = pipeline.spec.batch.max_bytes;
    if pipeline.spec.producer.is_some() && grows && batch.bytes() + MESSAGE_OVERHEAD > most {
        let message = format!(
            "full batches of {batch} would not fit without compression; set batch.maxBytes to at most {} or choose a codec",
            most.saturating_sub(MESSAGE_OVERHEAD)
        );
        violations.push(Violation::rule(path, message).found(&text.as_str().into()));
    }
}

fn loops(pipeline: &BatchPipeline, violations: &mut Vec<Violation>) {
    let Some(source) = same_cluster_source(pipeline.spec.producer.as_ref()) else { return };
    let path = "spec.producer.source.kafka";
    if sink(pipeline).is_some_and(|sink| sink.topic == source.topic) {
        let message = "must not be the sink's topic: records would go round for ever";
        violations.push(
            Violation::rule(format!("{path}.topic"), message).found(&source.topic.as_str().into()),
        );
    }
    if source.topic == pipeline.dead_letter_topic() {
        let message = "must not be the dead-letter topic: what cannot be processed would go round for ever; \
                       use batchpipe redrive";
        violations.push(
            Violation::rule(format!("{path}.topic"), message).found(&source.topic.as_str().into()),
        );
    }
    let group = pipeline.source_group().unwrap_or_default();
    if pipeline.spec.consumer.is_some() && group == pipeline.group() {
        let message =
            "must not be the consumer's group: each would take partitions of the other's topic";
        violations.push(Violation::rule(format!("{path}.group"), message).found(&group.into()));
    }
}

fn same_cluster_source(producer: Option<&Producer>) -> Option<&KafkaSource> {
    producer?.source.kafka.as_ref().filter(|source| source.bootstrap_servers.is_none())
}

fn sink(pipeline: &BatchPipeline) -> Option<&KafkaSink> {
    pipeline.spec.consumer.as_ref()?.sink.kafka.as_ref()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::validate::check_value;

    /// How a pipeline is refused whose pods have so many annotations of 4000 bytes.
    fn refusal(annotations: usize) -> Vec<String> {
        let all: serde_json::Map<_, _> = (0..annotations)
            .map(|it| (format!("example.com/{it}"), "x".repeat(4000).into()))
            .collect();
        let object = json!({
            "apiVersion": "batchpipe.dev/v1alpha1", "kind": "BatchPipeline", "metadata": {"name": "a"},
            "spec": {
                "kafka": {"bootstrapServers": "h:1"},
                "consumer": {"sink": {"blackhole": {}}, "pod": {"annotations": all}},
            },
        });
        let found = check_value(object).err().unwrap_or_default();
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn annotations_of_pods_have_a_bound_together() {
        assert!(refusal(4).is_empty());
        let found = refusal(5);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("spec.consumer.pod.annotations"), "{found:?}");
        assert!(found[0].contains("at most 16384 bytes together, have 20065"), "{found:?}");
    }
}
