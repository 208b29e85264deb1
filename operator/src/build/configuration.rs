//! What the pods of one side are told: a BatchPipeline with what this side needs and nothing else. Pure.
//!
//! A field that is not in the text can change without new pods. So the text has neither state nor numbers of pods, a
//! codec does not concern consumers, and a sink does not concern producers. The workload checks it with the rules for any
//! pipeline; what these ask of the other side is filled in with something that they accept.

use batchpipe_api::{
    pipeline::{API_VERSION, BatchPipelineSpec, KIND},
    report::Role,
    spec::{
        consumer::{Consumer, Limits},
        sink::{Blackhole, Sink},
        topic::Provision,
    },
};
use serde_json::{Map, Value, json};

use crate::pipeline::Pipeline;

/// The text of the variable `BATCHPIPE_PIPELINE` for one side, in JSON.
pub fn configuration(pipeline: &Pipeline, role: Role) -> String {
    let spec = match role {
        Role::Producer => for_producer(common(pipeline)),
        Role::Consumer => for_consumer(common(pipeline)),
    };
    let object = json!({
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": pipeline.name, "namespace": pipeline.namespace},
        "spec": spec,
    });
    sorted(object).to_string()
}

/// With Strimzi, topics are made by its operator: the pods may lack the right to, and wait until they are there.
fn common(pipeline: &Pipeline) -> BatchPipelineSpec {
    let mut spec = pipeline.spec.clone();
    if pipeline.strimzi_cluster.is_some() {
        spec.topic.provision = Provision::Never;
        if let Some(consumer) = &mut spec.consumer {
            consumer.dead_letter.provision = Provision::Never;
        }
    }
    spec
}

fn for_producer(mut spec: BatchPipelineSpec) -> Value {
    let limits = limits_for(&spec);
    spec.consumer = spec.consumer.map(|consumer| dead_letters_only(consumer, limits));
    let mut value = as_value(&spec);
    remove(&mut value, "/producer", &["replicas", "pod"]);
    remove(&mut value, "/consumer", &["replicas"]);
    remove(&mut value, "", &["state", "image"]);
    value
}

fn for_consumer(mut spec: BatchPipelineSpec) -> Value {
    spec.producer = None;
    let mut value = as_value(&spec);
    remove(&mut value, "/consumer", &["replicas", "scaling", "pod"]);
    remove(&mut value, "/topic", &["partitions", "config"]);
    remove(&mut value, "", &["state", "image", "batch", "compression"]);
    value
}

/// All that a producer uses of a consumer is where dead letters go; the group keeps a source's group from being taken for it.
fn dead_letters_only(consumer: Consumer, limits: Limits) -> Consumer {
    Consumer {
        sink: Sink { blackhole: Some(Blackhole {}), ..Sink::default() },
        limits,
        scaling: None,
        pod: batchpipe_api::spec::pod::Pod::default(),
        ..consumer
    }
}

/// Limits that accept every batch of the producer: its own consumer's may change without new producers.
fn limits_for(spec: &BatchPipelineSpec) -> Limits {
    let least = Limits::default();
    Limits {
        max_batch_bytes: least.max_batch_bytes.max(spec.batch.max_bytes),
        max_batch_records: least.max_batch_records.max(spec.batch.max_records),
    }
}

fn as_value(spec: &BatchPipelineSpec) -> Value {
    serde_json::to_value(spec).expect("a spec of plain values is valid JSON")
}

fn remove(value: &mut Value, pointer: &str, names: &[&str]) {
    if let Some(fields) = value.pointer_mut(pointer).and_then(Value::as_object_mut) {
        fields.retain(|name, _| !names.contains(&name.as_str()));
    }
}

/// The same with the fields of every object in alphabetical order, whatever order the JSON library keeps.
pub(super) fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<(String, Value)> =
                fields.into_iter().map(|(name, value)| (name, sorted(value))).collect();
            fields.sort_by(|(one, _), (other, _)| one.cmp(other));
            Value::Object(fields.into_iter().collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        plain => plain,
    }
}

#[cfg(test)]
mod tests {
    use batchpipe_api::{
        codec::Codec,
        pipeline::{BatchPipeline, DesiredState},
        validate::{check_text, locally},
    };

    use super::*;
    use crate::build::fixture::{EVERYTHING, FILES, REBATCH, TELEMETRY, pipeline};

    fn told(pipeline: &Pipeline, role: Role) -> BatchPipeline {
        let text = configuration(pipeline, role);
        check_text(&text).unwrap_or_else(|violations| panic!("{text}: {violations:?}"))
    }

    /// What both sides are told before and after a change.
    fn changes(text: &str, change: impl Fn(&mut BatchPipelineSpec)) -> Vec<Role> {
        let (before, mut after) = (pipeline(text), pipeline(text));
        change(&mut after.spec);
        assert_ne!(before.spec, after.spec, "the change changes nothing");
        let differs = |role: &Role| configuration(&before, *role) != configuration(&after, *role);
        Role::ALL.into_iter().filter(differs).collect()
    }

