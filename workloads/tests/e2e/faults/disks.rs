//! Disks are full, or read-only: what needs them waits and says so, goes on when there is room, and loses and doubles
//! nothing, also when it is killed meanwhile.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
};

use batchpipe_testbed::{Kafka, shared_kafka};
use serde_json::Value;

use super::support::{Records, Scene, SmallDisk, Tally, read_topic, until};

/// Some 13 MB of lines.
const TOTAL: usize = 200_000;
/// What comes when there is no room for a checkpoint.
const MORE: usize = 1000;
const SMALL: &str = "size=2m";
const LARGE: &str = "size=64m";
/// Room for a topic of this test, and for what a broker keeps beside it.
const LARGE_DISK: &str = "256m";
const UNAVAILABLE: &str = "SinkUnavailable";

/// A pipeline of which everything is in the topic and whose sink writes to a disk of 2 MiB.
fn full_sink(topic: &str) -> (Scene, Records, SmallDisk) {
    let mut scene = Scene::new(shared_kafka().unwrap(), topic);
    let records = scene.write_input(TOTAL);
    assert_eq!(scene.produce_all().well().delivered, TOTAL as u64);
    let disk = SmallDisk::mount(&scene.output(), SMALL.strip_prefix("size=").unwrap());
    scene.entrance = disk.entrance();
    (scene, records, disk)
}

fn check_exact(disk: &SmallDisk, records: &Records, test: &str) {
    let mut tally = Tally::new(records);
    tally.folder(&disk.seen_from_here());
    tally.check_exact(test);
}

#[test]
fn a_file_sink_waits_while_its_disk_is_full() {
    let (scene, records, disk) = full_sink("disk-full");
    let consumer = scene.consume();
    consumer.await_unready(UNAVAILABLE);
    let said = consumer.get("/readyz").1;
    assert!(said.contains("No space left on device"), "{said}");
    let delivered = consumer.report().accounting.delivered;
    assert!(delivered < TOTAL as u64, "it cannot all fit");
    disk.remount(LARGE);
    consumer.await_ready();
    consumer.await_delivered(TOTAL as u64);
    consumer.terminate().well();
    check_exact(&disk, &records, "disk full");
}

/// A file system becomes read-only only while nobody writes to it, so this is what the next one finds.
#[test]
fn a_consumer_does_not_begin_in_a_read_only_folder_and_says_which() {
    let (scene, records, disk) = full_sink("disk-read-only");
    let consumer = scene.consume();
    consumer.await_unready(UNAVAILABLE);
    consumer.kill();
    disk.remount(LARGE);
    disk.remount("ro");
    let refused = scene.consume();
    let log = refused.log_path();
    assert_eq!(refused.wait().status.code(), Some(2));
    let log = fs::read_to_string(log).unwrap();
    let folder = scene.output().display().to_string();
    for words in ["spec.consumer.sink.file", &folder, "Read-only file system"] {
        assert!(log.contains(words), "{words}: {log}");
    }
    disk.remount("rw");
    scene.consume_all().well();
    check_exact(&disk, &records, "disk read-only");
}

#[test]
fn a_file_sink_that_is_killed_while_its_disk_is_full_goes_on_exactly() {
    const KILLS: usize = 3;
    let (scene, records, disk) = full_sink("disk-full-killed");
    for _ in 0..KILLS {
        let consumer = scene.consume();
        consumer.await_unready(UNAVAILABLE);
        consumer.kill();
    }
    disk.remount(LARGE);
    let consumer = scene.consume();
    consumer.await_delivered(1);
    until("the group has all", || {
        let lag = consumer.report().lag;
        lag.len() == 3 && lag.iter().all(|partition| partition.messages == Some(0))
    });
    consumer.terminate().well();
    check_exact(&disk, &records, "disk full, killed");
}

