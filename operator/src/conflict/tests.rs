//! One fact each about who has what.

use std::collections::BTreeMap;

use super::*;
use crate::{build::fixture, conflict::claim::claims_of};

/// A pipeline created in the given second of an hour.
fn pipeline(name: &str, second: u8, spec: &str) -> BatchPipeline {
    let mut object = fixture::object(&format!("{}{spec}", fixture::KAFKA_ONLY));
    object.metadata.name = Some(name.to_owned());
    object.metadata.uid = Some(format!("uid-of-{name}"));
    let created = format!("2026-01-01T00:00:{second:02}Z").parse().unwrap();
    object.metadata.creation_timestamp = Some(Time(created));
    object
}

/// It consumes the group g of topic t.
fn consumer(name: &str, second: u8) -> BatchPipeline {
    of_group(name, second, "g")
}

fn of_group(name: &str, second: u8, group: &str) -> BatchPipeline {
    let spec = format!(
        "  topic: {{name: t}}\n  consumer: {{group: {group}, sink: {{blackhole: {{}}}}}}\n"
    );
    pipeline(name, second, &spec)
}

/// Pipelines, and what exists of each.
#[derive(Default)]
struct Place {
    pipelines: Vec<BatchPipeline>,
    held: BTreeMap<String, Held>,
    left: Vec<Left>,
}

impl Place {
    fn of(pipelines: &[&BatchPipeline]) -> Self {
        let pipelines = pipelines.iter().map(|it| (*it).clone()).collect();
        Self { pipelines, ..Self::default() }
    }

    /// The pods of the pipeline `name` run that were made for this spec.
    fn running(mut self, name: &str, made_for: &BatchPipeline) -> Self {
        let of = |role| claims_of(made_for, role).into_iter().map(move |claim| (role, claim));
        let used = Role::ALL.into_iter().flat_map(of).collect();
        self.held.insert(name.to_owned(), Held { used, ..Held::default() });
        self
    }

    /// The pods of the pipeline `name` that were made for this spec are stopped.
    fn stopped(mut self, name: &str, made_for: &BatchPipeline) -> Self {
        let kept = claims(made_for);
        self.held.insert(name.to_owned(), Held { kept, ..Held::default() });
        self
    }

    /// Pods run that were made for this spec, and there is no such pipeline.
    fn left_of(mut self, made_for: &BatchPipeline) -> Self {
        let (name, is_ending) = (made_for.name(), is_leaving(made_for));
        let left = |claim| Left { is_ending, name: name.to_owned(), claim };
        self.left.extend(claims(made_for).into_iter().map(left));
        self
    }

    fn winner_over(&self, object: &BatchPipeline) -> Option<String> {
        conflict(object, self).map(|conflict| conflict.winner)
    }
}

impl World for Place {
    fn pipelines(&self) -> Vec<&BatchPipeline> {
        self.pipelines.iter().collect()
    }

    fn suspects(&self, _: &[Claim]) -> BTreeSet<String> {
        self.pipelines.iter().filter_map(|it| it.metadata.uid.clone()).collect()
    }

    fn held(&self, object: &BatchPipeline) -> Held {
        self.held.get(object.name()).cloned().unwrap_or_default()
    }

    fn left(&self, _: &BatchPipeline, claims: &[Claim]) -> Vec<Left> {
        self.left.iter().filter(|it| claims.contains(&it.claim)).cloned().collect()
    }
}

/// Somebody has deleted it, and something keeps it.
fn leaving(mut object: BatchPipeline) -> BatchPipeline {
    object.metadata.deletion_timestamp = object.metadata.creation_timestamp.clone();
    object
}

/// Its status says that it waits for another one.
fn waiting(mut object: BatchPipeline) -> BatchPipeline {
    object.status = serde_json::from_value(serde_json::json!({"waitsFor": "another"})).unwrap();
    object
}

#[test]
fn the_oldest_has_the_group() {
    let (old, young) = (consumer("z", 1), consumer("a", 2));
    let place = Place::of(&[&young, &old]);
    let found = conflict(&young, &place).unwrap();
    assert_eq!(found.winner, "z");
    assert_eq!(
        found.message,
        "pipeline z, which is older, has consumer group g on topic t of Kafka cluster kafka:9093; \
         delete one of them, or choose another group"
    );
    assert_eq!(conflict(&old, &place), None);
}

#[test]
fn an_older_pipeline_that_is_changed_does_not_take_what_a_younger_one_works_with() {
    let (changed, running) = (consumer("a", 1), consumer("b", 2));
    let before = of_group("a", 1, "before");
    let place = Place::of(&[&changed, &running]).running("a", &before).running("b", &running);
    let message = conflict(&changed, &place).unwrap().message;
    assert!(message.starts_with("pipeline b, which had it before, has"), "{message}");
    assert_eq!(conflict(&running, &place), None);
}

