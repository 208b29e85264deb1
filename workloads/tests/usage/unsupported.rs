//! What the rules allow but this process cannot do is refused with its field, before anything is connected to.

use crate::{
    pipeline,
    program::{Ended, batchpipe, run},
    silence::Ear,
};

const GENERATOR: &str = "{generator: {limit: 1}}";
const BLACKHOLE: &str = "{blackhole: {}}";

/// Runs a command with a pipeline that it must refuse without a word to the broker.
fn refuse(args: &[&str], text: impl FnOnce(&str) -> String) -> Ended {
    let ear = Ear::open();
    let ended = run(batchpipe(args).env("BATCHPIPE_PIPELINE", text(&ear.address())));
    assert!(!ear.heard(), "{args:?} connected: {ended:#?}");
    ended
}

#[test]
fn a_time_for_requests_that_is_none_is_named() {
    for time in ["soon", "1ms", "1h"] {
        let text = pipeline("x:1", GENERATOR, "{http: {url: 'http://h/'}}");
        let mut command = batchpipe(&["consume"]);
        command.env("BATCHPIPE_PIPELINE", text).env("BATCHPIPE_HTTP_TIMEOUT", time);
        run(&mut command).refused(&["BATCHPIPE_HTTP_TIMEOUT", "100ms to 10m", time]);
    }
}

fn strimzi() -> String {
    pipeline("x", GENERATOR, BLACKHOLE)
        .replace("{bootstrapServers: 'x'}", "{strimzi: {cluster: c}}")
}

#[test]
fn a_strimzi_cluster_cannot_be_looked_up_here_but_is_valid() {
    for command in ["produce", "consume", "run"] {
        refuse(&[command], |_| strimzi()).refused(&["spec.kafka.strimzi", "Kubernetes"]);
    }
    let ended = run(batchpipe(&["validate"]).env("BATCHPIPE_PIPELINE", strimzi()));
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.stderr.contains("note: outside Kubernetes"), "{ended:#?}");
}

#[test]
fn a_pipeline_with_one_side_is_refused_by_the_command_for_the_other() {
    let text = pipeline("x:1", GENERATOR, BLACKHOLE);
    let producer = text.replace(", consumer: {sink: {blackhole: {}}}", "");
    let consumer = text.replace("producer: {source: {generator: {limit: 1}}}, ", "");
    for (command, text, field) in [
        ("consume", &producer, "spec.consumer"),
        ("run", &producer, "spec.consumer"),
        ("produce", &consumer, "spec.producer"),
        ("run", &consumer, "spec.producer"),
    ] {
        refuse(&[command], |_| text.clone()).refused(&[field, "is missing", "add it, or use"]);
    }
}

#[test]
fn a_rate_is_for_generators() {
    for command in ["produce", "run"] {
        let text = |brokers: &str| pipeline(brokers, "{stdin: {}}", BLACKHOLE);
        refuse(&[command, "--rate", "5"], text).refused(&["--rate", "spec.producer.source"]);
    }
}

#[test]
fn a_file_to_read_must_be_there_unless_it_is_followed() {
    let source = "{file: {path: /no/such/file, follow: false}}";
    refuse(&["produce"], |brokers| pipeline(brokers, source, BLACKHOLE)).refused(&[
        "spec.producer.source.file",
        "/no/such/file",
        "No such file",
    ]);
}
