//! Changes: what may not change is refused by the API server as it is by `check_update`.

use batchpipe_api::{pipeline::BatchPipeline, validate::check_update};
use serde_json::Value;

use super::server::{create, try_replace};
use crate::support::{Namespace, cluster};

const PRODUCER: &str = "producer: {source: {generator: {}}}";
const SIDES: &str = "producer: {source: {generator: {}}}, consumer: {sink: {stdout: {}}}";
const GROUPED: &str =
    "producer: {source: {generator: {}}}, consumer: {group: g, sink: {stdout: {}}}";
const EVERYTHING_ELSE: &str = "state: Paused, batch: {maxRecords: 10}, compression: {codec: zlib}, \
    topic: {partitions: 12}, producer: {replicas: 3, source: {http: {}}}, \
    consumer: {replicas: 0, sink: {blackhole: {}}}";

fn text(name: &str, spec: &str) -> String {
    format!(
        "{{apiVersion: batchpipe.dev/v1alpha1, kind: BatchPipeline, metadata: {{name: {name}}}, \
         spec: {{kafka: {{bootstrapServers: 'k:1'}}, {spec}}}}}"
    )
}

/// A pipeline's name, its spec before and after, and the field that the change is refused for.
fn changes() -> Vec<(&'static str, String, String, Option<&'static str>)> {
    let topic = |name: &str| format!("topic: {{name: {name}}}, {SIDES}");
    let topic_path = Some("spec.topic.name");
    let group_path = Some("spec.consumer.group");
    vec![
        ("topic-changed", topic("a"), topic("b"), topic_path),
        ("topic-set", SIDES.to_owned(), topic("b"), topic_path),
        ("topic-removed", topic("a"), SIDES.to_owned(), topic_path),
        ("topic-default", SIDES.to_owned(), topic("topic-default"), None),
        ("group-changed", GROUPED.to_owned(), GROUPED.replace("group: g", "group: h"), group_path),
        ("group-set", SIDES.to_owned(), GROUPED.to_owned(), group_path),
        ("group-removed", GROUPED.to_owned(), SIDES.to_owned(), group_path),
        ("side-removed", GROUPED.to_owned(), PRODUCER.to_owned(), None),
        ("side-added", PRODUCER.to_owned(), GROUPED.to_owned(), None),
        ("all-else", SIDES.to_owned(), EVERYTHING_ELSE.to_owned(), None),
        ("all-else-back", EVERYTHING_ELSE.to_owned(), SIDES.to_owned(), None),
        (
            "wrong",
            SIDES.to_owned(),
            format!("batch: {{maxRecords: 0}}, {SIDES}"),
            Some("spec.batch.maxRecords"),
        ),
    ]
}

/// The fields for which the API server refuses, and those for which we do.
fn refused(namespace: Namespace<'_>, name: &str, before: &str, after: &str) -> [Vec<String>; 2] {
    let old = create(namespace, &text(name, before)).unwrap();
    let mut new: Value = serde_saphyr::from_str(&text(name, after)).unwrap();
    new["metadata"] = old["metadata"].clone();
    let theirs = try_replace(namespace, &new).err().unwrap_or_default();
    let read = |object: Value| serde_json::from_value::<BatchPipeline>(object).unwrap();
    let ours = check_update(&read(old), &read(new));
    [theirs.into_iter().map(|it| it.field).collect(), ours.into_iter().map(|it| it.path).collect()]
}

#[test]
fn topic_and_group_stay_and_everything_else_may_change() {
    let namespace = Namespace::new(cluster(), "updates");
    for (name, before, after, path) in changes() {
        let expected: Vec<String> = path.map(str::to_owned).into_iter().collect();
        for fields in refused(namespace, name, &before, &after) {
            assert_eq!(fields, expected, "{name}: {before} -> {after}");
        }
    }
}