#[test]
fn what_runs_counts_also_when_the_spec_wants_something_else_by_now() {
    let (changed, new) = (of_group("a", 1, "other"), consumer("c", 3));
    let place = Place::of(&[&changed, &new]).running("a", &consumer("a", 1));
    assert_eq!(place.winner_over(&new).as_deref(), Some("a"));
    let stopped = Place::of(&[&changed, &new]).stopped("a", &consumer("a", 1));
    assert_eq!(stopped.winner_over(&new), None, "nothing runs, and it is not wanted any more");
}

#[test]
fn a_condition_says_nothing_of_what_a_pipeline_has() {
    // A foreign object has the name of one of its children; its pods run all the same.
    let mut running = consumer("a", 1);
    running.status = serde_json::from_value(serde_json::json!({
        "observedGeneration": 1,
        "conditions": [{"type": "Stalled", "status": "True", "reason": "Conflict", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z"}],
    }))
    .unwrap();
    let new = consumer("b", 2);
    let place = Place::of(&[&running, &new]).running("a", &running);
    assert_eq!(place.winner_over(&new).as_deref(), Some("a"));
    assert_eq!(place.winner_over(&running), None);
    let before_it_runs = Place::of(&[&running, &new]);
    assert_eq!(before_it_runs.winner_over(&new).as_deref(), Some("a"), "it is older");
}

#[test]
fn who_waits_for_another_one_blocks_nobody() {
    let has = of_group("h", 3, "taken");
    let spec = "  topic: {name: t}\n  consumer: {group: taken, sink: {blackhole: {}}}\n  \
        producer: {source: {kafka: {topic: t2, group: g}}}\n";
    let waits = pipeline("a", 1, spec);
    let later = pipeline(
        "b",
        2,
        "  topic: {name: u}\n  producer: {source: {kafka: {topic: t2, group: g}}}\n",
    );
    let place = Place::of(&[&has, &waits, &later]).running("h", &has);
    assert_eq!(place.winner_over(&waits).as_deref(), Some("h"));
    assert_eq!(place.winner_over(&later), None, "a has the source's group only when h is gone");
    let then = Place::of(&[&waits, &later]);
    assert_eq!(then.winner_over(&later).as_deref(), Some("a"));
}

#[test]
fn of_those_that_wait_the_oldest_is_next() {
    let (a, b) = (waiting(consumer("a", 1)), waiting(consumer("b", 2)));
    let place = Place::of(&[&a, &b]);
    assert_eq!(place.winner_over(&a), None);
    assert_eq!(place.winner_over(&b).as_deref(), Some("a"));
}

#[test]
fn of_two_that_work_with_it_the_younger_must_stop_the_side_that_does() {
    let (old, young) = (consumer("a", 1), consumer("b", 1));
    let place = Place::of(&[&old, &young]).running("a", &old).running("b", &young);
    assert_eq!(conflict(&young, &place).unwrap().intruding, [Role::Consumer]);
    assert_eq!(conflict(&old, &place), None);
    let stopped = Place::of(&[&old, &young]).running("a", &old).stopped("b", &young);
    assert_eq!(conflict(&young, &stopped).unwrap().intruding, []);
}

#[test]
fn of_three_the_oldest_is_named() {
    let all = [consumer("a", 2), consumer("b", 1), consumer("c", 3)];
    let place = Place::of(&all.each_ref());
    assert_eq!(place.winner_over(&all[2]).as_deref(), Some("b"));
}

#[test]
fn of_the_same_age_the_lesser_uid_wins_unless_the_other_one_runs() {
    let (one, other) = (consumer("a", 1), consumer("b", 1));
    let place = Place::of(&[&one, &other]);
    assert_eq!(place.winner_over(&one), None);
    assert_eq!(place.winner_over(&other).as_deref(), Some("a"));
    let place = place.running("b", &other);
    assert_eq!(place.winner_over(&one).as_deref(), Some("b"));
    assert_eq!(place.winner_over(&other), None);
}

#[test]
fn what_is_being_deleted_has_what_its_pods_work_with_and_nothing_else() {
    let (old, young) = (leaving(consumer("a", 1)), consumer("b", 2));
    let place = || Place::of(&[&old, &young]);
    let message = conflict(&young, &place().running("a", &old)).unwrap().message;
    assert!(message.starts_with("pipeline a, which is being deleted, has"), "{message}");
    assert_eq!(place().winner_over(&young), None);
    assert_eq!(place().stopped("a", &old).winner_over(&young), None);
}

#[test]
fn the_pods_of_a_pipeline_that_is_gone_are_waited_for() {
    let (gone, new) = (consumer("a", 1), consumer("b", 2));
    let found = conflict(&new, &Place::of(&[&new]).left_of(&gone)).unwrap();
    assert_eq!(found.winner, "a");
    assert_eq!(
        found.message,
        "pods of pipeline a, which is gone or cannot be read, have consumer group g on topic t of Kafka cluster \
         kafka:9093; wait until they have ended, delete what is left of it, or choose another group"
    );
    let other = of_group("b", 2, "other");
    assert_eq!(Place::of(&[&other]).left_of(&gone).winner_over(&other), None);
    let running = Place::of(&[&new]).left_of(&gone).running("b", &new);
    assert_eq!(running.winner_over(&new), None, "it was there before");
}

#[test]
fn the_pods_of_an_earlier_pipeline_of_the_same_name_are_waited_for() {
    let (gone, namesake) = (consumer("a", 1), consumer("a", 2));
    let found = conflict(&namesake, &Place::of(&[&namesake]).left_of(&gone)).unwrap();
    assert!(
        found.message.starts_with("pods of an earlier pipeline of this name have"),
        "{found:?}"
    );
}

#[test]
fn what_is_being_stopped_already_passes_unless_something_else_lasts() {
    let (ends, lasts, new) = (leaving(consumer("a", 1)), consumer("z", 1), consumer("b", 2));
    let place = || Place::of(&[&new]).left_of(&ends);
    assert!(conflict(&new, &place()).unwrap().is_passing);
    let found = conflict(&new, &place().left_of(&lasts)).unwrap();
    assert_eq!((found.winner.as_str(), found.is_passing), ("z", false));
}

#[test]
fn an_invalid_pipeline_that_has_nothing_wants_nothing() {
    let young = consumer("b", 2);
    let mut by_us = consumer("a", 1);
    by_us.spec.batch.max_records = 0;
    let mut by_others = consumer("a", 1);
    by_others.metadata.generation = Some(2);
    by_others.status = serde_json::from_value(serde_json::json!({
        "observedGeneration": 2,
        "conditions": [{"type": "Stalled", "status": "True", "reason": "InvalidSpec", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z"}],
    }))
    .unwrap();
    for invalid in [&by_us, &by_others] {
        let place = || Place::of(&[invalid, &young]);
        assert_eq!(place().winner_over(&young), None);
        let runs = place().running("a", invalid);
        assert_eq!(runs.winner_over(&young).as_deref(), Some("a"), "its pods go on");
        let is_paused = place().stopped("a", invalid);
        assert_eq!(is_paused.winner_over(&young).as_deref(), Some("a"), "it goes on with them");
    }
    let mut corrected = by_others;
    corrected.metadata.generation = Some(3);
    let place = Place::of(&[&corrected, &young]);
    assert_eq!(place.winner_over(&young).as_deref(), Some("a"), "nobody has looked at it yet");
}

#[test]
fn other_namespaces_do_not_count() {
    let (mut old, young) = (consumer("a", 1), consumer("b", 2));
    old.metadata.namespace = Some("elsewhere".to_owned());
    assert_eq!(Place::of(&[&old, &young]).winner_over(&young), None);
}

#[test]
fn producers_share_a_topic() {
    let spec = "  topic: {name: t}\n  producer: {source: {generator: {}}}\n";
    let (old, young) = (pipeline("a", 1, spec), pipeline("b", 2, spec));
    let place = Place::of(&[&old, &young]).running("a", &old);
    assert_eq!(place.winner_over(&young), None);
}

#[test]
fn a_paused_pipeline_keeps_what_it_has_also_from_an_older_one() {
    let (changed, paused) = (consumer("a", 1), consumer("b", 2));
    let place = Place::of(&[&changed, &paused]).stopped("b", &paused);
    assert_eq!(place.winner_over(&changed).as_deref(), Some("b"));
    assert_eq!(place.winner_over(&paused), None);
}

#[test]
fn who_waits_does_not_keep_what_its_stopped_pods_were_made_for() {
    let (waits, runs) = (waiting(consumer("a", 1)), consumer("b", 2));
    let place = Place::of(&[&waits, &runs]).stopped("a", &waits);
    let place = place.stopped("b", &runs);
    assert_eq!(place.winner_over(&runs), None);
    assert_eq!(place.winner_over(&waits).as_deref(), Some("b"));
}

/// Each pair waits for the pair before in two ways, so that whoever followed each way anew would never come to an end.
#[test]
fn chains_that_meet_again_and_again_are_followed_once() {
    const PAIRS: u8 = 29;
    let consumes = |source: Option<u8>| {
        let source = source.map_or_else(String::new, |number| {
            format!("  producer: {{source: {{kafka: {{topic: s{number}, group: x{number}}}}}}}\n")
        });
        format!(
            "  topic: {{name: t}}\n  consumer: {{group: g, sink: {{blackhole: {{}}}}}}\n{source}"
        )
    };
    let mut all = Vec::new();
    for number in 0..PAIRS {
        let reads = format!(
            "  topic: {{name: s{number}}}\n  consumer: {{group: x{number}, sink: {{blackhole: {{}}}}}}\n"
        );
        all.push(pipeline(&format!("q{number}"), 2 * number, &reads));
        all.push(pipeline(&format!("p{number}"), 2 * number + 1, &consumes(Some(number))));
    }
    all.push(pipeline("last", 2 * PAIRS, &consumes(None)));
    let place = Place::of(&all.iter().collect::<Vec<_>>());
    // Each p waits for its q, which is older and has its group, so that nobody is before the last one.
    assert_eq!(conflict(all.last().unwrap(), &place), None);
    let waiting = conflict(&all[1], &place).unwrap();
    assert_eq!(waiting.winner, "q0");
}
