//! `tap` and `audit` read over the secured connection of a pipeline, with its login.

use std::fs;

use serde_json::Value;

use super::{kafka, security, stage::Stage};
use crate::faults::support::{Child, Tally};

const RECORDS: usize = 5000;

/// Whether the command ended well, its standard output, and its log.
pub(super) fn end(child: Child) -> (bool, String, String) {
    let (output, log) = (child.output.clone(), child.log_path());
    let is_well = child.wait().status.success();
    (is_well, fs::read_to_string(output).unwrap(), fs::read_to_string(log).unwrap())
}

#[test]
fn a_topic_is_read_and_audited_over_tls_with_a_login() {
    kafka().set_password("SCRAM-SHA-512", "reader", "one").unwrap();
    let stage = Stage::open("reading").to(&security().sasl_tls_servers()).trusting();
    let stage = stage.logging_in("SCRAM-SHA-512", "reader");
    stage.put_password("one");
    let records = stage.scene.write_input(RECORDS);
    stage.scene.produce_all().well();
    let expect = RECORDS.to_string();
    let read = || {
        [
            stage.scene.start_printing("tap", &["--until-caught-up"]),
            stage.scene.start("audit", &["--expect", &expect]),
        ]
    };

    let [tap, audit] = read().map(end);
    assert!(tap.0 && audit.0, "{tap:?} {audit:?}");
    let mut tally = Tally::new(&records);
    tally.text(tap.1.as_bytes());
    tally.check_exact("tap over TLS");
    let audit: Value = serde_json::from_str(&audit.1).unwrap();
    assert_eq!((&audit["records"], &audit["missing"]), (&RECORDS.into(), &0.into()), "{audit}");

    stage.put_password("another");
    for (is_well, text, log) in read().map(end) {
        assert!(!is_well && text.is_empty(), "{text}\n{log}");
        let is_told = log.contains("login at 127.0.0.1:") && log.contains("SASL authentication");
        assert!(is_told, "{log}");
    }
}
