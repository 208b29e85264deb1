//! A broker's disk damages record batches that were acknowledged: what can be read is delivered once, what cannot is known
//! by its offsets.

use std::{collections::BTreeSet, fs, ops::Range};

use batchpipe_api::reason::Reason;
use batchpipe_testbed::{Kafka, kafka};

use super::support::{
    Records, Scene, Tally, TopicMessage, Transaction, copy_topic, read_topic, until,
};
use crate::kit::command::{Running, batchpipe};

/// Where a message is.
pub(crate) type Place = (i32, i64);

/// Bytes before the records of a record batch.
const HEADER: usize = 61;
/// The attribute of a record batch that ends a transaction.
const CONTROL: u8 = 1 << 5;

fn number<const N: usize>(log: &[u8], at: usize) -> [u8; N] {
    log[at..at + N].try_into().unwrap()
}

/// Changes a partition's log on the disk, given where in it record batches are that hold messages. The broker has to be
/// stopped.
pub(crate) fn rewrite<T>(
    kafka: &Kafka,
    topic: &str,
    partition: i32,
    change: impl FnOnce(&mut [u8], &[Range<usize>]) -> T,
) -> T {
    let folder = kafka.log().parent().unwrap().join(format!("data/{topic}-{partition}"));
    let path = folder.join("00000000000000000000.log");
    let mut log = fs::read(&path).unwrap();
    let mut batches = Vec::new();
    let mut at = 0;
    while at < log.len() {
        let size = 12 + usize::try_from(i32::from_be_bytes(number(&log, at + 8))).unwrap();
        if log[at + 22] & CONTROL == 0 {
            batches.push(at..at + size);
        }
        at += size;
    }
    let result = change(&mut log, &batches);
    fs::write(path, log).unwrap();
    result
}

