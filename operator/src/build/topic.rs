//! Strimzi's topics. Pure.
//!
//! They have no owner, because a topic outlives its pipeline, and they describe a topic that is missing: whoever applies
//! them creates them and never alters one.

use batchpipe_api::spec::topic::Provision;
use kube::core::{ApiResource, DynamicObject};
use serde_json::{Value, json};

use super::{metadata::unowned, names};
use crate::{pipeline::Pipeline, resolve::strimzi_resource};

/// The type of a `KafkaTopic`.
pub fn topic_resource() -> ApiResource {
    strimzi_resource("KafkaTopic", "kafkatopics")
}

/// The topic and the dead-letter topic, where the pipeline asks for them and Strimzi makes them.
pub(super) fn build_topics(pipeline: &Pipeline) -> Vec<DynamicObject> {
    let Some(cluster) = &pipeline.strimzi_cluster else { return Vec::new() };
    let topic = &pipeline.spec.topic;
    let dead_letter =
        pipeline.spec.consumer.as_ref().map(|consumer| consumer.dead_letter.provision);
    let config = (!topic.config.is_empty()).then(|| json!(topic.config));
    let batches = topic_spec(topic.partitions, topic.replication_factor, config);
    // One partition, because few letters are expected and their order helps people.
    let letters = topic_spec(1, topic.replication_factor, None);
    let wanted = [
        (topic.provision, &pipeline.topic, batches),
        (dead_letter.unwrap_or_default(), &pipeline.dead_letter_topic, letters),
    ];
    let wanted = wanted.into_iter().filter(|(provision, ..)| *provision == Provision::Auto);
    wanted.map(|(_, name, spec)| build_topic(pipeline, cluster, name, spec)).collect()
}

fn topic_spec(partitions: i32, replicas: i32, config: Option<Value>) -> Value {
    let mut spec = json!({"partitions": partitions, "replicas": replicas});
    if let Some(config) = config {
        spec["config"] = config;
    }
    spec
}

fn build_topic(pipeline: &Pipeline, cluster: &str, topic: &str, mut spec: Value) -> DynamicObject {
    let name = names::topic_object(topic);
    if name != topic {
        spec["topicName"] = topic.into();
    }
    let mut object = DynamicObject::new(&name, &topic_resource()).data(json!({"spec": spec}));
    object.metadata = unowned(pipeline, name, "topic");
    let labels = object.metadata.labels.get_or_insert_default();
    labels.insert("strimzi.io/cluster".to_owned(), cluster.to_owned());
    object
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::fixture::{EVERYTHING, TELEMETRY, pipeline};

    #[test]
    fn without_strimzi_there_are_none() {
        assert_eq!(build_topics(&pipeline(TELEMETRY)), []);
    }

    #[test]
    fn with_strimzi_there_are_the_topic_and_the_dead_letter_topic() {
        let topics = build_topics(&pipeline(EVERYTHING));
        let names: Vec<_> = topics.iter().filter_map(|it| it.metadata.name.as_deref()).collect();
        assert_eq!(names, ["telemetry", "telemetry.dlq"]);
        assert_eq!(topics[0].data["spec"]["partitions"], 12);
        assert_eq!(topics[1].data["spec"]["partitions"], 1);
    }

    #[test]
    fn they_outlive_the_pipeline() {
        let topics = build_topics(&pipeline(EVERYTHING));
        assert!(topics.iter().all(|topic| topic.metadata.owner_references.is_none()));
    }

    #[test]
    fn they_belong_to_the_cluster() {
        let topics = build_topics(&pipeline(EVERYTHING));
        let labels = topics[0].metadata.labels.as_ref().unwrap();
        assert_eq!(labels["strimzi.io/cluster"], "lab");
    }

    #[test]
    fn a_topic_that_somebody_else_makes_is_left_to_them() {
        let mut pipeline = pipeline(EVERYTHING);
        pipeline.spec.topic.provision = Provision::Never;
        let topics = build_topics(&pipeline);
        assert_eq!(topics.len(), 1);
        assert_eq!(topics[0].metadata.name.as_deref(), Some("telemetry.dlq"));
    }

    #[test]
    fn a_topic_that_is_no_name_of_an_object_is_named_inside() {
        let mut pipeline = pipeline(EVERYTHING);
        pipeline.topic = "Orders_EU".to_owned();
        let topic = &build_topics(&pipeline)[0];
        assert_eq!(topic.data["spec"]["topicName"], "Orders_EU");
        assert!(topic.metadata.name.as_deref().unwrap().starts_with("orders-eu-"));
    }
}
