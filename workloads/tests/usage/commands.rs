//! Commands and flags: help, version, and what is none of them.

use crate::{
    program::{batchpipe, run},
    simple,
};

const PIPELINE_FLAGS: [(&str, &str); 4] = [
    ("--file", "BATCHPIPE_PIPELINE"),
    ("--brokers", "KAFKA_BROKER"),
    ("--topic", "KAFKA_TOPIC"),
    ("--transport", "COMPRESSION_CODEC"),
];
const PROCESS_FLAGS: [(&str, &str); 5] = [
    ("--admin", "BATCHPIPE_ADMIN"),
    ("--grace-period", "BATCHPIPE_GRACE_PERIOD"),
    ("--json", ""),
    ("--limit", "BATCHPIPE_STAY"),
    ("--file", "BATCHPIPE_SECRETS"),
];

/// Of commands that have a source.
const SOURCE_FLAGS: [(&str, &str); 2] = [("--rate", ""), ("--listen", "BATCHPIPE_LISTEN")];

/// All commands.
const COMMANDS: [&str; 11] = [
    "produce", "consume", "run", "demo", "tap", "audit", "redrive", "tune", "inspect", "validate",
    "top",
];

fn help(command: &str) -> String {
    let ended = run(&mut batchpipe(&[command, "--help"]));
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:#?}");
    ended.stdout
}

#[test]
fn help_names_every_flag_with_its_variable() {
    for command in ["produce", "consume", "run", "validate"] {
        let text = help(command);
        let is_process = command != "validate";
        let process = PROCESS_FLAGS.iter().filter(|_| is_process);
        for (flag, variable) in PIPELINE_FLAGS.iter().chain(process) {
            assert!(text.contains(flag) && text.contains(variable), "{command} {flag}:\n{text}");
        }
        for (flag, variable) in SOURCE_FLAGS.iter().filter(|_| matches!(command, "produce" | "run"))
        {
            assert!(text.contains(flag) && text.contains(variable), "{command} {flag}:\n{text}");
        }
    }
}

#[test]
fn help_tells_the_commands_apart() {
    assert!(help("consume").contains("--until-caught-up"));
    assert!(!help("consume").contains("--rate"));
    assert!(help("produce").contains("--rate") && help("run").contains("--rate"));
}

#[test]
fn every_command_is_listed() {
    let ended = run(&mut batchpipe(&["--help"]));
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let line = |command: &str| format!("\n  {command} ");
    let missing: Vec<_> =
        COMMANDS.iter().filter(|command| !ended.stdout.contains(&line(command))).collect();
    assert!(missing.is_empty(), "{missing:?}: {}", ended.stdout);
}

