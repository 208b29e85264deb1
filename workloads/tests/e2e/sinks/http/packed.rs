//! A receiver that says that it accepts a coding gets batches as they are in the topic, byte for byte.

use std::collections::BTreeSet;

use batchpipe_testbed::shared_kafka;

use super::{
    mix::{bad, check_letters, check_taken, scene},
    server::Server,
};
use crate::faults::support::{Records, read_topic};

const TOTAL: usize = 50_000;

#[test]
fn batches_pass_as_they_are_to_a_receiver_that_accepts_their_coding() {
    let (kafka, topic) = (shared_kafka().unwrap(), "http-packed");
    let input = tempfile::NamedTempFile::new().unwrap();
    let records = Records::write(input.path(), TOTAL);
    let server = Server::start(&records, false, 7);
    server.state().codings = "zstd, gzip;q=0";
    let (mut scene, _secrets) = scene(kafka, topic, &server, "Ndjson");
    scene.spec["batch"]["maxRecords"] = 50.into();
    std::fs::copy(input.path(), scene.input()).unwrap();
    scene.produce_all().well();
    let report = scene.consume_all().well();
    let bad = bad(&records);
    assert_eq!(report.dead_lettered, bad.len() as u64);
    assert_eq!(report.delivered, (TOTAL - bad.len()) as u64);
    check_taken(&server, &bad, topic);
    check_letters(kafka, topic, &bad);

    let values: BTreeSet<_> = read_topic(kafka, topic).into_iter().map(|it| it.value).collect();
    let packed = std::mem::take(&mut server.state().packed);
    println!("{topic}: {} of {} batches passed as they are", packed.len(), values.len());
    assert!(packed.iter().all(|value| values.contains(value)));
    // The first of each worker comes before the receiver has said anything; the receiver fails every tenth.
    assert!(packed.len() > values.len() / 2, "{} of {}", packed.len(), values.len());
}
