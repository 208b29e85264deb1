//! Whether the documents say what is so: commands, flags, variables, metrics, reasons, pipelines, links and the
//! worked example are compared with the program. No broker is needed.

#![expect(clippy::unwrap_used, reason = "the helpers of tests fail like tests do")]

mod commands;
mod links;
mod markdown;
mod metrics;
mod names;
mod pipelines;
mod shell;
mod wire;

use std::{
    fs,
    path::{Path, PathBuf},
};

use markdown::Document;

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// README and its companions, and everything below `docs`.
fn documents() -> Vec<Document> {
    let mut paths = vec![];
    for folder in [root(), root().join("docs"), root().join("docs/decisions")] {
        let entries = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        paths.extend(entries.filter(|path| path.extension().is_some_and(|it| it == "md")));
    }
    assert!(paths.len() > 8, "documents are missing: {paths:?}");
    paths.sort();
    paths.iter().map(|path| Document::read(path)).collect()
}

/// The document at a path within the repository.
fn document(path: &str) -> Document {
    Document::read(&root().join(path))
}

/// Fails with all problems at once, a line each.
#[track_caller]
fn assert_none(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}