#[test]
fn the_version_is_told() {
    let ended = run(&mut batchpipe(&["--version"]));
    assert_eq!(ended.code, Some(0));
    assert_eq!(ended.stdout, format!("batchpipe {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn what_is_no_command_or_flag_is_named() {
    run(&mut batchpipe(&["frobnicate"])).refused(&["frobnicate", "--help"]);
    for command in ["produce", "consume", "run", "validate"] {
        run(&mut batchpipe(&[command, "--frobnicate"])).refused(&["--frobnicate", "--help"]);
        run(&mut batchpipe(&[command, "stray"])).refused(&["stray", "--help"]);
    }
    run(&mut batchpipe(&["consume", "--rate", "5"])).refused(&["--rate"]);
    run(&mut batchpipe(&[])).refused(&["Usage:"]);
}

#[test]
fn a_limit_of_nothing_or_less_is_refused() {
    for command in ["produce", "consume", "run"] {
        for wrong in ["0", "-1", "-9223372036854775809", "1.5", "many", ""] {
            run(&mut batchpipe(&[command, "--limit", wrong])).refused(&["--limit", "at least 1"]);
        }
    }
}

#[test]
fn a_rate_below_nothing_is_refused() {
    for command in ["produce", "run"] {
        for wrong in ["-1", "fast"] {
            run(&mut batchpipe(&[command, "--rate", wrong])).refused(&["--rate", "whole number"]);
        }
    }
}

#[test]
fn a_wrong_address_or_time_is_refused_with_an_example() {
    for command in ["produce", "consume", "run"] {
        let mut admin = batchpipe(&[command]);
        run(admin.env("BATCHPIPE_ADMIN", "8080")).refused(&["--admin", "'8080'", "IP:PORT"]);
        let mut grace = batchpipe(&[command]);
        run(grace.env("BATCHPIPE_GRACE_PERIOD", "5")).refused(&["--grace-period", "100ms"]);
    }
    for command in ["produce", "run"] {
        for wrong in ["localhost", "0.0.0.0:8000"] {
            let mut listen = batchpipe(&[command]);
            run(listen.env("BATCHPIPE_LISTEN", wrong)).refused(&["--listen", wrong, "0.0.0.0"]);
        }
    }
}

#[test]
fn a_log_filter_that_is_none_is_named() {
    let mut command = batchpipe(&["validate"]);
    run(command.env("BATCHPIPE_LOG", "a=b=c")).refused(&["BATCHPIPE_LOG", "a=b=c", "info"]);
}

#[test]
fn every_command_tells_its_exit_codes() {
    for command in COMMANDS {
        assert!(help(command).contains("Exit codes: 0 "), "{command}");
    }
}

#[test]
fn commands_that_read_a_topic_refuse_wrong_places() {
    for command in ["tap", "audit"] {
        let with = |more: &[&str]| run(&mut batchpipe(&[&[command], more].concat()));
        for brokers in ["http://h:9092", "h:99999", "h"] {
            with(&["-b", brokers, "-t", "rooms"]).refused(&["--brokers", "HOST:PORT"]);
        }
        for topic in ["a b", "..", "a/b"] {
            with(&["-b", "h:1", "-t", topic]).refused(&["--topic", "topic name"]);
        }
        with(&[]).refused(&["--brokers", "KAFKA_BROKER", "-f"]);
        with(&["-b", "", "-t", "rooms"]).refused(&["--brokers", "KAFKA_BROKER", "-f"]);
        with(&["-b", "h:1"]).refused(&["--topic", "KAFKA_TOPIC", "-f"]);
        with(&["-f", "/missing.yaml"]).refused(&["/missing.yaml", "-f"]);
    }
}

#[test]
fn a_missing_kubectl_is_named() {
    let ended = run(batchpipe(&["top"]).env("KUBECTL", "/missing/kubectl"));
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("cannot run /missing/kubectl; install kubectl"), "{ended:?}");
}

#[test]
fn letters_are_sent_back_only_from_somewhere_to_somewhere_else() {
    let redrive = |more: &[&str]| run(&mut batchpipe(&[&["redrive"], more].concat()));
    redrive(&[]).refused(&["--brokers", "-f"]);
    redrive(&["-b", "h:1"]).refused(&["--from", "-f"]);
    redrive(&["-b", "http://h:1", "--from", "rooms.dlq"]).refused(&["--brokers", "HOST:PORT"]);
    redrive(&["-b", "h:1", "--from", "a b"]).refused(&["--from", "topic name"]);
    redrive(&["-b", "h:1", "--from", "rooms.dlq", "--to", "rooms.dlq"])
        .refused(&["--to", "round for ever"]);
    for (flag, wrong, says) in [
        ("--reason", "bad", "invalid_json"),
        ("--max-attempts", "0", "--max-attempts"),
        ("--limit", "0", "at least 1"),
        ("--group", "", "--group"),
    ] {
        redrive(&["-b", "h:1", "--from", "rooms.dlq", flag, wrong]).refused(&[flag, says]);
    }
    let mut own = batchpipe(&["redrive", "--to", "usage.dlq"]);
    run(own.env("BATCHPIPE_PIPELINE", simple("127.0.0.1:1"))).refused(&["--to", "usage.dlq"]);
}

#[test]
fn a_switch_that_is_neither_on_nor_off_is_refused() {
    for command in ["produce", "consume", "run"] {
        let mut wrong = batchpipe(&[command]);
        wrong.env("BATCHPIPE_PIPELINE", simple("127.0.0.1:1")).env("BATCHPIPE_STAY", "yes");
        run(&mut wrong).refused(&["BATCHPIPE_STAY must be 0 or 1", "yes"]);
    }
}
