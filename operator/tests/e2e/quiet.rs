//! When nothing changes, nothing is written: seen by the API server itself, in its audit log.

use std::{
    fs,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::support::{Namespace, Operator, cluster, manifest, wait_for};

/// How long nothing may be written: several looks at every pipeline.
const WINDOW: Duration = Duration::from_secs(25);

/// The writing requests about a namespace in the audit log, Leases and people left out.
fn writes(namespace: Namespace<'_>) -> Vec<String> {
    let log = fs::read_to_string(namespace.cluster.audit_log()).unwrap();
    let events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let ours = events.filter(|event| {
        let agent = event["userAgent"].as_str().unwrap_or_default();
        let is_write =
            ["create", "update", "patch", "delete"].iter().any(|verb| event["verb"] == *verb);
        event["objectRef"]["namespace"] == namespace.name
            && event["objectRef"]["resource"] != "leases"
            && is_write
            && !agent.starts_with("kubectl")
            && !agent.starts_with("kube-")
    });
    ours.map(|event| format!("{} {}", event["verb"], event["requestURI"])).collect()
}

/// Waits until nothing was written for some seconds.
fn settle(namespace: Namespace<'_>) -> usize {
    let mut last = (writes(namespace).len(), Instant::now());
    wait_for("rest", || {
        let count = writes(namespace).len();
        if count != last.0 {
            last = (count, Instant::now());
        }
        (last.1.elapsed() > Duration::from_secs(5)).then_some(count)
    })
}

#[test]
fn pipelines_that_are_as_they_should_be_cause_no_writes_also_after_a_restart() {
    let namespace = Namespace::new(cluster(), "quiet");
    let operator = Operator::start(namespace);
    for name in ["one", "two", "three"] {
        let pod = "pod: {resources: {requests: {cpu: '0.1', memory: 1024Mi}, limits: {memory: 1024Mi}}, tolerations: [{key: a}]}";
        namespace.apply(
            &manifest(name, "").replace(
                "{source: {generator: {}}}",
                &format!("{{source: {{http: {{}}}}, {pod}}}"),
            ),
        );
    }
    for name in ["one", "two", "three"] {
        wait_for("all children", || namespace.find(&format!("deployment/{name}-producer")));
    }
    let before = settle(namespace);
    assert!(before > 0, "the audit log shows what is written");
    let begun = Instant::now();
    while begun.elapsed() < WINDOW {
        let now = writes(namespace);
        assert_eq!(now.len(), before, "{:?}", &now[before..]);
        std::thread::sleep(Duration::from_secs(1));
    }
    operator.stop();
    let operator = Operator::start(namespace);
    wait_for("the next operator to lead", || operator.leads().then_some(()));
    let after = settle(namespace);
    let all = writes(namespace);
    assert_eq!(after, before, "a new process writes nothing: {:?}", &all[before..]);
    operator.stop();
}
