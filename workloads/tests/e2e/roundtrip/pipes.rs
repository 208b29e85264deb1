//! From standard input to standard output, with bad lines in between.

use std::{fs, process::Command};

use serde_json::Value;

use crate::kit::{
    broker,
    command::{batchpipe, run},
    lines::{assert_same_text, lines, mixed},
    pipeline::Pipeline,
    topic,
};

/// A shell line in which `batchpipe` stands for the command and `$1`, `$2` for files.
fn shell(line: &str, files: [&std::path::Path; 2]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-ec", line, "sh"]).args(files);
    for (name, value) in batchpipe(&[]).get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_batchpipe")).parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", binary.display()));
    command
}

#[test]
fn what_is_piped_in_comes_out_in_order() {
    let records = mixed(100_000);
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.ndjson");
    fs::write(&input, &records).unwrap();
    let mut pipeline = Pipeline::new("piped");
    pipeline.partitions = 1;
    let path = pipeline.write(folder.path());
    let line = r#"cat "$1" | batchpipe produce -f "$2"
                  batchpipe consume --until-caught-up -f "$2" | cat"#;
    assert_same_text(&run(shell(line, [&input, &path])).stdout, &records);
    assert!(broker().end_offsets("piped.dlq").is_err(), "nobody needed a dead-letter topic");
}

/// Lines that are no JSON, each with what is wrong.
const BAD: [&[u8]; 8] = [
    b"{\"cut\":",
    b"not json",
    b"{\"a\":1} {\"a\":2}",
    b"\xff\xfe\xfd",
    b"{\"control\":\"\x01\"}",
    b"\xef\xbb\xbf{\"mark\":1}",
    b"NaN",
    b"{'single':1}\r",
];

#[test]
fn bad_lines_become_dead_letters_and_the_others_arrive() {
    let good = mixed(10_000);
    let mut input = Vec::new();
    for (number, line) in lines(&good).into_iter().enumerate() {
        if number % 1_250 == 0 {
            input.extend_from_slice(BAD[number / 1_250]);
            input.push(b'\n');
        }
        input.extend_from_slice(line);
    }
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("in.ndjson");
    fs::write(&source, &input).unwrap();
    let mut pipeline = Pipeline::new("piped-bad");
    pipeline.partitions = 1;
    let path = pipeline.write(folder.path());
    let ended = run(shell(r#"batchpipe produce --json -f "$2" < "$1""#, [&source, &path]));
    let report = ended.report();
    let counts = ["accepted", "delivered", "deadLettered", "inFlight"].map(|name| &report[name]);
    assert_eq!(counts, [&Value::from(10_008), &10_000.into(), &8.into(), &0.into()]);
    let consumed = run(batchpipe(&["consume", "--until-caught-up", "-f", path.to_str().unwrap()]));
    assert_same_text(&consumed.stdout, &good);

    let letters = topic::read("piped-bad.dlq");
    let values: Vec<_> = letters.iter().map(|letter| letter.value.as_deref().unwrap()).collect();
    assert_eq!(values, BAD);
    for letter in &letters {
        let origin = letter.header("batchpipe-dlq").unwrap();
        assert!(origin.starts_with("reason=invalid_json;topic=piped-bad;partition="), "{origin}");
        assert!(origin.contains(";offset=-1"), "{origin}");
        assert_eq!(letter.headers.len(), 1, "{:?}", letter.headers);
    }
}

#[test]
fn a_line_that_is_too_large_is_kept_and_a_short_one_goes_as_it_is() {
    let large = format!("{{\"text\":\"{}\"}}", "x".repeat(2048));
    let short = "{\"a\":1}";
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.ndjson");
    let mut pipeline = Pipeline::new("piped-large");
    pipeline.partitions = 1;
    pipeline.batch = "{maxBytes: 1Ki, linger: 20ms}";
    let path = pipeline.write(folder.path());
    let produce = |text: &str| {
        fs::write(&input, text).unwrap();
        let ended = run(shell(r#"batchpipe produce --json -f "$2" < "$1""#, [&input, &path]));
        let report = ended.report();
        ["accepted", "delivered", "deadLettered", "inFlight"]
            .map(|name| report[name].as_u64().unwrap())
    };
    assert_eq!(produce(&format!("{large}\n{short}\n")), [2, 1, 1, 0]);

    let letters = topic::read("piped-large.dlq");
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!(letters[0].value.as_deref(), Some(large.as_bytes()));
    let origin = letters[0].header("batchpipe-dlq").unwrap();
    assert!(origin.starts_with("reason=record_too_large;topic=piped-large;"), "{origin}");
    // zstd would only make it longer.
    let messages = topic::read("piped-large");
    let batches: Vec<_> = messages.iter().filter_map(|message| message.value.as_deref()).collect();
    assert_eq!(batches, [short.as_bytes()]);
    assert_eq!(messages[0].header("content-encoding"), Some("identity"));

    assert_eq!(produce(""), [0; 4]);
    assert_eq!(topic::messages("piped-large"), 1);
}
