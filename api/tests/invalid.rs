//! Every file in `tests/invalid` is refused, with the path and the words that its first two lines name.

#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::{fs, path::Path};

use batchpipe_api::validate::check_text;

/// What is wrong with how a file is refused; `None` if it is as it should be.
fn complaint(file: &Path) -> Option<String> {
    let text = fs::read_to_string(file).unwrap();
    let mut lines = text.lines();
    let path = lines.next().unwrap().strip_prefix("# path:").unwrap().trim();
    let says = lines.next().unwrap().strip_prefix("# says:").unwrap().trim();
    let name = file.file_name().unwrap().display();
    let Err(violations) = check_text(&text) else { return Some(format!("{name}: accepted")) };
    let is_named = violations.iter().any(|it| it.path == path && it.to_string().contains(says));
    let is_internal = violations
        .iter()
        .any(|it| it.message.contains("rule") || it.message.contains("cannot be read"));
    let all: Vec<String> = violations.iter().map(ToString::to_string).collect();
    (!is_named || is_internal || violations.len() > 2)
        .then(|| format!("{name}: expected {path:?} {says:?}, got {all:#?}"))
}

#[test]
fn every_wrong_manifest_is_refused_and_its_field_named() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/invalid");
    let files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 80, "only {} files", files.len());
    let complaints: Vec<String> = files.iter().filter_map(|file| complaint(file)).collect();
    assert!(
        complaints.is_empty(),
        "{} of {}:\n{}",
        complaints.len(),
        files.len(),
        complaints.join("\n")
    );
}

#[test]
fn a_wrong_password_field_does_not_repeat_the_password() {
    let text = include_str!("invalid/sasl-password-inline.yaml");
    let violations = check_text(text).unwrap_err();
    assert!(!violations.iter().any(|it| it.to_string().contains("hunter2")));
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let text = "{apiVersion: batchpipe.dev/v1alpha1, kind: BatchPipeline, metadata: {name: a}, spec: {\
                kafka: {bootstrapServers: a}, batch: {maxRecords: 0, linger: 1d}, colour: red, producer: {source: {}}}}";
    let paths: Vec<String> = check_text(text).unwrap_err().into_iter().map(|it| it.path).collect();
    for path in [
        "spec.kafka.bootstrapServers",
        "spec.batch.maxRecords",
        "spec.batch.linger",
        "spec.colour",
        "spec.producer.source",
    ] {
        assert!(paths.iter().any(|it| it == path), "{path} is not in {paths:?}");
    }
}

#[test]
fn one_mistake_in_a_value_is_said_once_by_the_rule_about_it_alone() {
    for (part, says) in [
        ("compression: {codec: zstd, level: 23}", "must be at most 19"),
        ("batch: {maxBytes: 900Mi}", "must be 1Ki to 64Mi"),
    ] {
        let text = format!(
            "{{apiVersion: batchpipe.dev/v1alpha1, kind: BatchPipeline, metadata: {{name: a}}, spec: {{kafka: \
             {{bootstrapServers: 'h:1'}}, {part}, producer: {{source: {{stdin: {{}}}}}}, consumer: {{sink: \
             {{stdout: {{}}}}}}}}}}"
        );
        let violations = check_text(&text).unwrap_err();
        assert_eq!(violations.len(), 1, "{violations:?}");
        assert_eq!(violations[0].message, says);
    }
}
