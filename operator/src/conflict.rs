//! conflict: which of two pipelines may have what only one can have. Pure.
//!
//! Who has it keeps it, and of those that want it the oldest gets it; all others create nothing until it is gone. Who
//! has it is read from the statuses, so that an older pipeline that is changed does not take what a younger one works
//! with. Only objects of the same namespace are compared: the operator of a namespace may not see more.

mod claim;

use batchpipe_api::{
    conditions::{reasons, types},
    pipeline::BatchPipeline,
};
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

/// The pipeline that has, or comes first to, what the object wants; `None`: the object has all of it. The object may be
/// among the others.
pub fn winner<'a>(
    object: &BatchPipeline,
    all: impl IntoIterator<Item = &'a BatchPipeline>,
) -> Option<Conflict> {
    let wanted = claims(object);
    let before =
        all.into_iter().filter(|other| is_rival(object, other) && rank(other) < rank(object));
    let taken = before.filter_map(|other| Some((other, first_common(&wanted, other)?)));
    let (other, claim) = taken.min_by_key(|(other, _)| rank(other))?;
    let winner = other.name().to_owned();
    let why = if age(other) < age(object) { "is older" } else { "had it before" };
    let message = format!(
        "pipeline {winner}, which {why}, has {claim}; delete one of them, or {}",
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

/// How firmly a pipeline has what its spec claims, the firmest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Hold {
    /// This very spec was carried out.
    Has,
    /// It is new, changed, or cannot be carried out.
    Wants,
    /// It waits for another one.
    Waits,
}

fn hold(object: &BatchPipeline) -> Hold {
    let Some(status) = &object.status else { return Hold::Wants };
    let stalled = status.conditions.iter().find(|it| it.type_ == types::STALLED);
    let is_seen = status.observed_generation == object.metadata.generation;
    match stalled.filter(|it| it.status == "True").map(|it| it.reason.as_str()) {
        Some(reasons::CONFLICT) => Hold::Waits,
        Some(reasons::INVALID_SPEC) => Hold::Wants,
        _ if is_seen && stalled.is_some() => Hold::Has,
        _ => Hold::Wants,
    }
}

/// Orders all pipelines by who comes first to a claim.
fn rank(object: &BatchPipeline) -> (Hold, (bool, Option<&Time>, Option<&String>)) {
    (hold(object), age(object))
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

    /// The status after a look at this generation; with a reason, what it is stalled by.
    fn looked_at(mut object: BatchPipeline, generation: i64, stalled: &str) -> BatchPipeline {
        object.metadata.generation = Some(2);
        let is_stalled = if stalled.is_empty() { "False" } else { "True" };
        object.status = serde_json::from_value(serde_json::json!({
            "observedGeneration": generation,
            "conditions": [{"type": "Stalled", "status": is_stalled, "reason": stalled, "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00Z"}],
        }))
        .unwrap();
        object
    }

    #[test]
    fn an_older_pipeline_that_is_changed_does_not_take_what_a_younger_one_works_with() {
        let (changed, running) =
            (looked_at(consumer("a", 1), 1, ""), looked_at(consumer("b", 2), 2, ""));
        let conflict = winner(&changed, [&changed, &running]).unwrap();
        assert!(
            conflict.message.starts_with("pipeline b, which had it before, has"),
            "{conflict:?}"
        );
        assert_eq!(winner(&running, [&changed, &running]), None);
        let waiting = looked_at(consumer("a", 1), 2, reasons::CONFLICT);
        let running = looked_at(consumer("b", 2), 1, "");
        assert_eq!(winner(&running, [&waiting, &running]), None, "also while it is changed itself");
    }

    #[test]
    fn who_waits_for_another_one_blocks_nobody() {
        let waiting = looked_at(consumer("a", 1), 2, reasons::CONFLICT);
        assert_eq!(winner(&consumer("b", 2), [&waiting]), None);
    }

    #[test]
    fn an_invalid_spec_has_nothing_that_a_running_one_has() {
        let invalid = looked_at(consumer("a", 1), 2, reasons::INVALID_SPEC);
        let running = looked_at(consumer("b", 2), 2, "");
        assert_eq!(winner(&running, [&invalid]), None);
        assert!(winner(&invalid, [&running]).is_some());
    }

    #[test]
    fn of_those_that_wait_the_oldest_is_next() {
        let [a, b] = [("a", 1), ("b", 2)]
            .map(|(name, second)| looked_at(consumer(name, second), 2, reasons::CONFLICT));
        assert_eq!(winner(&a, [&a, &b]), None);
        assert_eq!(winner(&b, [&a, &b]).unwrap().winner, "a");
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
