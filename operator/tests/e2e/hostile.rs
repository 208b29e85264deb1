//! Whoever answers in a pod's place may say anything: what cannot be does not count, and what is no text is not shown.

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

use crate::support::{Namespace, Operator, answer_at, cluster, give_address, wait_for};

/// Where the pod answers; nobody else has it.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 78, 0, 1);

/// A consumer's report with so many records, all of them dead letters.
fn report(letters: u64, stalled: &Value) -> Value {
    json!({
        "role": "consumer", "version": "0.1.0", "uptimeSeconds": 5.0, "begunAtMs": 1_800_000_000_000_u64,
        "state": "Running", "ready": false, "topic": "demo", "rates": {"recordsPerSecond": 0.0,
        "batchesPerSecond": 0.0, "rawBytesPerSecond": 0.0, "wireBytesPerSecond": 0.0},
        "accepted": letters, "delivered": 0, "deadLettered": letters, "released": 0, "inFlight": 0,
        "batches": 0, "rawBytes": 0, "wireBytes": 0, "lag": [], "stalled": stalled,
    })
}

#[test]
fn a_pod_that_says_what_it_likes_neither_poisons_its_status_nor_stops_it() {
    let namespace = Namespace::new(cluster(), "hostile");
    let said = Arc::new(Mutex::new(Value::Null));
    let heard = Arc::clone(&said);
    answer_at(ADDRESS, move || heard.lock().unwrap().clone());
    let say = |report: &Value| *said.lock().unwrap() = report.clone();
    let stall = json!([{"reason": "SinkUnavailable", "sinceMs": 0,
        "what": "http://sink \u{7f}\u{1b}[31m\u{9b}2J\0 is away"}]);
    say(&report(i64::MAX.unsigned_abs(), &stall));
    let operator = Operator::start(namespace);
    namespace.pipeline("demo", "");
    namespace.await_children("demo");
    give_address(namespace, ADDRESS);
    let looks = operator.looks();
    wait_for("several looks", || (operator.looks() > looks + 4).then_some(()));
    let letters = || namespace.get("batchpipeline/demo")["status"]["data"]["deadLetters"].clone();
    assert_eq!(letters(), Value::Null, "nobody has said a number that can be");
    say(&report(3, &stall));
    let message = namespace.await_reason("demo", "ConsumerReady", "SinkUnavailable");
    assert!(message.ends_with("SinkUnavailable: http://sink   [31m 2J  is away"), "{message:?}");
    wait_for("the letters of a report that can be", || (letters() == 3).then_some(()));
    operator.stop();
}
