//! What cannot be sent back is counted and named, and nothing of it is lost or altered.

use super::support::{Stage, record, report};
use crate::kit::{
    broker,
    command::{Running, batchpipe},
    topic::{self, Raw},
};

#[test]
fn what_is_truncated_or_no_letter_stays() {
    let stage = Stage::new("redrive-left", 1);
    let place = "partition=0;offset=5";
    let unreadable = stage.letter("strange", place, "x");
    stage.put(&[
        stage.letter("too_large", &format!("{place};truncated=1;size=9000"), "start"),
        Raw::value(0, "foreign"),
        unreadable,
        stage.letter("newline", &format!("{place};index=1"), "not\njson"),
        stage.letter("sink_rejected", &format!("{place};index=2"), record(7)),
    ]);
    let before = topic::read(&stage.letters);
    let ended = stage.try_redrive(&[]).success();
    let expected = report(5, 1, &[("truncated", 1), ("unreadable", 2), ("skipped", 1)]);
    assert_eq!(ended.report(), expected);
    for (offset, words) in [
        (0, "is truncated: only its start is here, of 9000 bytes"),
        (1, "is no dead letter"),
        (2, "field reason has an impossible value"),
        (3, "cannot be put into a batch"),
    ] {
        let line = format!("topic {}, partition 0, offset {offset}: ", stage.letters);
        let line = ended.stderr.lines().find(|it| it.starts_with(&line)).unwrap();
        assert!(line.contains(words), "{line}");
    }
    assert_eq!(topic::messages(&stage.topic), 1);
    assert_eq!(topic::read(&stage.letters), before);
}

/// So many that no codec makes them smaller.
fn random_digits(count: usize) -> String {
    let mut state = 7_u64;
    let digit = || {
        // Knuth's linear congruential generator; its high bits are as good as random here.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(b'0' + u8::try_from((state >> 33) % 10).unwrap())
    };
    std::iter::repeat_with(digit).take(count).collect()
}

#[test]
fn what_the_broker_refuses_for_its_size_stays_and_the_rest_goes_on() {
    let stage = Stage::new("redrive-size", 1);
    broker().alter_topic_config(&stage.topic, "max.message.bytes", "2000").unwrap();
    let digits = random_digits(9_000);
    let record = |number: usize, text: &str| {
        let fields = format!("partition=0;offset={number};index=0");
        stage.letter("sink_rejected", &fields, format!("{{\"seq\":{number},\"x\":\"{text}\"}}"))
    };
    stage.put(&[record(0, "a"), record(1, &digits), record(2, "b")]);
    stage.put(&[stage.letter("corrupt", "partition=0;offset=9", digits.as_bytes())]);
    stage.put(&[record(3, &random_digits(1_200)), record(4, &random_digits(1_300))]);
    let ended = stage.try_redrive(&[]).success();
    assert_eq!(ended.report(), report(6, 4, &[("skipped", 2)]));
    for offset in [1, 3] {
        let line = format!("offset {offset}: is too large for topic {}", stage.topic);
        assert!(ended.stderr.contains(&line), "{}", ended.stderr);
    }
    let audit = stage.audit();
    assert_eq!((&audit["records"], &audit["missing"]), (&4.into(), &0.into()), "{audit}");
}

#[test]
fn a_topic_that_is_not_there_fails_with_its_name_and_the_letters_stay() {
    let stage = Stage::new("redrive-missing", 1);
    stage.put(&stage.records(0, 0..3));
    let ended = stage.try_redrive(&["--to", "redrive-nowhere"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("topic redrive-nowhere is not there"), "{}", ended.stderr);
    assert_eq!(ended.report(), report(0, 0, &[]));
    assert_eq!(stage.redrive(&[]), report(3, 3, &[]));
    let command = batchpipe(&["redrive", "--from", "redrive-no-letters"]);
    let ended = Running::start(command).wait();
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("redrive-no-letters does not exist"), "{}", ended.stderr);
}
