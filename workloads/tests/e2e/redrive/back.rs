//! Whole messages and single records go back and are delivered, to where they came from, and only once.

use std::fs;

use super::support::{Stage, consume, record, report};
use crate::kit::{
    command::{Running, batchpipe},
    lines::{assert_same_lines, mixed},
    topic::{self, Raw},
};

fn produce(pipeline: &std::path::Path, records: &[u8]) {
    let input = pipeline.with_extension("in");
    fs::write(&input, records).unwrap();
    let mut command = batchpipe(&["produce", "-f", pipeline.to_str().unwrap()]);
    command.stdin(fs::File::open(input).unwrap());
    Running::start(command).wait().success();
}

#[test]
fn messages_go_back_byte_for_byte_and_are_delivered() {
    let stage = Stage::new("redrive-whole", 6);
    let records = mixed(5_000);
    // A consumer whose limits are too small for any batch dead-letters all of them whole.
    produce(&stage.pipeline(), &records);
    assert_eq!(consume(&stage.strict_pipeline()), b"");
    let before = stage.messages();
    let letters = before.len() as u64;
    assert_eq!(topic::messages(&stage.letters), i64::try_from(letters).unwrap());

    assert_eq!(stage.redrive(&[]), report(letters, letters, &[]));
    let after = stage.messages();
    for partition in 0..6 {
        let of = |all: &[Raw]| -> Vec<_> {
            let ours = all.iter().filter(|message| message.partition == partition);
            ours.map(|message| (message.value.clone(), message.headers.clone())).collect()
        };
        let (before, after) = (of(&before), of(&after));
        let mut expected = before.clone();
        expected.extend(before.into_iter().map(|(value, mut headers)| {
            headers.push(("batchpipe-attempts".to_owned(), b"1".to_vec()));
            (value, headers)
        }));
        assert_eq!(after, expected, "partition {partition}");
    }
    assert_same_lines(&consume(&stage.pipeline()), &records);
    let audit = stage.audit();
    assert_eq!((&audit["missing"], &audit["corrupt"]), (&0.into(), &0.into()), "{audit}");
    assert_eq!(stage.redrive(&[]), report(0, 0, &[]), "once is enough");
}

#[test]
fn records_go_back_in_order_to_their_partitions_and_are_numbered_anew() {
    let stage = Stage::new("redrive-records", 3);
    stage.put(&stage.records(1, 0..1_000));
    stage.put(&stage.records(2, 1_000..1_010));
    // One that its producer refused never had a partition.
    stage.put(&[stage.letter("record_too_large", "partition=-1;offset=-1", record(1_010))]);
    assert_eq!(stage.redrive(&[]), report(1_011, 1_011, &[]));
    let messages = stage.messages();
    let batches = |partition| messages.iter().filter(move |it| it.partition == partition).count();
    assert!(batches(1) < 100, "they are in batches");
    let attempts = |message: &Raw| message.header("batchpipe-attempts") == Some("1");
    assert!(messages.iter().all(attempts));
    let expected: Vec<_> = (0..1_011).map(|number| record(number) + "\n").collect();
    assert_same_lines(&consume(&stage.pipeline()), expected.concat().as_bytes());
    let audit = stage.audit();
    assert_eq!((&audit["records"], &audit["unverified"]), (&1_011.into(), &0.into()));
    assert_eq!((&audit["missing"], &audit["duplicated"]), (&0.into(), &0.into()));
}

#[test]
fn letters_of_one_reason_go_back_and_the_others_later() {
    let stage = Stage::new("redrive-reason", 3);
    let corrupt = |offset| stage.letter("corrupt", &format!("partition=0;offset={offset}"), "1");
    stage.put(&[corrupt(0), corrupt(1)]);
    stage.put(&stage.records(0, 0..3));
    stage.put(&[corrupt(2)]);
    let only = ["--reason", "corrupt"];
    assert_eq!(stage.redrive(&only), report(6, 3, &[("skipped", 3)]));
    assert_eq!(stage.redrive(&only), report(0, 0, &[]));
    assert_eq!(stage.redrive(&["--reason", "newline"]), report(6, 0, &[("skipped", 6)]));
    // What was not asked for is still there, and what was sent is not sent again.
    assert_eq!(stage.redrive(&[]), report(6, 3, &[("skipped", 3)]));
    assert_eq!(stage.redrive(&[]), report(0, 0, &[]));
    assert_eq!(consume(&stage.pipeline()).split(|byte| *byte == b'\n').count() - 1, 6);
}

#[test]
fn a_limit_ends_a_run_and_the_next_one_goes_on() {
    let stage = Stage::new("redrive-limit", 1);
    stage.put(&stage.records(0, 0..10));
    assert_eq!(stage.redrive(&["--limit", "4"]), report(4, 4, &[]));
    assert_eq!(stage.redrive(&["--dry-run"]), report(6, 6, &[]));
    assert_eq!(stage.redrive(&["--dry-run"]), report(6, 6, &[]), "a dry run changes nothing");
    assert_eq!(stage.redrive(&[]), report(6, 6, &[]));
    let expected: Vec<_> = (0..10).map(|number| record(number) + "\n").collect();
    assert_same_lines(&consume(&stage.pipeline()), expected.concat().as_bytes());
}