/// Turns one bit in the middle of some of a partition's record batches, as a disk does on which it has rotted. `choose` says
/// which, given how many there are. Returns the places of their messages. The broker has to be stopped.
pub(crate) fn damage(
    kafka: &Kafka,
    topic: &str,
    partition: i32,
    choose: impl FnOnce(usize) -> Vec<usize>,
) -> Vec<Place> {
    rewrite(kafka, topic, partition, |log, batches| {
        let mut places = Vec::new();
        for chosen in choose(batches.len()) {
            let Range { start, end } = batches[chosen];
            let first = i64::from_be_bytes(number(log, start));
            let last = first + i64::from(i32::from_be_bytes(number(log, start + 23)));
            log[usize::midpoint(start + HEADER, end)] ^= 1;
            places.extend((first..=last).map(|offset| (partition, offset)));
        }
        places
    })
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

/// Makes a topic with records in many record batches of a few messages.
fn fill(kafka: &Kafka, topic: &str, total: usize, holds: Transaction) -> Records {
    let mut whole = Scene::new(kafka, "whole");
    whole.spec["batch"]["maxRecords"] = 10.into();
    whole.generate(0, total);
    whole.produce_all().well();
    kafka.create_topic(topic, 3, &[]).unwrap();
    copy_topic(kafka, &read_topic(kafka, "whole"), topic, 5, holds);
    Records::of_seed(total)
}

#[test]
fn batches_that_a_disk_has_damaged_are_kept_by_their_offsets_and_nothing_comes_twice() {
    let mut kafka = kafka().unwrap();
    let records = fill(&kafka, "damaged", 6000, Transaction::Batch);
    let scene = Scene::new(&kafka, "damaged");
    let before = read_topic(&kafka, "damaged");
    kafka.stop().unwrap();
    let mut damaged = BTreeSet::new();
    damaged.extend(damage(&kafka, "damaged", 0, |_| vec![0]));
    damaged.extend(damage(&kafka, "damaged", 2, |count| vec![count / 2]));
    // Two that follow each other, and one more behind one that is whole.
    damaged.extend(damage(&kafka, "damaged", 1, |count| {
        let middle = count / 2;
        vec![middle, middle + 1, middle + 3]
    }));
    // The last one of the partition that is done last.
    let last = BTreeSet::from_iter(damage(&kafka, "damaged", 1, |count| vec![count - 1]));
    damaged.extend(last.iter().copied());
    kafka.start_again().unwrap();
    let expected = intact(&records, &before, &damaged);
    assert!(!expected.lost().is_empty());

    let report = scene.consume_all().well();
    let delivered = scene.tally_output(&records);
    assert_eq!(delivered.strange(), 0);
    assert_eq!((delivered.lost(), delivered.duplicates()), (expected.lost(), 0));
    assert_eq!(report.delivered, (records.len() - expected.lost().len()) as u64);
    let letters = read_topic(&kafka, "damaged.dlq");
    let mut kept = BTreeSet::new();
    for letter in &letters {
        let origin = letter.dead_letter().unwrap();
        assert_eq!((origin.reason, origin.truncated), (Reason::Corrupt, Some(0)));
        assert!(letter.value.is_empty() && kept.insert((origin.partition, origin.offset)));
    }
    assert_eq!(kept, damaged);
    assert_eq!(report.dead_lettered, damaged.len() as u64);

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
    assert_eq!(tapped.strange(), 0);

    let audit: serde_json::Value = serde_json::from_str(&look(&["audit", "--json"])).unwrap();
    // Where nothing follows, nothing tells how many records were in what is damaged.
    let untold = intact(&records, &before, &last).lost().len();
    assert_eq!(audit["missing"], expected.lost().len() - untold, "{audit}");

    assert_eq!(audit["duplicated"], 0);
    assert_eq!(audit["corrupt"], damaged.len());
}

/// Which the checksum of a record batch does not cover.
#[test]
fn an_offset_that_a_disk_has_damaged_is_not_followed_and_nothing_is_lost_by_it() {
    let mut kafka = kafka().unwrap();
    let records = fill(&kafka, "future", 3000, Transaction::Batch);
    let scene = Scene::new(&kafka, "future");
    // Turned once it is an offset of the far future, and turned again the true one.
    let turn = |kafka: &mut Kafka| {
        kafka.stop().unwrap();
        rewrite(kafka, "future", 1, |log, batches| log[batches[batches.len() / 2].start + 2] ^= 1);
        kafka.start_again().unwrap();
    };
    turn(&mut kafka);
    let consumer = scene.consume();
    until("it is told", || consumer.log().contains("says that its offset is"));
    consumer.terminate().well();
    let brokers = kafka.bootstrap_servers();
    for words in [["audit", "--json"], ["tap", "--until-caught-up"]] {
        let mut command = batchpipe(&words);
        command.args(["-b", &brokers, "-t", "future"]);
        let seen = Running::start(command).wait();
        let said = seen.stderr;
        assert!(seen.code == Some(1) && said.contains("says that its offset is"), "{said}");
    }
    turn(&mut kafka);
    scene.consume_all().well();
    let delivered = scene.tally_output(&records);
    delivered.check_complete("future");
    assert_eq!(delivered.duplicates(), 0);
}

/// The same by so little that the partition has such an offset, or as good as.
#[test]
fn an_offset_that_is_damaged_by_little_is_told_and_costs_nothing() {
    // What is added to the offset of the first batch behind 64, and to the last one; and whether records go into files, which
    // say by their names what they hold.
    for (topic, bit, is_last, has_files) in [
        ("nearer", 32, false, false),
        ("nearest-end", 128, true, false),
        ("nearer-files", 32, false, true),
        ("next", 1, false, false),
    ] {
        let mut kafka = kafka().unwrap();
        // What is shifted by one is filled by what follows it, where that is no end of a transaction.
        let holds = if bit == 1 { Transaction::All } else { Transaction::Batch };
        let records = fill(&kafka, topic, 3000, holds);
        let mut scene = Scene::new(&kafka, topic);
        if !has_files {
            scene.spec["consumer"]["sink"] = serde_json::json!({"stdout": {}});
        }
        // Turns the bit in the batch that begins there in the log, or in the one that is chosen; returns where that is.
        let turn = |kafka: &mut Kafka, at: Option<usize>| {
            kafka.stop().unwrap();
            let chosen = rewrite(kafka, topic, 1, |log, batches| {
                let low = |batch: &&Range<usize>| log[batch.start + 7];
                // One that comes to be behind its place, not before it.
                let mut ahead = batches.iter().filter(|it| low(it) >= 64 && low(it) & bit == 0);
                let chosen = if is_last { batches.last() } else { ahead.next() };
                let at = at.unwrap_or_else(|| chosen.unwrap().start);
                log[at + 7] ^= bit;
                at
            });
            kafka.start_again().unwrap();
            chosen
        };
        let turned = turn(&mut kafka, None);
        let consumer = scene.consume();
        let printed = consumer.output.clone();
        until("it is told", || {
            let log = consumer.log();
            log.contains("says that its offset is") || log.contains("comes behind offset")
        });
        assert!(!consumer.log().contains("is gone"), "it is the same topic");
        consumer.terminate();
        turn(&mut kafka, Some(turned));
        let rest = scene.start("consume", &["--until-caught-up"]);
        let more = rest.output.clone();
        rest.wait().well();
        let mut tally = Tally::new(&records);
        if has_files {
            tally.folder(&scene.output());
        } else {
            tally.output(&printed);
            tally.output(&more);
        }
        tally.check_complete(topic);
    }
}
