//! A token that is not there: the consumer starts, says which, and says something else as soon as that is what it lacks.

use batchpipe_testbed::shared_kafka;

use super::{
    fate::Fate,
    mix::{bad, check_letters, check_taken, scene},
    server::Server,
};
use crate::faults::support::{Child, Records, until};

const TOTAL: usize = 3000;

fn reasons(consumer: &Child) -> Vec<String> {
    consumer.report().stalled.into_iter().map(|stall| stall.reason).collect()
}

#[test]
fn a_missing_token_is_named_until_it_is_there() {
    let (kafka, topic) = (shared_kafka().unwrap(), "http-missing");
    let input = tempfile::NamedTempFile::new().unwrap();
    let records = Records::write(input.path(), TOTAL);
    let server = Server::start(&records, false, 5);
    let (mut scene, secrets) = scene(kafka, topic, &server, "Ndjson");
    scene.spec["consumer"]["sink"]["http"]["bearerToken"]["key"] = "later".into();
    std::fs::copy(input.path(), scene.input()).unwrap();
    scene.produce_all().well();

    let consumer = scene.consume();
    consumer.await_unready("receiver/later is missing");
    until("partitions wait for it", || reasons(&consumer).len() > 1);
    assert!(reasons(&consumer).iter().all(|reason| reason == "SecretMissing"));
    assert_eq!(server.state().answers.len(), 0, "nothing is sent without it");

    server.state().fate = Some(Fate::Fail(503));
    secrets.put("receiver", &[("later", "late-token")]);
    consumer.await_unready("answered 503");
    until("only that is waited for", || {
        let reasons = reasons(&consumer);
        !reasons.is_empty() && reasons.iter().all(|reason| reason == "SinkUnavailable")
    });

    server.state().login = "Bearer late-token".into();
    server.state().fate = Some(Fate::Take);
    let bad = bad(&records);
    consumer.await_delivered((TOTAL - bad.len()) as u64);
    consumer.await_ready();
    consumer.terminate().well();
    check_taken(&server, &bad, topic);
    check_letters(kafka, topic, &bad);
}
