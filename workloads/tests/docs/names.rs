//! Words of closed sets: reasons, codecs and their levels.

use std::{collections::BTreeSet, path::Path};

use batchpipe_api::{
    codec::Codec,
    conditions::{reasons, types},
    pipeline::KIND,
    reason::Reason,
    spec::sink::HttpFormat,
};

use crate::{assert_none, document, documents};

#[test]
fn the_table_lists_all_reasons_of_dead_letters() {
    let listed: Vec<_> = document("docs/wire-format.md").first_cells("reason");
    let listed: BTreeSet<_> = listed.iter().map(String::as_str).collect();
    assert_eq!(listed, Reason::ALL.map(Reason::name).into());
}

#[test]
fn every_reason_of_readiness_is_known() {
    for reason in document("docs/operations.md").first_cells("reason") {
        assert!(reasons::ALL.contains(&reason.as_str()), "{reason}");
    }
}

/// Every format of an HTTP sink's requests.
fn formats() -> [String; 4] {
    use HttpFormat::{ElasticBulk, JsonArray, Ndjson, SplunkHec};
    [Ndjson, JsonArray, ElasticBulk, SplunkHec].map(|format| format!("{format:?}"))
}

#[test]
fn the_table_of_formats_lists_all() {
    assert_eq!(document("docs/operations.md").first_cells("format"), formats());
}

#[test]
fn every_word_that_looks_like_a_reason_is_one() {
    let mut problems = vec![];
    // The page of fields is written from the types, and that of benchmarks names other programs.
    let is_ours = |path: &Path| {
        !["docs/fields.md", "docs/benchmarks.md"].iter().any(|name| path.ends_with(name))
    };
    for document in documents().into_iter().filter(|it| is_ours(&it.path)) {
        for word in document.code().into_iter().filter(|code| is_camel_case(code)) {
            let is_known = [&types::ALL[..], &reasons::ALL[..]].concat().contains(&word.as_str())
                || formats().contains(&word);
            // Alerts are compared with the chart by a test of the operator.
            if word != KIND && !is_known && !word.starts_with("BatchPipe") {
                problems.push(format!("{}: {word}", document.path.display()));
            }
        }
    }
    assert_none(&problems);
}

fn is_camel_case(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_uppercase())
        && word.chars().all(|it| it.is_ascii_alphabetic())
        && word.chars().any(|it| it.is_ascii_lowercase())
        && word.chars().filter(char::is_ascii_uppercase).count() > 1
}

#[test]
fn the_table_of_codecs_is_right() {
    let readme = document("README.md");
    for codec in Codec::ALL {
        let levels = match (codec.levels(), codec.default_level()) {
            (Some((lowest, highest)), Some(level)) => format!("{lowest} to {highest} ({level})"),
            _ => "none".to_owned(),
        };
        let is_default = if codec == Codec::default() { " (default)" } else { "" };
        let encoding = codec.content_encoding();
        let row = format!("| `{codec}`{is_default} | `{encoding}` | {levels} | ");
        assert!(readme.prose.contains(&row), "{row}");
    }
}