/// A checkpoint that cannot be written is not one: a restart goes on from the last that was.
#[test]
fn a_file_source_says_that_its_checkpoint_has_no_room_and_is_exact_once_it_has() {
    let mut scene = Scene::new(shared_kafka().unwrap(), "disk-checkpoint");
    let mut records = scene.write_input(TOTAL);
    let folder = scene.folder.path().join("checkpoints");
    let disk = SmallDisk::mount(&folder, "64k");
    let ballast = disk.seen_from_here().join("ballast");
    scene.entrance = disk.entrance();
    let path: PathBuf = folder.join("input");
    scene.spec["producer"]["source"]["file"]["checkpointPath"] = path.display().to_string().into();
    scene.spec["producer"]["source"]["file"]["follow"] = true.into();
    let producer = scene.produce();
    producer.await_delivered(TOTAL as u64);
    until("its checkpoint is there", || checkpoint_is_behind(&disk, &scene));
    fill(&ballast);
    let mut input = OpenOptions::new().append(true).open(scene.input()).unwrap();
    records.append(&mut input, MORE);
    producer.await_delivered((TOTAL + MORE) as u64);
    until("it says that there is no room", || producer.log().contains("No space left on device"));
    fs::remove_file(&ballast).unwrap();
    until("its checkpoint is there again", || checkpoint_is_behind(&disk, &scene));
    producer.terminate().well();
    scene.spec["producer"]["source"]["file"]["follow"] = false.into();
    assert_eq!(scene.produce_all().well().accepted, 0, "all of it is in the checkpoint");
    scene.tally_topic(shared_kafka().unwrap(), &records).check_exact("checkpoint without room");
}

/// A broker that keeps topics on two small disks, and what it cannot be without in a folder.
fn broker_on(disks: [&SmallDisk; 2], folder: &Path) -> Kafka {
    let topics = disks.map(SmallDisk::seen_from_here);
    Kafka::builder().data_dir(folder).topic_dirs(topics).start().unwrap()
}

/// Creates a topic of one partition, and tells on which disk it is; it has to be on one of them.
fn create_on(kafka: &Kafka, disks: [&SmallDisk; 2], topic: &str) -> usize {
    kafka.create_topic(topic, 1, &[]).unwrap();
    let mut at = None;
    until("the partition is on a disk", || {
        let has = |disk: &&SmallDisk| disk.seen_from_here().join(format!("{topic}-0")).exists();
        at = disks.iter().position(has);
        at.is_some()
    });
    at.unwrap()
}

/// A partition whose disk is full is nobody's until the broker begins anew: others go on meanwhile.
#[test]
fn a_producer_waits_while_the_disk_of_the_dead_letter_topic_is_full() {
    const GOOD: usize = 20_000;
    const BAD: &str = "{\"bad\": }";
    let folder = tempfile::tempdir().unwrap();
    let disks =
        ["one", "other"].map(|name| SmallDisk::mount(&folder.path().join(name), LARGE_DISK));
    let disks = disks.each_ref();
    let (name, letters) = ("disk-letters", "disk-letters.dlq");
    let mut kafka = broker_on(disks, &folder.path().join("own"));
    // The broker puts each partition where there are fewest.
    let (batches_at, letters_at) =
        (create_on(&kafka, disks, name), create_on(&kafka, disks, letters));
    assert_ne!(batches_at, letters_at);
    let ballast = disks[letters_at].seen_from_here().join("ballast");
    fill(&ballast);

    let mut scene = Scene::new(&kafka, name);
    scene.spec["topic"]["partitions"] = 1.into();
    fs::write(scene.input(), format!("{BAD}\n")).unwrap();
    let mut records = Records::default();
    let mut input = OpenOptions::new().append(true).open(scene.input()).unwrap();
    records.append(&mut input, GOOD);
    let producer = scene.produce();
    producer.await_unready("DeadLetterUnavailable");
    producer.await_delivered(GOOD as u64);
    let checkpoint: Value = serde_json::from_slice(&fs::read(scene.checkpoint()).unwrap()).unwrap();
    assert_eq!(checkpoint["offset"], 0, "a letter stands before everything");
    fs::remove_file(&ballast).unwrap();
    kafka.kill().unwrap();
    kafka.start_again().unwrap();
    let report = producer.wait().well();
    assert_eq!((report.delivered, report.dead_lettered), (GOOD as u64, 1));
    scene.tally_topic(&kafka, &records).check_exact(name);
    let kept: Vec<_> = read_topic(&kafka, letters).into_iter().map(|letter| letter.value).collect();
    assert_eq!(kept, [BAD.as_bytes()]);
}

/// Whether all of the input is before the checkpoint.
fn checkpoint_is_behind(disk: &SmallDisk, scene: &Scene) -> bool {
    let text = fs::read(disk.seen_from_here().join("input")).unwrap_or_default();
    let checkpoint: Value = serde_json::from_slice(&text).unwrap_or_default();
    checkpoint["offset"].as_u64() == Some(fs::metadata(scene.input()).unwrap().len())
}

/// Writes until there is no room for a byte.
fn fill(path: &Path) {
    let mut file = File::create(path).unwrap();
    while file.write_all(&[b' '; 4096]).is_ok() {}
}
