//! conflict: which of two pipelines may have what only one can have. Pure.
//!
//! The oldest has it; all others create nothing until it is gone. Only objects of the same namespace are compared: the
//! operator of a namespace may not see more.

mod claim;

use batchpipe_api::pipeline::BatchPipeline;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use self::claim::{Claim, claims};

/// Another pipeline has what this one wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The name of the pipeline that has it, in the same namespace.
    pub winner: String,
    /// What it has and what to do, for the condition of the other one.
    pub message: String,
}

/// The oldest pipeline that has what the object wants; `None`: the object has all of it. The object may be among the
/// others.
pub fn winner<'a>(
    object: &BatchPipeline,
    all: impl IntoIterator<Item = &'a BatchPipeline>,
) -> Option<Conflict> {
    let wanted = claims(object);
    let older = all.into_iter().filter(|other| is_rival(object, other) && age(other) < age(object));
    let taken = older.filter_map(|other| Some((other, first_common(&wanted, other)?)));
    let (other, claim) = taken.min_by_key(|(other, _)| age(other))?;
    let winner = other.name().to_owned();
    let message = format!(
        "pipeline {winner}, which is older, has {claim}; delete one of them, or {}",
        claim.remedy()
    );
    Some(Conflict { winner, message })
}

/// Whether two objects are two, of the same namespace. What is being deleted has given up its claims.
fn is_rival(object: &BatchPipeline, other: &BatchPipeline) -> bool {
    let (ours, theirs) = (&object.metadata, &other.metadata);
    ours.namespace == theirs.namespace
        && (ours.uid != theirs.uid || ours.name != theirs.name)
        && theirs.deletion_timestamp.is_none()
}

fn first_common(wanted: &[Claim], other: &BatchPipeline) -> Option<Claim> {
    let theirs = claims(other);
    wanted.iter().find(|claim| theirs.contains(claim)).cloned()
}

/// Orders by age, the oldest first; what has no age yet is the youngest.
fn age(object: &BatchPipeline) -> (bool, Option<&Time>, Option<&String>) {
    let created = object.metadata.creation_timestamp.as_ref();
    (created.is_none(), created, object.metadata.uid.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::fixture;

    /// A pipeline created in the given second of an hour.
    fn pipeline(name: &str, second: u8, spec: &str) -> BatchPipeline {
        let mut object = fixture::object(&format!("{}{spec}", fixture::KAFKA_ONLY));
        object.metadata.name = Some(name.to_owned());
        object.metadata.uid = Some(format!("uid-of-{name}"));
        let created = format!("2026-01-01T00:00:{second:02}Z").parse().unwrap();
        object.metadata.creation_timestamp = Some(Time(created));
        object
    }

    fn consumer(name: &str, second: u8) -> BatchPipeline {
        pipeline(
            name,
            second,
            "  topic: {name: t}\n  consumer: {group: g, sink: {blackhole: {}}}\n",
        )
    }

    #[test]
    fn the_oldest_has_the_group() {
        let (old, young) = (consumer("z", 1), consumer("a", 2));
        let conflict = winner(&young, [&young, &old]).unwrap();
        assert_eq!(conflict.winner, "z");
        assert_eq!(
            conflict.message,
            "pipeline z, which is older, has consumer group g on topic t of Kafka cluster kafka:9093; \
             delete one of them, or choose another group"
        );
        assert_eq!(winner(&old, [&young, &old]), None);
    }

    #[test]
    fn of_three_the_oldest_is_named() {
        let all = [consumer("a", 2), consumer("b", 1), consumer("c", 3)];
        assert_eq!(winner(&all[2], &all).unwrap().winner, "b");
    }

    #[test]
    fn of_the_same_age_the_lesser_uid_wins() {
        let (one, other) = (consumer("a", 1), consumer("b", 1));
        assert_eq!(winner(&one, [&other]), None);
        assert_eq!(winner(&other, [&one]).unwrap().winner, "a");
    }

    #[test]
    fn what_is_being_deleted_has_nothing() {
        let (mut old, young) = (consumer("a", 1), consumer("b", 2));
        old.metadata.deletion_timestamp = old.metadata.creation_timestamp.clone();
        assert_eq!(winner(&young, [&old]), None);
    }

    #[test]
    fn other_namespaces_do_not_count() {
        let (mut old, young) = (consumer("a", 1), consumer("b", 2));
        old.metadata.namespace = Some("elsewhere".to_owned());
        assert_eq!(winner(&young, [&old]), None);
    }

    #[test]
    fn producers_share_a_topic() {
        let spec = "  topic: {name: t}\n  producer: {source: {generator: {}}}\n";
        let (old, young) = (pipeline("a", 1, spec), pipeline("b", 2, spec));
        assert_eq!(winner(&young, [&old]), None);
    }

    #[test]
    fn a_paused_pipeline_keeps_what_it_has() {
        let (mut old, young) = (consumer("a", 1), consumer("b", 2));
        old.spec.state = batchpipe_api::pipeline::DesiredState::Paused;
        assert!(winner(&young, [&old]).is_some());
    }
}
