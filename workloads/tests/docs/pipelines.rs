//! Pipelines in the documents, and their examples, are valid and can be read by the command.

use std::process::Command;

use batchpipe_api::validate::check_text;

use crate::{assert_none, documents, root};

#[test]
fn every_pipeline_is_valid() {
    let (mut problems, mut seen) = (vec![], 0);
    for document in documents() {
        for text in document.blocks_in("yaml") {
            seen += 1;
            let path = document.path.display();
            let violations = check_text(text).err().unwrap_or_default();
            problems.extend(violations.iter().map(|violation| format!("{path}: {violation}")));
        }
    }
    assert_none(&problems);
    assert!(seen > 0, "there is no pipeline in any document");
}

#[test]
fn exit_codes_are_as_the_table_says() {
    let code = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_batchpipe"));
        let command = command.args(arguments).current_dir(root()).env_remove("BATCHPIPE_PIPELINE");
        command.output().unwrap().status.code()
    };
    assert_eq!(code(&["validate", "-f", "examples/seed.yaml"]), Some(0));
    assert_eq!(code(&["validate", "-f", "README.md"]), Some(2));
    assert_eq!(code(&["produce"]), Some(2));
    assert_eq!(code(&["produce", "--bogus"]), Some(2));
}
