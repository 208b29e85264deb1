//! A process may open only so many files: more rotated ones than that are read all the same.

use std::fs;

use batchpipe_testbed::shared_kafka;

use super::support::{Records, Scene, until};

/// More than the process may have open; it needs some for itself and for its connections.
const FILES: usize = 300;
const LIMIT: &str = "--nofile=160:160";
const LINES: usize = 10;

#[test]
fn more_rotated_files_than_may_be_open_are_read_to_their_ends() {
    let kafka = shared_kafka().unwrap();
    let mut scene = Scene::new(kafka, "many-files");
    scene.entrance = ["prlimit", LIMIT, "--"].map(Into::into).to_vec();
    scene.spec["producer"]["source"]["file"]["follow"] = true.into();
    let mut records = scene.write_input(LINES);
    let first = scene.produce();
    first.await_delivered(LINES as u64);
    until("a checkpoint is written", || scene.checkpoint().exists());
    first.terminate().well();
    for number in 0..FILES {
        fs::rename(scene.input(), scene.input().with_extension(number.to_string())).unwrap();
        records.append(&mut fs::File::create(scene.input()).unwrap(), LINES);
    }
    scene.spec["producer"]["source"]["file"]["follow"] = false.into();
    assert_eq!(scene.produce_all().well().delivered, (FILES * LINES) as u64);
    scene.tally_topic(kafka, &records).check_exact("many files");
}

/// Of records that were there before anybody read, none is sent, however many files they are in.
#[test]
fn what_was_rotated_before_is_not_asked_for_also_in_many_files() {
    let kafka = shared_kafka().unwrap();
    let mut scene = Scene::new(kafka, "many-old-files");
    scene.entrance = ["prlimit", LIMIT, "--"].map(Into::into).to_vec();
    for number in 0..FILES {
        fs::write(scene.input().with_extension(number.to_string()), "{\"old\":1}\n").unwrap();
    }
    scene.spec["producer"]["source"]["file"]["follow"] = true.into();
    let records = Records::write(&scene.input(), LINES);
    for _ in 0..2 {
        let producer = scene.produce();
        until("it is ready", || producer.is_ready());
        until("all is sent", || scene.tally_topic(kafka, &records).lost().is_empty());
        producer.terminate().well();
    }
    scene.tally_topic(kafka, &records).check_exact("many old files");
}
