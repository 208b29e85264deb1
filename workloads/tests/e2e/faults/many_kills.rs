//! Fifty kills (SIGKILL) of each side under load: of a consumer in the middle of a file, of a producer whose file grows, is
//! renamed and is cut off meanwhile.

use std::{
    fs::{self, File, OpenOptions},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use batchpipe_testbed::shared_kafka;
use serde_json::json;

use super::{
    kills::is_mid_roll,
    support::{Records, Scene, until},
};

const KILLS: usize = 50;

#[test]
#[ignore = "takes minutes: make test-long"]
fn a_consumer_that_is_killed_again_and_again_has_every_record_exactly_once() {
    let mut scene = Scene::new(shared_kafka().unwrap(), "consumer-killed-50");
    scene.generate(4000, 10_000_000);
    let producer = scene.produce();
    for _ in 0..KILLS {
        let complete = scene.complete_files();
        let consumer = scene.consume();
        until("a file is half written", || {
            scene.complete_files() > complete && is_mid_roll(&scene.output())
        });
        consumer.kill();
    }
    let sent = producer.terminate().well().delivered;
    scene.consume_all().well();
    let records = Records::of_seed(usize::try_from(sent).unwrap());
    scene.tally_output(&records).check_exact("consumer killed 50 times");
}

/// Writes records into the producer's file at a steady pace until told to stop; now and then the file is renamed, or copied
/// and cut off, as log rotators do.
fn write_and_rotate(input: &Path, is_over: &dyn Fn() -> bool) -> Records {
    const AT_ONCE: usize = 200;
    const BETWEEN: Duration = Duration::from_millis(50);
    const FILE: usize = 60; // some 3 s
    let open = || OpenOptions::new().create(true).append(true).open(input).unwrap();
    let (mut records, mut file) = (Records::default(), open());
    for round in 1.. {
        records.append(&mut file, AT_ONCE);
        if is_over() {
            break;
        }
        let kept = input.with_file_name(format!("input.{}", round / FILE));
        match (round % FILE, round / FILE % 2) {
            (0, 0) => {
                fs::rename(input, kept).unwrap();
                file = open();
            }
            (0, _) => {
                fs::copy(input, kept).unwrap();
                file.set_len(0).unwrap();
            }
            _ => {}
        }
        thread::sleep(BETWEEN);
    }
    records
}

#[test]
#[ignore = "takes minutes: make test-long"]
fn a_producer_that_is_killed_again_and_again_loses_nothing_of_a_rotated_file() {
    let kafka = shared_kafka().unwrap();
    let mut scene = Scene::new(kafka, "producer-killed-50");
    scene.spec["producer"]["source"]["file"]["follow"] = json!(true);
    File::create(scene.input()).unwrap();
    let over = scene.folder.path().join("over");
    let records = thread::scope(|scope| {
        let (input, over) = (scene.input(), &over);
        let writer = scope.spawn(move || write_and_rotate(&input, &|| over.exists()));
        for number in 0..KILLS {
            let producer = scene.produce();
            producer.await_delivered(1000);
            // Moments of all kinds: before, at and after a checkpoint, which is written every second.
            let wait = Duration::from_millis(number as u64 * 37 % 1200);
            let begun = Instant::now();
            until("the moment has come", || begun.elapsed() >= wait);
            producer.kill();
        }
        File::create(over).unwrap();
        writer.join().unwrap()
    });
    let producer = scene.produce();
    let mut tally = scene.tally_topic(kafka, &records);
    until("everything was sent", || {
        tally = scene.tally_topic(kafka, &records);
        tally.lost().is_empty()
    });
    producer.terminate().well();
    tally.check_complete("producer killed 50 times");
    // What was sent since the last checkpoint, of a second at most, and what waited for its acknowledgement.
    println!("producer killed 50 times: {} in all", records.len());
}
