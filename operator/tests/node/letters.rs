//! Dead letters: what nobody could deliver is counted over all pods, and still is when they have gone.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use batchpipe_api::report::Report;
use serde_json::json;

use crate::support::{Manifest, Pipeline, Pod, Side, wait_for};

const LETTERS: u64 = 60;

/// Feeds Kafka's own producer with lines that are no JSON, under so many keys that every partition gets some.
fn spoil(mut producer: Command, servers: &str, topic: &str) {
    producer.args(["--bootstrap-server", servers, "--topic", topic]);
    producer.args(["--reader-property", "parse.key=true"]);
    let mut child = producer.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    for number in 0..LETTERS {
        writeln!(input, "{number}\tno json {number}").unwrap();
    }
    drop(input);
    assert!(child.wait().unwrap().success());
}

#[test]
fn dead_letters_are_those_of_all_pods_and_stay_when_these_have_gone() {
    let manifest = Manifest::new("letters").with("/consumer/replicas", 2);
    let Some(pipeline) = Pipeline::flowing(&manifest) else { return };
    let reports = || -> Vec<Report> {
        pipeline.pods(Side::Consumer).iter().filter_map(Pod::report).collect()
    };
    wait_for("two partitions for each pod", || {
        let reports = reports();
        (reports.len() == 2 && reports.iter().all(|report| report.lag.len() == 2)).then_some(())
    });
    let kafka = pipeline.bed.stage.kafka();
    let producer = kafka.tool_command("org.apache.kafka.tools.ConsoleProducer");
    spoil(producer, &kafka.bootstrap_servers(), "letters");
    let counted = || pipeline.get()["status"]["data"]["deadLetters"] == json!(LETTERS);
    wait_for("all of them in the status", || counted().then_some(()));
    let of_pods: Vec<u64> =
        reports().iter().map(|report| report.accounting.dead_lettered).collect();
    println!("letters: {of_pods:?} of the pods");
    assert!(of_pods.iter().all(|count| *count > 0), "{of_pods:?}");
    assert_eq!(of_pods.iter().sum::<u64>(), LETTERS);
    pipeline.drain();
    assert!(counted(), "{}", pipeline.get()["status"]["data"]);
    let ends = kafka.end_offsets("letters.dlq").unwrap();
    assert_eq!(ends.iter().sum::<i64>(), i64::try_from(LETTERS).unwrap());
    // Somebody else's messages are in the topic and cannot be read; of ours nothing is missing.
    let audit = pipeline.read_audit(kafka);
    println!("letters: {audit:?}");
    assert!(audit.records > 0 && audit.missing == 0, "{audit:?}");
    pipeline.bed.kubectl(&["delete", &pipeline.object(), "--wait=false"]);
}