    #[test]
    fn the_workload_accepts_what_it_is_told() {
        for text in [TELEMETRY, EVERYTHING, FILES, REBATCH] {
            for role in Role::ALL {
                assert_eq!(locally(&told(&pipeline(text), role)), []);
            }
        }
    }

    #[test]
    fn each_side_is_told_the_same_names_as_the_pipeline_has() {
        for text in [TELEMETRY, EVERYTHING, FILES, REBATCH] {
            let pipeline = pipeline(text);
            let (producer, consumer) =
                (told(&pipeline, Role::Producer), told(&pipeline, Role::Consumer));
            for told in [&producer, &consumer] {
                assert_eq!(told.topic_name(), pipeline.topic);
                assert_eq!(told.dead_letter_topic(), pipeline.dead_letter_topic);
                assert_eq!(told.spec.kafka, pipeline.spec.kafka);
            }
            let source = &pipeline.spec.producer.as_ref().unwrap().source;
            assert_eq!(producer.spec.producer.unwrap().source, *source);
            let sink = &pipeline.spec.consumer.as_ref().unwrap().sink;
            assert_eq!(consumer.spec.consumer.unwrap().sink, *sink);
        }
    }

    #[test]
    fn a_codec_does_not_concern_consumers() {
        let change = |spec: &mut BatchPipelineSpec| spec.compression.codec = Codec::Zlib;
        assert_eq!(changes(TELEMETRY, change), [Role::Producer]);
    }

    #[test]
    fn the_size_of_batches_does_not_concern_consumers() {
        let change = |spec: &mut BatchPipelineSpec| spec.batch.max_records += 1;
        assert_eq!(changes(TELEMETRY, change), [Role::Producer]);
    }

    #[test]
    fn partitions_do_not_concern_consumers() {
        let change = |spec: &mut BatchPipelineSpec| spec.topic.partitions += 1;
        assert_eq!(changes(TELEMETRY, change), [Role::Producer]);
    }

    #[test]
    fn a_sink_does_not_concern_producers() {
        let change = |spec: &mut BatchPipelineSpec| {
            let blackhole = Sink { blackhole: Some(Blackhole {}), ..Sink::default() };
            spec.consumer.as_mut().unwrap().sink = blackhole;
        };
        assert_eq!(changes(TELEMETRY, change), [Role::Consumer]);
    }

    #[test]
    fn limits_do_not_concern_producers() {
        let change = |spec: &mut BatchPipelineSpec| {
            spec.consumer.as_mut().unwrap().limits.max_batch_records *= 2;
        };
        assert_eq!(changes(TELEMETRY, change), [Role::Consumer]);
    }

    #[test]
    fn state_image_numbers_and_pods_concern_neither() {
        let change = |spec: &mut BatchPipelineSpec| {
            spec.state = DesiredState::Drained;
            spec.image = "other:1".to_owned();
            let (producer, consumer) =
                (spec.producer.as_mut().unwrap(), spec.consumer.as_mut().unwrap());
            (producer.replicas, consumer.replicas) = (7, 8);
            consumer.scaling = serde_json::from_str(r#"{"maxReplicas": 3}"#).unwrap();
            producer.pod.priority_class_name = Some("high".to_owned());
            consumer.pod.priority_class_name = Some("high".to_owned());
        };
        assert_eq!(changes(TELEMETRY, change), []);
    }

    #[test]
    fn neither_side_is_told_state_or_numbers() {
        for text in [TELEMETRY, EVERYTHING] {
            for role in Role::ALL {
                let text = configuration(&pipeline(text), role);
                for name in ["state", "replicas", "scaling", "pod", "image", "strimzi"] {
                    assert!(!text.contains(&format!("{name:?}:")), "{name} in {text}");
                }
            }
        }
    }

    #[test]
    fn with_strimzi_nobody_but_its_operator_makes_topics() {
        let pipeline = pipeline(EVERYTHING);
        for role in Role::ALL {
            let told = told(&pipeline, role);
            assert_eq!(told.spec.topic.provision, Provision::Never);
            assert_eq!(told.spec.consumer.unwrap().dead_letter.provision, Provision::Never);
        }
    }

    #[test]
    fn a_large_batch_is_accepted_whatever_the_consumers_limits_are() {
        let mut pipeline = pipeline(TELEMETRY);
        pipeline.spec.batch.max_records = 200_000;
        pipeline.spec.consumer.as_mut().unwrap().limits.max_batch_records = 200_000;
        assert_eq!(told(&pipeline, Role::Producer).spec.batch.max_records, 200_000);
    }

    #[test]
    fn a_side_alone_is_enough() {
        let mut pipeline = pipeline(TELEMETRY);
        pipeline.spec.consumer = None;
        assert_eq!(told(&pipeline, Role::Producer).dead_letter_topic(), "telemetry.dlq");
    }

    #[test]
    fn fields_are_in_alphabetical_order() {
        let value = json!({"b": [{"d": 1, "c": 2}], "a": 3});
        assert_eq!(sorted(value).to_string(), r#"{"a":3,"b":[{"c":2,"d":1}]}"#);
    }
}
