//! What may change in a pipeline that exists, and what may not.

use batchpipe_api::{
    pipeline::BatchPipeline,
    validate::{check_text, check_update},
};

fn read(spec: &str) -> BatchPipeline {
    let text = format!(
        "{{apiVersion: batchpipe.dev/v1alpha1, kind: BatchPipeline, metadata: {{name: a}}, \
         spec: {{kafka: {{bootstrapServers: 'k:1'}}, {spec}}}}}"
    );
    check_text(&text).unwrap_or_else(|violations| panic!("{spec}: {violations:#?}"))
}

/// The fields that are refused in a change.
fn refused(old: &str, new: &str) -> Vec<String> {
    check_update(&read(old), &read(new)).into_iter().map(|it| it.path).collect()
}

const SIDES: &str = "producer: {source: {generator: {}}}, consumer: {sink: {stdout: {}}}";

#[test]
fn the_topic_stays() {
    let [old, new] = ["b", "c"].map(|name| format!("topic: {{name: {name}}}, {SIDES}"));
    assert_eq!(refused(&old, &new), ["spec.topic.name"]);
    assert_eq!(refused(SIDES, &new), ["spec.topic.name"]);
    assert_eq!(refused(&old, SIDES), ["spec.topic.name"]);
    assert!(refused(&old, &old).is_empty());
}

#[test]
fn the_group_stays() {
    let [old, new] =
        ["b", "c"].map(|name| format!("consumer: {{group: {name}, sink: {{stdout: {{}}}}}}"));
    assert_eq!(refused(&old, &new), ["spec.consumer.group"]);
    assert_eq!(refused(SIDES, &new), ["spec.consumer.group"]);
    assert_eq!(refused(&old, SIDES), ["spec.consumer.group"]);
    assert!(refused(&old, &old).is_empty());
}

#[test]
fn writing_out_what_was_the_default_changes_nothing() {
    let written = "topic: {name: a}, producer: {source: {generator: {}}}, consumer: {group: a, sink: {stdout: {}}}";
    assert!(refused(SIDES, written).is_empty());
    assert!(refused(written, SIDES).is_empty());
}

#[test]
fn a_side_may_come_and_go_whatever_its_group() {
    let producer = "producer: {source: {generator: {}}}";
    let consumer = "consumer: {group: g, sink: {stdout: {}}}";
    assert!(refused(producer, consumer).is_empty());
    assert!(refused(consumer, producer).is_empty());
}

#[test]
fn everything_else_may_change() {
    let new = "state: Paused, batch: {maxRecords: 10}, compression: {codec: zlib}, topic: {partitions: 12}, \
               producer: {replicas: 3, source: {http: {}}}, consumer: {replicas: 0, sink: {blackhole: {}}}";
    assert!(refused(SIDES, new).is_empty());
    assert!(refused(new, SIDES).is_empty());
}

#[test]
fn the_new_object_must_be_right_in_itself() {
    let old = read(SIDES);
    let mut new = old.clone();
    new.spec.batch.max_records = 0;
    assert_eq!(check_update(&old, &new)[0].path, "spec.batch.maxRecords");
}
