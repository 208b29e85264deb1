//! What people see while Kafka, or the topic, is not there; that it works as soon as it is; and how it ends.

#[path = "../usage/program.rs"]
mod program;

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use batchpipe_testbed::{Kafka, shared_kafka};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use self::program::{Ended, PATIENCE, Program, batchpipe, run};
use crate::kit::command::not_kafka;

/// How soon people must be told what is missing.
const SOON: Duration = Duration::from_secs(10);
/// How long the end may take when there is nothing to wait for, beside a build.
const QUICK: Duration = Duration::from_secs(5);
/// Nobody listens there, and only root could.
const NOBODY: &str = "127.0.0.1:1";

fn pipeline(name: &str, brokers: &str, source: &str) -> String {
    format!(
        "{{apiVersion: batchpipe.dev/v1alpha1, kind: BatchPipeline, metadata: {{name: {name}}}, spec: {{kafka: \
         {{bootstrapServers: '{brokers}'}}, topic: {{partitions: 2}}, producer: {{source: {source}}}, consumer: {{sink: \
         {{blackhole: {{}}}}}}}}}}"
    )
}

/// A pipeline with a generator.
fn generated(name: &str, brokers: &str) -> String {
    pipeline(name, brokers, "{generator: {}}")
}

/// The same, but the topic has to be made by somebody else.
fn never(text: &str) -> String {
    text.replace("topic: {", "topic: {provision: Never, ")
}

fn command(args: &[&str], text: &str) -> Command {
    let mut command = batchpipe(args);
    command.env("BATCHPIPE_PIPELINE", text);
    command
}

fn start(args: &[&str], text: &str) -> Program {
    Program::start(command(args, text).stdin(Stdio::null()))
}

fn signal(program: &Program, signal: Signal) {
    let id = Pid::from_child(&program.child);
    kill_process(id, signal).unwrap();
}

/// Asks it to stop, and fails unless it then ends in time.
fn stop(program: Program, how: Signal, within: Duration) -> Ended {
    signal(&program, how);
    let asked_at = Instant::now();
    let ended = program.end();
    assert!(asked_at.elapsed() < within, "{:?}: {ended:#?}", asked_at.elapsed());
    ended
}

/// The exit report, whose sums must be right.
fn report(ended: &Ended) -> Value {
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    let count = |key: &str| report[key].as_u64().unwrap();
    let kept: u64 = ["delivered", "deadLettered", "released", "inFlight"].map(count).iter().sum();
    assert_eq!(count("accepted"), kept, "{report}");
    report
}

/// Fails unless it lives, is unready, and says so with these words in the log, in `/readyz` and in `/status`.
fn assert_waits(program: &Program, gate: &str, words: &str) {
    assert_waits_within(program, gate, words, SOON);
}

/// The same, in the log within this time.
fn assert_waits_within(program: &Program, gate: &str, words: &str, within: Duration) {
    let line = program.says(words, within);
    assert!(line.contains("\"WARN\"") && line.contains("trying again"), "{line}");
    assert_eq!(program.get("/livez").0, 200);
    let is_told = |line: &str| line.starts_with(gate) && line.contains(words);
    assert_readyz(program, SOON, |code, body| code == 503 && body.lines().any(is_told));
    let status: Value = serde_json::from_str(&program.get("/status").1).unwrap();
    assert_eq!(status["ready"], false, "{status}");
    let told = |stall: &Value| stall["what"].as_str().is_some_and(|what| what.contains(words));
    assert!(status["stalled"].as_array().unwrap().iter().any(told), "{status}");
}

