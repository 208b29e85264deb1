//! Dead letters go back over a secured connection, and only with the rights for it.

use std::fs::{self, File};

use batchpipe_testbed::{Operation, Resource};

use super::{kafka, security, stage::Stage};
use crate::faults::support::read_topic;

const GROUP: &str = "batchpipe-redrive.letters-secured.dlq";
const LETTERS: usize = 5;

#[test]
fn letters_go_back_over_tls_once_the_group_is_granted() {
    kafka().set_password("SCRAM-SHA-512", "redriver", "one").unwrap();
    let stage = Stage::open("letters-secured").to(&security().sasl_tls_servers()).trusting();
    let mut stage = stage.logging_in("SCRAM-SHA-512", "redriver");
    stage.put_password("one");
    stage.scene.spec["producer"]["validate"] = "None".into();
    fs::write(stage.scene.input(), "not json\n".repeat(LETTERS)).unwrap();
    stage.scene.produce_all().well();
    assert_eq!(stage.scene.consume_all().well().dead_lettered, LETTERS as u64);

    let refused = stage.scene.start("redrive", &[]);
    let log = refused.log_path();
    assert_eq!(refused.wait().status.code(), Some(1));
    let log = fs::read_to_string(log).unwrap();
    assert!(log.contains("does not authorize this client to use group"), "{log}");

    kafka().grant("redriver", Operation::All, Resource::Group(GROUP)).unwrap();
    let child = stage.scene.start("redrive", &[]);
    let output = child.output.clone();
    assert!(child.wait().status.success());
    let report: serde_json::Value = serde_json::from_reader(File::open(output).unwrap()).unwrap();
    assert_eq!(report["redriven"], LETTERS);
    // They are as bad as before, and the consumer says how often they have been sent back.
    assert_eq!(stage.scene.consume_all().well().dead_lettered, LETTERS as u64);
    let letters = read_topic(kafka(), "letters-secured.dlq");
    let attempts: Vec<_> =
        letters.iter().map(|letter| letter.dead_letter().unwrap().attempts).collect();
    assert_eq!(attempts, [[0; LETTERS], [1; LETTERS]].concat());
}
