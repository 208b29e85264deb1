//! Where a pipeline comes from: a file, or the variable `BATCHPIPE_PIPELINE`.

use std::{
    io::{Seek, Write},
    path::Path,
};

use tempfile::{NamedTempFile, tempdir};

use crate::{
    program::{Program, batchpipe, run},
    simple,
};

const VARIABLE: &str = "BATCHPIPE_PIPELINE";

fn file(content: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(content).unwrap();
    file
}

fn assert_refused(path: &Path, words: &[&str]) {
    let path = path.to_str().unwrap();
    for command in ["validate", "produce"] {
        let ended = run(&mut batchpipe(&[command, "-f", path]));
        ended.refused(words);
        ended.refused(&[path]);
    }
}

#[test]
fn a_missing_file_is_named() {
    let folder = tempdir().unwrap();
    assert_refused(&folder.path().join("nothing.yaml"), &["cannot read", "No such file"]);
}

#[test]
fn a_folder_is_not_a_file() {
    assert_refused(tempdir().unwrap().path(), &["cannot read", "Is a directory"]);
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    // Can be opened, by its owner and by root, and not be read from its start.
    assert_refused(Path::new("/proc/self/mem"), &["cannot read", "Input/output error"]);
}

#[test]
fn an_empty_file_is_no_pipeline() {
    assert_refused(file(b"").path(), &["the text is empty"]);
    assert_refused(file(b"# nothing but words\n").path(), &["is not a valid pipeline"]);
}

#[test]
fn binary_rubbish_is_called_no_text() {
    let bytes: Vec<u8> = (0..=255).cycle().take(10_000).collect();
    assert_refused(file(&bytes).path(), &["not text in UTF-8"]);
}

#[test]
fn what_is_too_large_is_not_read_whole() {
    assert_refused(file(&vec![b'a'; 2 << 20]).path(), &["has more than 1572864 bytes"]);
    assert_refused(Path::new("/dev/zero"), &["has more than 1572864 bytes"]);
}

#[test]
fn the_first_document_of_a_file_counts() {
    let (good, bad) = (simple("h:1"), "kind: Secret");
    let first = file(format!("{good}\n---\n{bad}\n").as_bytes());
    let ended = run(&mut batchpipe(&["validate", "-f", first.path().to_str().unwrap()]));
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let second = file(format!("{bad}\n---\n{good}\n").as_bytes());
    assert_refused(second.path(), &["kind: must be BatchPipeline"]);
}

#[test]
fn no_pipeline_at_all_is_said_with_both_ways_to_give_one() {
    for command in ["validate", "produce", "consume", "run"] {
        run(&mut batchpipe(&[command])).refused(&["-f", VARIABLE]);
        run(batchpipe(&[command]).env(VARIABLE, "")).refused(&["no pipeline given", VARIABLE]);
    }
}

#[test]
fn the_variable_may_hold_the_pipeline() {
    let ended = run(batchpipe(&["validate"]).env(VARIABLE, simple("h:1")));
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(ended.stdout, "batchpipeline usage is valid\n");
    run(batchpipe(&["validate"]).env(VARIABLE, "kind: Secret")).refused(&[VARIABLE, "kind: must"]);
}

#[test]
fn a_file_is_stronger_than_the_variable() {
    let file = file(simple("h:1").as_bytes());
    let args = ["validate", "-f", file.path().to_str().unwrap()];
    let ended = run(batchpipe(&args).env(VARIABLE, "kind: Secret"));
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

fn given(args: &[&str], text: &str) -> crate::program::Ended {
    let mut file = file(text.as_bytes()).reopen().unwrap();
    file.rewind().unwrap();
    Program::start(batchpipe(args).stdin(file)).end()
}

#[test]
fn standard_input_may_hold_the_pipeline() {
    let ended = given(&["validate", "-f", "-"], &simple("h:1"));
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "batchpipeline usage is valid\n"));
    given(&["validate", "-f", "-"], "kind: Secret").refused(&["standard input is not a valid"]);
}

#[test]
fn standard_input_cannot_hold_both_the_pipeline_and_its_records() {
    let text = crate::pipeline("h:1", "{stdin: {}}", "{blackhole: {}}");
    for command in ["produce", "run"] {
        given(&[command, "-f", "-"], &text).refused(&["spec.producer.source.stdin", "-f -"]);
    }
}
