//! The broker's limit for a message is smaller than batches, or than single records.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufWriter, Write},
};

use batchpipe_api::reason::Reason;
use batchpipe_testbed::{Kafka, shared_kafka};

use super::support::{Records, Scene, Tally, read_topic};

/// Fails when the numbers of a partition have a hole, or begin late, for any incarnation.
fn check_sequences(kafka: &Kafka, topic: &str) {
    let mut next = BTreeMap::new();
    for message in read_topic(kafka, topic) {
        let (envelope, _) = message.open();
        let next = next.entry((message.partition, envelope.incarnation)).or_insert(0);
        assert_eq!(envelope.sequence, *next, "{topic}/{} {}", message.partition, message.offset);
        *next = envelope.next_sequence();
    }
}

/// So many that no codec makes them smaller than the limit.
pub(super) fn random_digits(seed: u64) -> String {
    let mut state = seed + 1;
    let digit = || {
        // Knuth's linear congruential generator; its high bits are as good as random here.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(b'0' + u8::try_from((state >> 33) % 10).unwrap())
    };
    std::iter::repeat_with(digit).take(9000).collect()
}

#[test]
fn batches_are_split_until_they_fit_and_records_that_never_fit_are_kept_apart() {
    const TOTAL: usize = 30_000;
    const LARGE: usize = 7;
    let kafka = shared_kafka().unwrap();
    let mut scene = Scene::new(kafka, "small-messages");
    scene.spec["batch"]["maxRecords"] = 500.into();
    kafka.create_topic("small-messages", 3, &[("max.message.bytes", "2000")]).unwrap();
    let mut file = BufWriter::new(File::create(scene.input()).unwrap());
    let mut records = Records::default();
    let mut large = Vec::new();
    for number in 0..LARGE {
        records.append(&mut file, TOTAL / LARGE);
        let digits = random_digits(number as u64);
        let line = format!(r#"{{"large":"{number} {digits}"}}"#);
        writeln!(file, "{line}").unwrap();
        large.push(line.into_bytes());
    }
    drop(file);
    let report = scene.produce_all().well();
    assert_eq!(report.dead_lettered, LARGE as u64);
    scene.tally_topic(kafka, &records).check_exact("batches split");
    check_sequences(kafka, "small-messages");
    let letters = read_topic(kafka, "small-messages.dlq");
    assert!(letters.iter().all(|letter| {
        letter.dead_letter().is_some_and(|why| why.reason == Reason::RecordTooLarge)
    }));
    let mut kept: Vec<_> = letters.into_iter().map(|letter| letter.value).collect();
    kept.sort();
    assert_eq!(kept, large);
    let consumed = scene.consume_all().well();
    assert_eq!(consumed.delivered, records.len() as u64);
    scene.tally_output(&records).check_exact("batches split, sink");
}

#[test]
fn a_limit_that_is_lowered_under_load_costs_nothing() {
    const TOTAL: usize = 100_000;
    let kafka = shared_kafka().unwrap();
    let mut scene = Scene::new(kafka, "lowered-limit");
    scene.generate(15_000, TOTAL);
    let producer = scene.produce();
    producer.await_delivered(20_000);
    kafka.alter_topic_config("lowered-limit", "max.message.bytes", "1500").unwrap();
    producer.wait().well();
    let mut tally = Tally::new(&Records::of_seed(TOTAL));
    for message in read_topic(kafka, "lowered-limit") {
        tally.text(&message.open().1);
    }
    tally.check_exact("limit lowered");
    check_sequences(kafka, "lowered-limit");
}
