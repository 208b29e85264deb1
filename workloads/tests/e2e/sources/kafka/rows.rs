//! Messages of every kind, and what becomes of each.

use batchpipe_testbed::shared_kafka;

use super::stage::{Pair, Stage};
use crate::faults::support::{read_topic, until};

/// Value, reason, and whole size of what was cut.
type Letter = (Vec<u8>, String, Option<u64>);

/// Sends these values, and returns the lines and the dead letters that became of them.
fn run(topic: &str, validate: &str, values: &[Option<&[u8]>]) -> (Vec<String>, Vec<Letter>) {
    let kafka = shared_kafka().unwrap();
    let mut stage = Stage::new(kafka, topic);
    stage.scene.spec["producer"]["validate"] = validate.into();
    stage.scene.spec["batch"]["maxBytes"] = "4Ki".into();
    let pair =
        |value: Option<&[u8]>| -> Pair { (Some("one".to_owned()), value.map(<[u8]>::to_vec)) };
    stage.send(&values.iter().copied().map(pair).collect::<Vec<_>>());
    let producer = stage.scene.produce();
    stage.await_committed();
    let tombstones = values.iter().flatten().filter(|it| it.trim_ascii().is_empty()).count();
    let tombstones = tombstones + values.iter().filter(|it| it.is_none()).count();
    let replaced = usize::from(validate == "Json") * 2;
    until("they are counted", || {
        let accounting = producer.report().accounting;
        (accounting.tombstones, accounting.newlines_replaced)
            == (tombstones as u64, replaced as u64)
    });
    let report = producer.terminate().well();
    assert_eq!(report.accepted, (values.len() - tombstones) as u64);
    let mut lines = Vec::new();
    for message in read_topic(kafka, topic) {
        let text = String::from_utf8(message.open().1).unwrap();
        lines.extend(text.lines().map(str::to_owned));
    }
    let letters = read_topic(kafka, &format!("{topic}.dlq")).into_iter().map(|message| {
        let origin = message.dead_letter().unwrap();
        (message.value, origin.reason.name().to_owned(), origin.truncated)
    });
    (lines, letters.collect())
}

#[test]
fn values_become_lines_dead_letters_or_nothing() {
    let long = [&b"\""[..], &[b'x'; 4999], b"\""].concat();
    let values: [Option<&[u8]>; 10] = [
        Some(b"{\"a\" : 1.0}"),
        Some(b"{\n  \"b\": 2\r\n}"),
        Some(b"nope"),
        Some(b"{\"c\n\": 3}"),
        Some(&long),
        None,
        Some(b""),
        Some(b" \t\n"),
        Some(b"4\n"),
        Some(b"\"\xff\""),
    ];
    let (lines, letters) = run("rebatched-rows", "Json", &values);
    assert_eq!(lines, ["{\"a\" : 1.0}", "{   \"b\": 2\r }", "4 "]);
    let mut expected = [
        (b"nope".to_vec(), "invalid_json".to_owned(), None),
        (b"{\"c\n\": 3}".to_vec(), "invalid_json".to_owned(), None),
        (long[..5001].to_vec(), "record_too_large".to_owned(), None),
        (b"\"\xff\"".to_vec(), "invalid_json".to_owned(), None),
    ];
    let mut letters = letters;
    expected.sort();
    letters.sort();
    assert_eq!(letters, expected);
}

#[test]
fn without_validation_only_line_breaks_are_refused() {
    let values: [Option<&[u8]>; 4] = [Some(b"nope"), Some(b"a\nb"), Some(b"{\n}"), None];
    let (lines, mut letters) = run("rebatched-raw-rows", "None", &values);
    assert_eq!(lines, ["nope"]);
    letters.sort();
    let newline = |value: &[u8]| (value.to_vec(), "newline".to_owned(), None);
    assert_eq!(letters, [newline(b"a\nb"), newline(b"{\n}")]);
}
