//! Whoever answers in a pod's place may say anything: what cannot be does not count, and what is no text is not shown.

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};

use axum::{Router, routing::get};
use batchpipe_operator::build::ADMIN_PORT;
use serde_json::{Value, json};

use crate::support::{Namespace, Operator, Server, cluster, wait_for};

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

/// Answers at the address with whatever is in there.
fn serve(said: &Arc<Mutex<String>>) {
    let said = Arc::clone(said);
    let (tell, told) = std::sync::mpsc::channel();
    Server::spawn(async move {
        let listener = tokio::net::TcpListener::bind((ADDRESS, ADMIN_PORT)).await.unwrap();
        tell.send(()).unwrap();
        let answer = get(async move || said.lock().unwrap().clone());
        axum::serve(listener, Router::new().route("/status", answer)).await.unwrap();
    });
    told.recv().unwrap();
}

/// Gives the consumer's pod the address.
fn place(namespace: Namespace<'_>) {
    let select = "app.kubernetes.io/component=consumer";
    let pod = wait_for("the consumer's pod", || {
        let names = namespace.kubectl(&["get", "pods", "--selector", select, "--output", "name"]);
        names.lines().next().map(str::to_owned)
    });
    let status =
        json!({"status": {"phase": "Running", "podIP": ADDRESS, "podIPs": [{"ip": ADDRESS}]}});
    let patch = ["--subresource=status", "--type=merge", "--patch", &status.to_string()];
    namespace.kubectl(&[&["patch", &pod], patch.as_slice()].concat());
}

#[test]
fn a_pod_that_says_what_it_likes_neither_poisons_its_status_nor_stops_it() {
    let namespace = Namespace::new(cluster(), "hostile");
    let said = Arc::new(Mutex::new(String::new()));
    serve(&said);
    let say = |report: &Value| *said.lock().unwrap() = report.to_string();
    let stall = json!([{"reason": "SinkUnavailable", "sinceMs": 0,
        "what": "http://sink \u{7f}\u{1b}[31m\u{9b}2J\0 is away"}]);
    say(&report(i64::MAX.unsigned_abs(), &stall));
    let operator = Operator::start(namespace);
    namespace.pipeline("demo", "");
    namespace.await_children("demo");
    place(namespace);
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
