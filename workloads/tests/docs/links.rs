//! Links lead somewhere, and nothing points out of the repository.

use std::path::Path;

use crate::{assert_none, documents, markdown::Document, root};

/// Beginnings of paths that only exist on somebody's machine.
const ELSEWHERE: [&str; 6] = ["/work/", "/root/", "/home/", "/tmp/", "/usr/", "/mnt/"];

/// What is wrong with a link, if anything.
fn complaint(document: &Document, link: &str) -> Option<String> {
    if link.starts_with("https://") {
        return None;
    }
    let (path, anchor) = link.split_once('#').map_or((link, None), |(it, at)| (it, Some(at)));
    let folder = document.path.parent().unwrap();
    let target = if path.is_empty() { document.path.clone() } else { folder.join(path) };
    let Ok(target) = target.canonicalize() else { return Some("is not there".to_owned()) };
    if !target.starts_with(root().canonicalize().unwrap()) {
        return Some("is outside of the repository".to_owned());
    }
    let anchor = anchor?;
    let has_anchor = is_markdown(&target)
        && Document::read(&target).anchors().iter().any(|known| known == anchor);
    (!has_anchor).then(|| format!("has no heading #{anchor}"))
}

fn is_markdown(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "md")
}

#[test]
fn every_link_resolves() {
    let mut problems = vec![];
    for document in documents() {
        for link in document.links() {
            if let Some(why) = complaint(&document, link) {
                problems.push(format!("{}: {link} {why}", document.path.display()));
            }
        }
    }
    assert_none(&problems);
}

#[test]
fn a_broken_link_is_noticed() {
    let readme = crate::document("README.md");
    for link in ["docs/nothing.md", "docs/operations.md#nothing", "../..", "Makefile#x"] {
        assert!(complaint(&readme, link).is_some(), "{link}");
    }
    assert_eq!(complaint(&readme, "docs/operations.md#metrics"), None);
}

#[test]
fn no_path_of_somebodys_machine_is_named() {
    let mut problems = vec![];
    for document in documents() {
        let blocks = document.blocks.iter().map(|block| &block.text);
        for line in blocks.chain([&document.prose]).flat_map(|text| text.lines()) {
            if ELSEWHERE.iter().any(|path| line.contains(path)) {
                problems.push(format!("{}: {line}", document.path.display()));
            }
        }
    }
    assert_none(&problems);
}

#[test]
fn every_decision_is_listed() {
    let list = crate::document("docs/decisions/README.md");
    let listed: Vec<_> = list.links().collect();
    for document in documents() {
        let name = document.path.file_name().unwrap().to_str().unwrap();
        if document.path.parent().unwrap().ends_with("decisions") && name != "README.md" {
            assert!(listed.contains(&name), "{name}");
        }
    }
}
