//! Every manifest that the rules refuse is refused by the binary, before it touches the network; every example
//! is not.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    program::{Ended, batchpipe, run},
    silence::Ear,
};

/// Those that are no object with fields: of them no field can be named.
const WITHOUT_FIELDS: [&str; 5] =
    ["empty", "nesting-too-deep", "not-an-object", "not-yaml", "number-not-finite"];

/// A manifest, and what its first two lines say of its refusal.
struct Wrong {
    file: PathBuf,
    path: String,
    says: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn manifests() -> Vec<Wrong> {
    let entries = fs::read_dir(root().join("api/tests/invalid")).unwrap();
    let mut all: Vec<_> = entries.map(|entry| read(entry.unwrap().path())).collect();
    all.sort_by(|a, b| a.file.cmp(&b.file));
    assert!(all.len() >= 150, "only {} manifests", all.len());
    all
}

fn read(file: PathBuf) -> Wrong {
    let text = fs::read_to_string(&file).unwrap();
    let mut lines = text.lines();
    let path = lines.next().unwrap().strip_prefix("# path:").unwrap().trim().to_owned();
    let name = file.file_stem().unwrap().to_str().unwrap();
    assert_eq!(path.is_empty(), WITHOUT_FIELDS.contains(&name), "{name} names no field");
    let says = lines.next().unwrap().strip_prefix("# says:").unwrap().trim().to_owned();
    Wrong { file, path, says }
}

impl Wrong {
    /// What is wrong with how it was refused.
    fn complaint(&self, ended: &Ended) -> Option<String> {
        let file = self.file.display().to_string();
        let line = |line: &str| line.contains(&self.says) && line.trim().starts_with(&self.path);
        let is_right = ended.code == Some(2)
            && ended.stdout.is_empty()
            && ended.stderr.starts_with(&format!("error: {file} "))
            && ended.stderr.lines().any(line);
        (!is_right).then(|| format!("{file}: {:?} {:?}, got {ended:#?}", self.path, self.says))
    }
}

fn assert_refused(commands: &[&str], ear: &Ear) {
    let refuse = |(number, wrong): (usize, &Wrong)| {
        let command = commands[number % commands.len()];
        let file = wrong.file.to_str().unwrap();
        let ended = run(batchpipe(&[command, "-f", file]).env("KAFKA_BROKER", ear.address()));
        wrong.complaint(&ended)
    };
    let manifests = manifests();
    let complaints: Vec<_> = manifests.iter().enumerate().filter_map(refuse).collect();
    assert!(complaints.is_empty(), "{}:\n{}", complaints.len(), complaints.join("\n"));
}

#[test]
fn validate_refuses_every_wrong_manifest_and_names_the_field() {
    assert_refused(&["validate"], &Ear::open());
}

#[test]
fn a_wrong_manifest_is_refused_before_anything_is_connected_to() {
    let ear = Ear::open();
    assert_refused(&["produce", "consume", "run"], &ear);
    assert!(!ear.heard(), "somebody connected");
}

#[test]
fn no_example_is_refused() {
    let entries = fs::read_dir(root().join("examples")).unwrap();
    let files = entries.map(|entry| entry.unwrap().path());
    let manifests: Vec<_> = files
        .filter(|file| fs::read_to_string(file).is_ok_and(|it| it.contains("kind: BatchPipeline")))
        .collect();
    assert!(!manifests.is_empty());
    for file in manifests {
        let ended = run(&mut batchpipe(&["validate", "-f", file.to_str().unwrap()]));
        assert_eq!(ended.code, Some(0), "{}: {ended:#?}", file.display());
    }
}

#[test]
fn a_password_in_the_wrong_place_is_not_repeated() {
    let file = root().join("api/tests/invalid/sasl-password-inline.yaml");
    let ended = run(&mut batchpipe(&["consume", "-f", file.to_str().unwrap()]));
    assert!(!ended.stderr.contains("hunter2"), "{ended:#?}");
}
