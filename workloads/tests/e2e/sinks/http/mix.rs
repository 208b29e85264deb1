//! Every failure in one run, in a mix with a fixed seed: nothing is lost, and what is refused for good is in the
//! dead-letter topic, each record once.

use std::collections::BTreeMap;

use batchpipe_api::reason::Reason;
use batchpipe_testbed::{Kafka, shared_kafka};
use serde_json::json;

use super::server::{Server, is_bad, number};
use crate::{
    connections::secrets::Secrets,
    faults::support::{Records, Scene, read_topic, until},
};

const TOTAL: usize = 100_000;
const SEED: u64 = 0x5eed;

/// A pipeline to this receiver, with a token in a file.
pub(super) fn scene(kafka: &Kafka, topic: &str, server: &Server, format: &str) -> (Scene, Secrets) {
    let mut scene = Scene::new(kafka, topic);
    let secrets = Secrets::new();
    secrets.put("receiver", &[("token", "first-token")]);
    scene.environment.push(("BATCHPIPE_SECRETS", secrets.root()));
    scene.environment.push(("BATCHPIPE_HTTP_TIMEOUT", "1s".into()));
    scene.spec["topic"]["partitions"] = 6.into();
    scene.spec["batch"]["maxRecords"] = 500.into();
    let token = json!({"secret": "receiver", "key": "token"});
    let http = json!({"url": server.url(), "format": format, "bearerToken": token});
    scene.spec["consumer"]["sink"] = json!({"http": http});
    (scene, secrets)
}

/// Fails unless the receiver has every record that it takes, unaltered, and none twice whose taking it confirmed.
pub(super) fn check_taken(server: &Server, bad: &[usize], test: &str) {
    let state = server.state();
    println!("{test}: {:?}", state.answers);
    assert_eq!(state.tally.order.len(), state.lines, "nothing is altered");
    assert_eq!(state.tally.lost(), bad, "{test}: lost, or taken although bad");
    let mut allowed: BTreeMap<usize, usize> = BTreeMap::new();
    for number in &state.unconfirmed {
        *allowed.entry(*number).or_default() += 1;
    }
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    for number in &state.tally.order {
        *counts.entry(*number).or_default() += 1;
    }
    let is_doubled =
        |(number, count): &(&usize, &usize)| **count > 1 + allowed.get(*number).unwrap_or(&0);
    let doubled: Vec<_> = counts.iter().filter(is_doubled).take(5).collect();
    assert!(doubled.is_empty(), "{test}: sent again without need: {doubled:?}");
}

/// Fails unless the dead-letter topic has exactly these records, once each, with their places.
pub(super) fn check_letters(kafka: &Kafka, topic: &str, bad: &[usize]) {
    let batches: BTreeMap<_, _> = read_topic(kafka, topic)
        .into_iter()
        .map(|message| ((message.partition, message.offset), message.open().1))
        .collect();
    let mut numbers = Vec::new();
    for letter in read_topic(kafka, &format!("{topic}.dlq")) {
        let why = letter.dead_letter().unwrap();
        assert_eq!((why.reason, why.topic.as_str()), (Reason::SinkRejected, topic));
        let text = &batches[&(why.partition, why.offset)];
        let index = usize::try_from(why.index.unwrap()).unwrap();
        assert_eq!(text.split(|byte| *byte == b'\n').nth(index), Some(&letter.value[..]));
        numbers.push(number(&letter.value).unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, bad);
}

pub(super) fn bad(records: &Records) -> Vec<usize> {
    (0..records.len()).filter(|number| is_bad(*number)).collect()
}

#[test]
fn nothing_is_lost_to_a_receiver_that_fails_in_every_way() {
    let (kafka, topic) = (shared_kafka().unwrap(), "http-lines");
    let input = tempfile::NamedTempFile::new().unwrap();
    let records = Records::write(input.path(), TOTAL);
    let bad = bad(&records);
    let server = Server::start(&records, false, SEED);
    server.state().login = "Bearer first-token".into();
    let (scene, secrets) = scene(kafka, topic, &server, "Ndjson");
    std::fs::copy(input.path(), scene.input()).unwrap();
    scene.produce_all().well();

    let consumer = scene.consume();
    consumer.await_delivered(TOTAL as u64 / 10);
    server.state().login = "Bearer second-token".into();
    consumer.await_unready("answered 401");
    let pages = ["/readyz", "/status", "/metrics"].map(|path| consumer.get(path).1);
    secrets.put("receiver", &[("token", "second-token")]);
    let taken = server.state().lines;
    until("it goes on with the new token", || server.state().lines > taken);
    consumer.await_delivered(TOTAL as u64 / 2);
    let log = consumer.log();
    let first = consumer.terminate().well();
    assert_eq!(first.released, 0, "the message at hand was finished: {first:?}");
    for shown in pages.iter().chain([&log]) {
        for secret in ["first-token", "second-token", "hidden"] {
            assert!(!shown.contains(secret), "{secret} is shown: {shown}");
        }
    }

    let second = scene.consume_all().well();
    let settled =
        |report: &batchpipe_api::report::ExitReport| report.delivered + report.dead_lettered;
    assert_eq!(settled(&first) + settled(&second), TOTAL as u64);
    assert_eq!(first.dead_lettered + second.dead_lettered, bad.len() as u64);
    check_taken(&server, &bad, topic);
    check_letters(kafka, topic, &bad);
    for what in ["400", "401", "404", "408", "413", "422", "429", "500", "503", "lost"] {
        assert!(server.answered(what) > 0, "{what} was never answered");
    }
}

#[test]
fn half_a_bulk_is_sent_again_alone() {
    let (kafka, topic) = (shared_kafka().unwrap(), "http-bulk");
    let input = tempfile::NamedTempFile::new().unwrap();
    let records = Records::write(input.path(), TOTAL);
    let bad = bad(&records);
    let server = Server::start(&records, true, SEED);
    let (scene, _secrets) = scene(kafka, topic, &server, "ElasticBulk");
    std::fs::copy(input.path(), scene.input()).unwrap();
    scene.produce_all().well();
    let report = scene.consume_all().well();
    assert_eq!(report.dead_lettered, bad.len() as u64);
    assert_eq!(report.delivered, (TOTAL - bad.len()) as u64);
    check_taken(&server, &bad, topic);
    check_letters(kafka, topic, &bad);
    for what in ["half", "whole", "429", "500", "lost"] {
        assert!(server.answered(what) > 0, "{what} was never answered");
    }
}
