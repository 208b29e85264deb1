//! A broker's disk damages record batches that were acknowledged: what can be read is delivered once, what cannot is known
//! by its offsets.

use std::{collections::BTreeSet, fs, ops::Range};

use batchpipe_api::reason::Reason;
use batchpipe_testbed::{Kafka, kafka};

use super::support::{Records, Scene, Tally, TopicMessage, read_topic};
use crate::kit::command::{Running, batchpipe};

/// Where a message is.
type Place = (i32, i64);

/// Bytes before the records of a record batch.
const HEADER: usize = 61;

fn number<const N: usize>(log: &[u8], at: usize) -> [u8; N] {
    log[at..at + N].try_into().unwrap()
}

/// Turns one bit in the middle of a partition's record batch with this number, as a disk does on which it has rotted.
/// Returns the offsets of its messages. The broker has to be stopped.
pub(crate) fn damage(kafka: &Kafka, topic: &str, partition: i32, batch: usize) -> Range<i64> {
    let folder = kafka.log().parent().unwrap().join(format!("data/{topic}-{partition}"));
    let path = folder.join("00000000000000000000.log");
    let mut log = fs::read(&path).unwrap();
    let mut at = 0;
    let size = |log: &[u8], at: usize| {
        12 + usize::try_from(i32::from_be_bytes(number(log, at + 8))).unwrap()
    };
    for _ in 0..batch {
        at += size(&log, at);
    }
    let (first, size) = (i64::from_be_bytes(number(&log, at)), size(&log, at));
    let last = first + i64::from(i32::from_be_bytes(number(&log, at + 23)));
    log[at + usize::midpoint(HEADER, size)] ^= 1;
    fs::write(path, log).unwrap();
    first..last + 1
}

/// Of what was in the topic, what is not damaged.
fn intact(records: &Records, before: &[TopicMessage], damaged: &BTreeSet<Place>) -> Tally {
    let mut tally = Tally::new(records);
    for message in before {
        if !damaged.contains(&(message.partition, message.offset)) {
            tally.text(&message.open().1);
        }
    }
    tally
}

#[test]
fn batches_that_a_disk_has_damaged_are_kept_by_their_offsets_and_nothing_comes_twice() {
    let mut kafka = kafka().unwrap();
    let mut scene = Scene::new(&kafka, "damaged");
    // Slowly enough for many record batches of some messages each.
    scene.spec["batch"] = serde_json::json!({"maxRecords": 10, "linger": "20ms"});
    scene.generate(10_000, 20_000);
    let records = Records::of_seed(20_000);
    scene.produce_all().well();
    let before = read_topic(&kafka, "damaged");
    kafka.stop().unwrap();
    let mut damaged = BTreeSet::new();
    // The first one, two that follow each other, and one more behind one that is whole.
    for (partition, batch) in [(0, 0), (1, 5), (1, 6), (1, 8), (2, 12)] {
        let offsets = damage(&kafka, "damaged", partition, batch);
        damaged.extend(offsets.map(|offset| (partition, offset)));
    }
    kafka.start_again().unwrap();
    let expected = intact(&records, &before, &damaged);
    assert!(!expected.lost().is_empty());

    let report = scene.consume_all().well();
    let delivered = scene.tally_output(&records);
    assert_eq!((delivered.lost(), delivered.duplicates()), (expected.lost(), 0));
    assert_eq!(report.delivered, (records.len() - expected.lost().len()) as u64);
    assert_eq!(report.dead_lettered, damaged.len() as u64);
    let letters = read_topic(&kafka, "damaged.dlq");
    let mut kept = BTreeSet::new();
    for letter in &letters {
        let origin = letter.dead_letter().unwrap();
        assert_eq!((origin.reason, origin.truncated), (Reason::Corrupt, Some(0)));
        assert!(letter.value.is_empty() && kept.insert((origin.partition, origin.offset)));
    }
    assert_eq!(kept, damaged);

    let brokers = kafka.bootstrap_servers();
    let look = |words: &[&str]| {
        let mut command = batchpipe(words);
        command.args(["-b", &brokers, "-t", "damaged"]);
        let seen = Running::start(command).wait();
        assert_eq!(seen.code, Some(1), "{words:?}");
        String::from_utf8(seen.stdout).unwrap()
    };
    let mut tapped = Tally::new(&records);
    tapped.text(look(&["tap", "--until-caught-up"]).as_bytes());
    assert_eq!((tapped.lost(), tapped.duplicates()), (expected.lost(), 0));
    let audit: serde_json::Value = serde_json::from_str(&look(&["audit", "--json"])).unwrap();
    assert_eq!(audit["missing"], expected.lost().len(), "{audit}");
    assert_eq!(audit["duplicated"], 0);
    assert_eq!(audit["corrupt"], damaged.len());
}