/// Fails unless `/readyz` comes to answer like this.
fn assert_readyz(program: &Program, within: Duration, is_right: impl Fn(u16, &str) -> bool) {
    let deadline = Instant::now() + within;
    loop {
        let (code, body) = program.get("/readyz");
        if is_right(code, &body) {
            return;
        }
        assert!(Instant::now() < deadline, "{code} {body}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn assert_becomes_ready(program: &Program) {
    assert_readyz(program, PATIENCE, |code, _| code == 200);
}

/// Both sides with brokers that cannot be reached: which words tell it?
fn assert_unreachable(brokers: &str, why: &str) {
    let text = generated("unreachable", brokers);
    let commands = [["produce", "--grace-period", "1s"], ["consume", "--grace-period", "1s"]];
    let begun = Instant::now();
    let programs = commands.map(|args| start(&args, &text));
    for program in programs {
        // Both are started by now, so that the second one has no more time than the first.
        for words in [brokers, why] {
            let left = SOON.saturating_sub(begun.elapsed());
            assert_waits_within(&program, "brokers", words, left);
        }
        let line = program.says(brokers, SOON);
        assert!(line.contains("spec.kafka.bootstrapServers"), "{line}");
        assert!(!line.contains(" (after "), "{line}");
        let ended = stop(program, Signal::TERM, QUICK);
        assert!(!ended.stderr.contains("\"librdkafka\""), "{ended:#?}");
    }
}

#[test]
fn a_port_where_nobody_listens_is_told_with_its_address() {
    assert_unreachable(NOBODY, "Connection refused");
}

#[test]
fn a_name_that_does_not_resolve_is_told_with_the_name() {
    assert_unreachable("nowhere.invalid:9092", "Failed to resolve 'nowhere.invalid:9092'");
}

#[test]
fn something_else_than_kafka_is_told_as_such() {
    assert_unreachable(&not_kafka(), "what answers there is not Kafka");
}

#[test]
fn a_topic_that_is_missing_is_told_and_used_as_soon_as_it_is_there() {
    let kafka = shared_kafka().unwrap();
    let text = never(&generated("late-topic", &kafka.bootstrap_servers()));
    let programs = ["produce", "consume"].map(|it| start(&[it, "--limit", "300", "--json"], &text));
    for program in &programs {
        assert_waits(program, "topic", "topic late-topic does not exist");
    }
    kafka.create_topic("late-topic", 2, &[]).unwrap();
    for program in programs {
        let ended = program.end();
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        assert!(report(&ended)["delivered"].as_u64().unwrap() >= 300, "{ended:#?}");
    }
}

#[test]
fn brokers_that_come_late_are_used_without_a_restart() {
    let mut kafka = Kafka::builder().start().unwrap();
    kafka.stop().unwrap();
    let text = generated("late-broker", &kafka.bootstrap_servers());
    let programs = ["produce", "consume"].map(|it| start(&[it, "--limit", "300", "--json"], &text));
    for program in &programs {
        assert_waits(program, "brokers", &kafka.bootstrap_servers());
    }
    kafka.start_again().unwrap();
    for program in programs {
        let ended = program.end();
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        assert!(report(&ended)["delivered"].as_u64().unwrap() >= 300, "{ended:#?}");
    }
}

#[test]
fn an_outage_is_told_and_over_when_brokers_answer_also_without_records() {
    let mut kafka = Kafka::builder().start().unwrap();
    let brokers = kafka.bootstrap_servers();
    let idle = pipeline("outage", &brokers, "{stdin: {}}");
    let idle = Program::start(command(&["produce"], &idle).stdin(Stdio::piped()));
    let busy = ["produce", "consume"].map(|it| start(&[it], &generated("outage", &brokers)));
    let programs = busy.into_iter().chain([idle]).collect::<Vec<_>>();
    programs.iter().for_each(assert_becomes_ready);
    kafka.stop().unwrap();
    for program in &programs {
        let line = program.says("no broker answers", PATIENCE);
        assert!(line.contains(&brokers), "{line}");
        assert_eq!(program.get("/livez").0, 200);
        assert_readyz(program, SOON, |code, body| code == 503 && body.contains(&brokers));
    }
    kafka.start_again().unwrap();
    programs.iter().for_each(assert_becomes_ready);
}

#[test]
fn a_producer_that_took_nothing_in_ends_quickly_and_well() {
    for how in [Signal::TERM, Signal::INT] {
        let text = pipeline("idle", NOBODY, "{stdin: {}}");
        let mut command = command(&["produce", "--json"], &text);
        let program = Program::start(command.stdin(Stdio::piped()));
        program.says(NOBODY, SOON);
        let ended = stop(program, how, QUICK);
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        assert_eq!(report(&ended)["accepted"], 0);
    }
}

#[test]
fn a_producer_ends_quickly_also_before_the_first_answer() {
    let text = pipeline("early", NOBODY, "{stdin: {}}");
    let program = Program::start(command(&["produce"], &text).stdin(Stdio::piped()));
    program.says("admin server listens", PATIENCE);
    assert_eq!(stop(program, Signal::TERM, QUICK).code, Some(0));
}

#[test]
fn a_consumer_that_waits_ends_quickly_and_well() {
    for how in [Signal::TERM, Signal::INT] {
        let program = start(&["consume", "--json"], &generated("idle", NOBODY));
        program.says(NOBODY, SOON);
        let ended = stop(program, how, QUICK);
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        assert_eq!(report(&ended)["accepted"], 0);
    }
}

#[test]
fn records_that_stay_unsent_are_counted_and_make_the_exit_code_1() {
    for how in [Signal::TERM, Signal::INT] {
        let args = ["produce", "--json", "--grace-period", "500ms"];
        let program = start(&args, &generated("unsent", NOBODY));
        program.says(NOBODY, SOON);
        let ended = stop(program, how, QUICK);
        assert_eq!(ended.code, Some(1), "{ended:#?}");
        assert!(report(&ended)["inFlight"].as_u64().unwrap() > 0, "{ended:#?}");
        assert!(ended.stderr.contains("NOT acknowledged"), "{ended:#?}");
    }
}

#[test]
fn a_second_signal_ends_at_once_but_not_one_that_comes_with_the_first() {
    let args = ["produce", "--grace-period", "10m"];
    let mut program = start(&args, &generated("twice", NOBODY));
    program.says(NOBODY, SOON);
    signal(&program, Signal::TERM);
    signal(&program, Signal::INT); // as `timeout` does, to the process and to its group
    program.says("asked to stop; finishing", QUICK);
    let asked_at = Instant::now();
    while program.child.try_wait().unwrap().is_none() {
        assert!(asked_at.elapsed() < QUICK, "it does not end");
        std::thread::sleep(Duration::from_millis(100));
        signal(&program, Signal::TERM);
    }
    let ended = program.end();
    assert_eq!(ended.code, Some(130), "{ended:#?}");
    assert!(ended.stderr.contains("a second time"), "{ended:#?}");
}

#[test]
fn whoever_waits_at_the_end_says_for_what_how_long_and_how_not_to() {
    let program = start(&["produce"], &generated("waits", NOBODY));
    program.says(NOBODY, SOON);
    signal(&program, Signal::INT);
    let said = program.says("records to be acknowledged", QUICK);
    for words in ["at most 2", "--grace-period", "a second signal ends this at once", NOBODY] {
        assert!(said.contains(words), "{words}: {said}");
    }
    signal(&program, Signal::INT);
    let asked_at = Instant::now();
    let ended = program.end();
    assert_eq!(ended.code, Some(130), "{ended:#?}");
    assert!(asked_at.elapsed() < QUICK, "it took {:?}", asked_at.elapsed());
}

/// The keys of a JSON object.
fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn assert_has(value: &Value, wanted: &[&str]) {
    let found = keys(value);
    let missing: Vec<_> = wanted.iter().filter(|key| !found.contains(key)).collect();
    assert!(missing.is_empty(), "{missing:?} of {value}");
}

const ACCOUNTING: [&str; 8] = [
    "accepted",
    "delivered",
    "deadLettered",
    "released",
    "inFlight",
    "batches",
    "rawBytes",
    "wireBytes",
];
const REPORT: [&str; 8] =
    ["role", "version", "uptimeSeconds", "state", "ready", "topic", "latencyMs", "rates"];

#[test]
fn with_nothing_more_to_do_it_may_stay_ready_and_say_completed() {
    let kafka = shared_kafka().unwrap();
    let text = generated("stays", &kafka.bootstrap_servers());
    let mut command = command(&["produce", "--limit", "700", "--json"], &text);
    let program = Program::start(command.env("BATCHPIPE_STAY", "1").stdin(Stdio::null()));
    program.says("the work is done", PATIENCE);
    assert_eq!(program.get("/readyz").0, 200, "{}", program.get("/readyz").1);
    assert_eq!(program.get("/livez").0, 200);
    let status: Value = serde_json::from_str(&program.get("/status").1).unwrap();
    assert_has(&status, &REPORT);
    assert_has(&status, &ACCOUNTING);
    assert_eq!((&status["state"], &status["role"]), (&"Completed".into(), &"producer".into()));
    assert_eq!((&status["delivered"], &status["topic"]), (&700.into(), &"stays".into()));
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    let (code, metrics) = program.get("/metrics");
    assert!(code == 200 && metrics.ends_with("# EOF\n"), "{code} {metrics}");
    assert!(metrics.lines().any(|line| line.starts_with("batchpipe_")), "{metrics}");
    let ended = stop(program, Signal::TERM, QUICK);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(report(&ended)["delivered"], 700);
    assert!(!ended.stderr.contains("WARN") && !ended.stderr.contains("ERROR"), "{ended:#?}");
}

#[test]
fn a_consumer_at_work_is_ready_and_tells_its_lag() {
    let kafka = shared_kafka().unwrap();
    let text = generated("lag", &kafka.bootstrap_servers());
    let ended = run(&mut command(&["produce", "--limit", "700", "--rate", "0"], &text));
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let program = start(&["consume", "--json"], &text);
    assert_becomes_ready(&program);
    let deadline = Instant::now() + PATIENCE;
    let status: Value = loop {
        let status: Value = serde_json::from_str(&program.get("/status").1).unwrap();
        let lags = status["lag"].as_array().unwrap();
        if lags.len() == 2 && lags.iter().all(|lag| lag["messages"] == 0) {
            break status;
        }
        assert!(Instant::now() < deadline, "{status}");
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_has(&status, &REPORT);
    assert_has(&status, &ACCOUNTING);
    assert_eq!((&status["state"], &status["ready"]), (&"Running".into(), &true.into()));
    assert_eq!(status["delivered"], 700);
    assert_has(&status["lag"][0], &["partition", "messages", "records", "seconds"]);
    let ended = stop(program, Signal::TERM, PATIENCE);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(report(&ended)["delivered"], 700);
    assert!(!ended.stderr.contains("WARN") && !ended.stderr.contains("ERROR"), "{ended:#?}");
}
