//! Manifests before the real API server: what it refuses and why is what `batchpipe validate` says without one; what
//! it cannot refuse shows in the pipeline's conditions.

mod server;
mod updates;

use std::{fs, path::Path};

use batchpipe_api::{
    schema::crd,
    validate::{Violation, ViolationKind, check_text, in_cluster},
};
use serde_json::Value;

use self::server::{Refusal, create, try_create};
use crate::support::{Namespace, Operator, cluster};

/// What only a text can be wrong with has no field in the API server's answer: it says this instead.
const WITHOUT_FIELD: [(&str, &str); 2] = [
    ("apiVersion", "in version \"v1\""),
    ("spec.batch.maxRecords", "key \"maxRecords\" already set"),
];

/// A manifest that must be refused by somebody.
struct Invalid {
    name: String,
    text: String,
    /// The field that is wrong, from the file's first line.
    path: String,
    ours: Vec<Violation>,
}

fn invalid() -> Vec<Invalid> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../api/tests/invalid");
    let files = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
    let of = |file: std::path::PathBuf| {
        let text = fs::read_to_string(&file).unwrap();
        let path = text.lines().next().unwrap().strip_prefix("# path:").unwrap().trim().to_owned();
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        Invalid { ours: check_text(&text).unwrap_err(), name, text, path }
    };
    files.map(of).collect()
}

/// Those that the schema refuses, and those that it lets pass.
fn by_kind() -> (Vec<Invalid>, Vec<Invalid>) {
    let is_schema = |it: &Invalid| it.ours.iter().any(|it| it.kind == ViolationKind::Schema);
    invalid().into_iter().partition(is_schema)
}

/// Whether one path is the other or in it.
fn is_related(a: &str, b: &str) -> bool {
    let is_in = |inner: &str, outer: &str| {
        inner
            .strip_prefix(outer)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    is_in(a, b) || is_in(b, a)
}

/// Whether a refusal says that this field is wrong. One without a field is about how the text is read.
fn is_about(refusal: &Refusal, path: &str) -> bool {
    if !refusal.field.is_empty() {
        return refusal.field == path || refusal.field.starts_with(&format!("{path}."));
    }
    path.is_empty()
        || refusal.message.contains(&format!("unknown field \"{path}"))
        || WITHOUT_FIELD.iter().any(|(of, says)| *of == path && refusal.message.contains(says))
}

/// What of the API server's answer is not as ours; `None`: it is the same.
fn difference(manifest: &Invalid, theirs: &[Refusal], rules: &str) -> Option<String> {
    let Invalid { name, path, ours, .. } = manifest;
    let is_named = theirs.iter().any(|it| is_about(it, path));
    let is_known = |it: &Refusal| {
        it.field.is_empty() || ours.iter().any(|our| is_related(&our.path, &it.field))
    };
    // What is in the schema as words is said in these words, unless there was no reading the text at all.
    let is_unread = theirs.iter().all(|it| it.field.is_empty());
    let is_repeated = |our: &&Violation| {
        let is_rule = rules.contains(&Value::from(our.message.as_str()).to_string());
        is_unread || !is_rule || theirs.iter().any(|it| it.message.contains(&our.message))
    };
    let agrees = is_named && theirs.iter().all(is_known) && ours.iter().all(|it| is_repeated(&it));
    (!agrees).then(|| format!("{name}: {path:?}\n  ours {ours:?}\n  theirs {theirs:?}"))
}

#[test]
fn the_api_server_refuses_what_validate_refuses_and_names_the_same_fields() {
    let namespace = Namespace::new(cluster(), "manifests");
    let rules = serde_json::to_string(&crd()).unwrap();
    let (refused, _) = by_kind();
    assert!(refused.len() >= 150, "{} manifests", refused.len());
    let judge = |manifest: &Invalid| match try_create(namespace, &manifest.text) {
        Ok(_) => Some(format!("{}: accepted", manifest.name)),
        Err(theirs) => difference(manifest, &theirs, &rules),
    };
    let different: Vec<String> = refused.iter().filter_map(judge).collect();
    assert!(
        different.is_empty(),
        "{} of {}:\n{}",
        different.len(),
        refused.len(),
        different.join("\n")
    );
    println!("{} manifests refused with the same fields", refused.len());
}

/// What the schema lets pass, but a cluster cannot run.
const MISPLACED: [(&str, &str); 4] = [
    ("spec.producer.source.stdin", "producer: {source: {stdin: {}}}"),
    ("spec.producer.source.file.volumeClaim", "producer: {source: {file: {path: /data/in}}}"),
    ("spec.consumer.sink.file.volumeClaim", "consumer: {sink: {file: {path: /data}}}"),
    ("spec.consumer.sink.file.path", "consumer: {sink: {file: {path: /, volumeClaim: c}}}"),
];

/// Texts that the API server accepts although they cannot be carried out, each with its field. All have one name.
fn impossible() -> Vec<(String, String)> {
    let misplaced = |(path, side): &(&str, &str)| {
        let head =
            "{apiVersion: batchpipe.dev/v1alpha1, kind: BatchPipeline, metadata: {name: wrong}";
        let text = format!("{head}, spec: {{kafka: {{bootstrapServers: 'k:1'}}, {side}}}}}");
        assert!(!in_cluster(&check_text(&text).unwrap()).is_empty(), "{text}");
        ((*path).to_owned(), text)
    };
    let (_, accepted) = by_kind();
    let accepted = accepted.into_iter().map(|it| (it.path, it.text));
    accepted.chain(MISPLACED.iter().map(misplaced)).collect()
}

#[test]
fn what_only_the_operator_can_refuse_shows_as_stalled_with_its_field_and_makes_nothing() {
    let namespace = Namespace::new(cluster(), "stalled");
    let operator = Operator::start(namespace);
    let all = impossible();
    for (path, text) in &all {
        create(namespace, text).unwrap_or_else(|theirs| panic!("{path}: {theirs:?}"));
        let message = namespace.await_reason("wrong", "Stalled", "InvalidSpec");
        assert!(message.contains(path.as_str()), "{path} is not in {message}");
        assert_eq!(namespace.kubectl(&["get", "deployments", "-o", "name"]), "", "{path}");
        namespace.kubectl(&["delete", "batchpipeline", "wrong"]);
    }
    println!("{} manifests stalled with their fields", all.len());
    operator.stop();
}

#[test]
fn every_example_is_accepted() {
    let namespace = Namespace::new(cluster(), "examples");
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [here.join("../examples"), here.join("tests/pipelines")];
    let files = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let texts =
        files.map(|it| it.unwrap().path()).filter(|it| it.extension() == Some("yaml".as_ref()));
    let texts = texts.map(|file| fs::read_to_string(file).unwrap());
    let mut accepted = 0;
    for text in texts.filter(|it| it.contains("kind: BatchPipeline")) {
        // A file may begin with what its pipeline needs.
        let documents = text.split("\n---\n").filter(|it| it.contains("kind: BatchPipeline"));
        for document in documents {
            let answer = try_create(namespace, document);
            assert!(answer.is_ok(), "{document}\n{answer:?}");
            accepted += 1;
        }
    }
    assert!(accepted >= 8, "{accepted} examples");
}
