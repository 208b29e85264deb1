//! What comes back again and again is left after some times.

use super::support::{Stage, consume, report};
use crate::kit::topic::{self, Raw};

/// The field of the newest letter.
fn attempts(stage: &Stage) -> String {
    let letters = topic::read(&stage.letters);
    let header = letters.last().unwrap().header("batchpipe-dlq").unwrap().to_owned();
    let found = header.split(';').find_map(|field| field.strip_prefix("attempts="));
    found.unwrap_or("none").to_owned()
}

/// Sends the newest letter back until it is left; the consumer makes it a letter again each time.
fn go_round(stage: &Stage) {
    let pipeline = stage.pipeline();
    for expected in ["none", "1", "2", "3"] {
        assert_eq!(consume(&pipeline), b"");
        assert_eq!(attempts(stage), expected);
        if expected == "3" {
            break;
        }
        assert_eq!(stage.redrive(&[]), report(1, 1, &[]));
    }
    assert_eq!(stage.redrive(&[]), report(1, 0, &[("tooManyAttempts", 1)]));
    assert_eq!(topic::messages(&stage.topic), 4);
    // Who allows more gets it, and nothing that went before.
    assert_eq!(stage.redrive(&["--max-attempts", "4"]), report(4, 1, &[("skipped", 3)]));
    assert_eq!(consume(&pipeline), b"");
    assert_eq!(attempts(stage), "4");
}

#[test]
fn a_message_that_stays_unreadable_comes_back_three_times() {
    let stage = Stage::new("redrive-guard", 1);
    let headers = vec![("content-encoding".to_owned(), b"zstd".to_vec())];
    topic::write(&stage.topic, &[Raw { headers, ..Raw::value(0, "no zstd") }]);
    go_round(&stage);
    let messages = stage.messages();
    assert!(messages.iter().all(|message| message.value.as_deref() == Some(b"no zstd")));
    assert_eq!(messages.last().unwrap().headers.len(), 2, "the number of attempts is there once");
}

#[test]
fn a_record_that_stays_bad_comes_back_three_times() {
    let stage = Stage::new("redrive-guard-record", 1);
    topic::write(&stage.topic, &[Raw::value(0, "not json")]);
    go_round(&stage);
    let audit = stage.audit();
    assert_eq!((&audit["missing"], &audit["duplicated"]), (&0.into(), &0.into()), "{audit}");
}
