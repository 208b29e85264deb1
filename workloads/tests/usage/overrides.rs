//! Flag > environment > file > default.

use std::time::Duration;

use crate::{
    program::{PATIENCE, Program, batchpipe, run},
    silence::Ear,
    simple,
};

const PIPELINE: &str = "BATCHPIPE_PIPELINE";
/// Two flags, their variables and fields, and what none of them may hold.
const OVERRIDES: [(&str, &str, &str); 3] = [
    ("--brokers", "KAFKA_BROKER", "spec.kafka.bootstrapServers"),
    ("--topic", "KAFKA_TOPIC", "spec.topic.name"),
    ("--transport", "COMPRESSION_CODEC", "spec.compression.transport"),
];
const WRONG: &str = "no such/thing";

#[test]
fn a_wrong_variable_is_named_with_its_field_and_what_it_holds() {
    for (flag, variable, field) in OVERRIDES {
        for command in ["validate", "produce", "consume", "run"] {
            let mut wrong = batchpipe(&[command]);
            wrong.env(PIPELINE, simple("h:1")).env(variable, WRONG);
            run(&mut wrong).refused(&[flag, variable, field, WRONG]);
        }
    }
}

#[test]
fn a_wrong_flag_is_named_with_its_field_and_what_it_holds() {
    for (flag, _, field) in OVERRIDES {
        let mut wrong = batchpipe(&["validate", flag, WRONG]);
        run(wrong.env(PIPELINE, simple("h:1"))).refused(&[flag, field, WRONG]);
    }
}

#[test]
fn a_wrong_flag_names_its_field_once() {
    for (flag, _, field) in OVERRIDES {
        let ended = run(batchpipe(&["validate", flag, WRONG]).env(PIPELINE, simple("h:1")));
        assert_eq!(ended.stderr.matches(field).count(), 1, "{ended:#?}");
    }
}

#[test]
fn a_flag_is_stronger_than_a_variable() {
    for ((flag, variable, _), right) in OVERRIDES.into_iter().zip(["h:2", "t", "zstd"]) {
        let mut command = batchpipe(&["validate", flag, right]);
        let ended = run(command.env(PIPELINE, simple("h:1")).env(variable, WRONG));
        assert_eq!(ended.code, Some(0), "{flag}: {ended:#?}");
    }
}

#[test]
fn an_empty_variable_is_like_none() {
    let mut command = batchpipe(&["validate"]);
    for (_, variable, _) in OVERRIDES {
        command.env(variable, "");
    }
    let ended = run(command.env(PIPELINE, simple("h:1")));
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

#[test]
fn what_a_variable_breaks_elsewhere_is_blamed_on_it() {
    let text = simple("h:1").replace("consumer: {", "consumer: {deadLetter: {topic: dead}, ");
    let ended = run(batchpipe(&["validate"]).env(PIPELINE, text).env("KAFKA_TOPIC", "dead"));
    ended.refused(&["KAFKA_TOPIC", "spec.consumer.deadLetter.topic", "must not be the topic"]);
}

/// Starts a producer that may connect to three addresses, and tells which of them it chose.
fn chosen(flag: bool, variable: bool) -> usize {
    let ears = [Ear::open(), Ear::open(), Ear::open()];
    let [by_flag, by_variable, by_file] = ears.each_ref().map(Ear::address);
    let args = ["produce", "--brokers", &by_flag];
    let mut command = batchpipe(if flag { &args } else { &args[..1] });
    command.env(PIPELINE, simple(&by_file));
    if variable {
        command.env("KAFKA_BROKER", by_variable);
    }
    let program = Program::start(&mut command);
    let expected = [flag, variable, true].iter().position(|is| *is).unwrap();
    assert!(ears[expected].hears(PATIENCE), "nobody connects");
    drop(program);
    assert_eq!(ears.iter().filter(|ear| ear.heard()).count(), 0, "more than one was tried");
    expected
}

#[test]
fn brokers_come_from_the_flag_then_the_variable_then_the_file() {
    assert_eq!([chosen(true, true), chosen(false, true), chosen(false, false)], [0, 1, 2]);
}

fn topic(args: &[&str], variable: Option<&str>, text: &str) -> String {
    let mut command = batchpipe(args);
    command.env(PIPELINE, text).envs(variable.map(|value| ("KAFKA_TOPIC", value)));
    let program = Program::start(&mut command);
    let (_, body) = program.get("/status");
    let status: serde_json::Value = serde_json::from_str(&body).unwrap();
    status["topic"].as_str().unwrap().to_owned()
}

#[test]
fn the_topic_comes_from_the_flag_then_the_variable_then_the_file_then_the_name() {
    let ear = Ear::open();
    let unnamed = simple(&ear.address());
    let named = unnamed.replace("spec: {", "spec: {topic: {name: file}, ");
    let flag = ["consume", "--topic", "flag"];
    assert_eq!(topic(&flag, Some("variable"), &named), "flag");
    assert_eq!(topic(&flag[..1], Some("variable"), &named), "variable");
    assert_eq!(topic(&flag[..1], None, &named), "file");
    assert_eq!(topic(&flag[..1], None, &unnamed), "usage");
}

#[test]
fn the_admin_address_comes_from_the_flag_then_the_variable() {
    let taken = [Ear::open(), Ear::open()];
    let [by_flag, by_variable] = taken.each_ref().map(Ear::address);
    let mut command = batchpipe(&["consume", "--admin", &by_flag]);
    command.env(PIPELINE, simple("127.0.0.1:1")).env("BATCHPIPE_ADMIN", &by_variable);
    let ended = run(&mut command);
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert!(ended.stderr.contains(&by_flag) && !ended.stderr.contains(&by_variable), "{ended:#?}");
    let mut command = batchpipe(&["consume"]);
    command.env(PIPELINE, simple("127.0.0.1:1")).env("BATCHPIPE_ADMIN", &by_variable);
    let ended = run(&mut command);
    let said = ["cannot listen at", &by_variable, "--admin", "in use"];
    assert!(said.iter().all(|words| ended.stderr.contains(words)), "{ended:#?}");
}

#[test]
fn without_an_address_the_admin_server_takes_a_free_one_of_this_machine() {
    let ear = Ear::open();
    let mut command = batchpipe(&["consume"]);
    command.env(PIPELINE, simple(&ear.address())).env("BATCHPIPE_ADMIN", "");
    let program = Program::start(&mut command);
    assert!(program.says("admin server listens", Duration::from_secs(20)).contains("127.0.0.1:"));
    assert_eq!(program.get("/livez").0, 200);
}
