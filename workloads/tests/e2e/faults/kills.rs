//! Processes are killed (SIGKILL) in the middle of their work: nothing is lost; what a producer doubles is bounded by
//! its checkpoint; a file sink doubles nothing.

use std::{collections::BTreeMap, fs, path::Path};

use batchpipe_testbed::shared_kafka;

use super::support::{Scene, Tally, read_topic, until};

const TOTAL: usize = 1_000_000;
const ROUNDS: usize = 3;

/// How far the checkpoint is, in bytes of the input.
fn checkpointed(scene: &Scene) -> Option<usize> {
    let text = fs::read(scene.checkpoint()).ok()?;
    let checkpoint: serde_json::Value = serde_json::from_slice(&text).unwrap();
    usize::try_from(checkpoint["offset"].as_u64()?).ok()
}

/// How many records are before that.
fn checkpointed_records(scene: &Scene) -> usize {
    let input = fs::read(scene.input()).unwrap();
    memchr::memchr_iter(b'\n', &input[..checkpointed(scene).unwrap()]).count()
}

#[test]
fn a_killed_producer_goes_on_from_its_checkpoint() {
    let kafka = shared_kafka().unwrap();
    let mut scene = Scene::new(kafka, "producer-killed");
    let records = scene.write_input(TOTAL);
    scene.slow_down();
    let mut starts = vec![0];
    for _ in 0..ROUNDS {
        let before = checkpointed(&scene).unwrap_or_default();
        let producer = scene.produce();
        until("a checkpoint is written under load", || checkpointed(&scene) > Some(before));
        producer.kill();
        starts.push(checkpointed_records(&scene));
    }
    scene.speed_up();
    scene.produce_all().well();
    let mut tally = Tally::new(&records);
    // First and last record of each incarnation.
    let mut runs: BTreeMap<_, (usize, usize)> = BTreeMap::new();
    for message in read_topic(kafka, &scene.topic) {
        let (envelope, text) = message.open();
        let first = tally.order.len();
        tally.text(&text);
        for number in &tally.order[first..] {
            let run = runs.entry(envelope.incarnation).or_insert((*number, *number));
            *run = (run.0.min(*number), run.1.max(*number));
        }
    }
    tally.check_complete("producer killed");
    let mut begun: Vec<_> = runs.values().copied().collect();
    begun.sort_unstable();
    assert_eq!(begun.iter().map(|(first, _)| *first).collect::<Vec<_>>(), starts);
    let bound: usize = begun.iter().zip(&starts[1..]).map(|((_, last), at)| last + 1 - at).sum();
    println!("producer killed: at most {bound} may be doubled");
    assert!(tally.duplicates() <= bound as u64, "{} > {bound}", tally.duplicates());
}

/// Whether records were written to a file that is not complete.
pub(super) fn is_mid_roll(output: &Path) -> bool {
    let Ok(entries) = fs::read_dir(output) else { return false };
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut parts = paths.filter(|path| path.extension().is_some_and(|end| end == "part"));
    parts.any(|path| fs::metadata(path).is_ok_and(|part| part.len() > 0))
}

#[test]
fn a_killed_consumer_leaves_every_record_in_its_files_exactly_once() {
    let kafka = shared_kafka().unwrap();
    let scene = Scene::new(kafka, "consumer-killed");
    let records = scene.write_input(TOTAL);
    assert_eq!(scene.produce_all().well().delivered, TOTAL as u64);
    for _ in 0..ROUNDS {
        let complete = scene.complete_files();
        let consumer = scene.consume();
        until("a file is half written", || {
            scene.complete_files() > complete && is_mid_roll(&scene.output())
        });
        consumer.kill();
    }
    scene.consume_all().well();
    scene.tally_output(&records).check_exact("consumer killed");
}

/// A part that is open is not durable, so nothing of it may be committed, however often the group is told how far we
/// are.
#[test]
fn a_killed_consumer_has_committed_nothing_of_a_part_that_was_open() {
    const TOTAL: usize = 3000;
    let mut scene = Scene::new(shared_kafka().unwrap(), "part-open");
    scene.spec["consumer"]["sink"]["file"]["roll"] =
        serde_json::json!({"maxBytes": "64Mi", "interval": "60s"});
    let records = scene.write_input(TOTAL);
    scene.produce_all().well();
    let consumer = scene.consume();
    consumer.await_accepted(TOTAL as u64);
    let asked = |report: &batchpipe_api::report::Report| {
        report.lag.iter().filter_map(|partition| partition.asked_at_ms).max()
    };
    let begun = asked(&consumer.report());
    // Commits are due every second, questions every two.
    until("the brokers were asked several times since", || {
        asked(&consumer.report()).zip(begun).is_some_and(|(now, begun)| now > begun + 3000)
    });
    assert_eq!(scene.complete_files(), 0, "the part is open");
    consumer.kill();
    scene.spec["consumer"]["sink"]["file"]["roll"]["interval"] = "1s".into();
    scene.consume_all().well();
    scene.tally_output(&records).check_exact("part open");
}
