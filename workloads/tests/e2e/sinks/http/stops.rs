//! A receiver that is away: the consumer waits and says so, can be stopped all the same, and gives up when it is told to.

use std::{
    collections::BTreeSet,
    net::TcpListener,
    time::{Duration, Instant},
};

use batchpipe_testbed::shared_kafka;

use super::{
    fate::Fate,
    mix::{bad, check_letters, check_taken, scene},
    server::{Server, number},
};
use crate::faults::support::{Records, Scene, read_topic, until};

const TOTAL: usize = 3000;

/// Stops a consumer that waits for its receiver, which says so in these words; nothing is lost.
fn stop_while_it_waits(scene: &Scene, words: &str) {
    let consumer = scene.start("consume", &["--grace-period", "1s"]);
    consumer.await_unready(words);
    assert_eq!(consumer.get("/livez").0, 200);
    let asked_at = Instant::now();
    let report = consumer.terminate().well();
    assert!(asked_at.elapsed() < Duration::from_secs(15), "{:?}", asked_at.elapsed());
    assert_eq!(report.delivered, 0);
    assert!(report.released > 0, "{report:?}");
}

#[test]
fn a_consumer_whose_receiver_is_away_or_silent_stops_in_time_and_loses_nothing() {
    let (kafka, topic) = (shared_kafka().unwrap(), "http-silent");
    let input = tempfile::NamedTempFile::new().unwrap();
    let records = Records::write(input.path(), TOTAL);
    let server = Server::start(&records, false, 1);
    server.state().fate = Some(Fate::Silence);
    let (mut scene, _secrets) = scene(kafka, topic, &server, "Ndjson");
    std::fs::copy(input.path(), scene.input()).unwrap();
    scene.produce_all().well();

    stop_while_it_waits(&scene, "did not answer within 1000 ms");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let http = &mut scene.spec["consumer"]["sink"]["http"];
    let url = std::mem::replace(&mut http["url"], format!("http://{closed}/").into());
    stop_while_it_waits(&scene, "cannot be asked");

    scene.spec["consumer"]["sink"]["http"]["url"] = url;
    server.state().fate = Some(Fate::Take);
    let report = scene.consume_all().well();
    assert_eq!(report.delivered + report.dead_lettered, TOTAL as u64);
    let bad = bad(&records);
    check_taken(&server, &bad, topic);
    check_letters(kafka, topic, &bad);
}

#[test]
fn a_receiver_that_asks_to_be_left_alone_is_left_alone() {
    let (kafka, topic) = (shared_kafka().unwrap(), "http-limited");
    let input = tempfile::NamedTempFile::new().unwrap();
    let records = Records::write(input.path(), TOTAL);
    let server = Server::start(&records, false, 1);
    server.state().fate = Some(Fate::Limit("1"));
    let (mut scene, _secrets) = scene(kafka, topic, &server, "Ndjson");
    scene.spec["topic"]["partitions"] = 1.into();
    std::fs::copy(input.path(), scene.input()).unwrap();
    scene.produce_all().well();

    let consumer = scene.consume();
    until("it has asked again twice", || server.answered("429") >= 3);
    server.state().fate = Some(Fate::Take);
    consumer.await_delivered((TOTAL - bad(&records).len()) as u64);
    consumer.terminate().well();
    let limited = std::mem::take(&mut server.state().limited);
    for pair in limited.windows(2) {
        assert!(pair[1] - pair[0] >= Duration::from_secs(1), "asked again too early");
    }
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

#[test]
fn a_consumer_that_is_killed_again_and_again_loses_nothing() {
    const TOTAL: usize = 60_000;
    let (kafka, topic) = (shared_kafka().unwrap(), "http-killed");
    let input = tempfile::NamedTempFile::new().unwrap();
    let records = Records::write(input.path(), TOTAL);
    let bad = bad(&records);
    let server = Server::start(&records, false, 11);
    let (scene, _secrets) = scene(kafka, topic, &server, "Ndjson");
    std::fs::copy(input.path(), scene.input()).unwrap();
    scene.produce_all().well();

    for _ in 0..4 {
        let taken = server.state().lines;
        let consumer = scene.consume();
        until("it delivers", || server.state().lines > taken + TOTAL / 20);
        consumer.kill();
    }
    scene.consume_all().well();
    let state = server.state();
    assert_eq!(state.tally.order.len(), state.lines, "nothing is altered");
    assert_eq!(state.tally.lost(), bad);
    println!("{topic}: {} records came twice", state.tally.duplicates());
    let letters = read_topic(kafka, "http-killed.dlq");
    let numbers: BTreeSet<_> = letters.iter().filter_map(|it| number(&it.value)).collect();
    assert_eq!(numbers.into_iter().collect::<Vec<_>>(), bad);
}
