//! A receiver that is away: the consumer waits and says so, can be stopped all the same, and gives up when it is told to.

use std::time::{Duration, Instant};

use batchpipe_testbed::shared_kafka;

use super::{fate::Fate, mix::scene, server::Server};
use crate::faults::support::{Records, read_topic};

const TOTAL: usize = 3000;

#[test]
fn a_consumer_whose_receiver_is_silent_stops_in_time_and_loses_nothing() {
    let (kafka, topic) = (shared_kafka().unwrap(), "http-silent");
    let input = tempfile::NamedTempFile::new().unwrap();
    let records = Records::write(input.path(), TOTAL);
    let server = Server::start(&records, false, 1);
    server.state().fate = Some(Fate::Silence);
    let (scene, _secrets) = scene(kafka, topic, &server, "Ndjson");
    std::fs::copy(input.path(), scene.input()).unwrap();
    scene.produce_all().well();

    let consumer = scene.start("consume", &["--grace-period", "1s"]);
    consumer.await_unready("did not answer within 1000 ms");
    assert_eq!(consumer.get("/livez").0, 200);
    let asked_at = Instant::now();
    let report = consumer.terminate().well();
    assert!(asked_at.elapsed() < Duration::from_secs(15), "{:?}", asked_at.elapsed());
    assert_eq!(report.delivered, 0);
    assert!(report.released > 0, "{report:?}");

    server.state().fate = Some(Fate::Take);
    let report = scene.consume_all().well();
    assert_eq!(report.delivered + report.dead_lettered, TOTAL as u64);
    assert_eq!(server.state().tally.duplicates(), 0);
}

#[test]
fn records_whose_tries_are_spent_are_dead_letters() {
    let (kafka, topic) = (shared_kafka().unwrap(), "http-spent");
    let input = tempfile::NamedTempFile::new().unwrap();
    let records = Records::write(input.path(), TOTAL);
    let server = Server::start(&records, false, 1);
    server.state().fate = Some(Fate::Fail(503));
    let (mut scene, _secrets) = scene(kafka, topic, &server, "Ndjson");
    scene.spec["consumer"]["sink"]["http"]["maxAttempts"] = 2.into();
    std::fs::copy(input.path(), scene.input()).unwrap();
    scene.produce_all().well();
    let report = scene.consume_all().well();
    assert_eq!((report.delivered, report.dead_lettered), (0, TOTAL as u64));
    let letters = read_topic(kafka, "http-spent.dlq");
    assert_eq!(letters.len(), TOTAL);
    assert_eq!(server.answered("503") as usize, 2 * read_topic(kafka, topic).len());
}
