//! A file sink has its folder for itself, and a file source its checkpoint.

use tempfile::tempdir;

use crate::{
    pipeline,
    program::{PATIENCE, Program, batchpipe, run},
    silence::Ear,
};

const GENERATOR: &str = "{generator: {limit: 1}}";

#[test]
fn a_second_writer_to_a_folder_refuses_to_start_and_names_folder_and_lock() {
    let (folder, ear) = (tempdir().unwrap(), Ear::open());
    let path = folder.path().to_str().unwrap();
    let text = pipeline(&ear.address(), GENERATOR, &format!("{{file: {{path: {path}}}}}"));
    let first = Program::start(batchpipe(&["consume"]).env("BATCHPIPE_PIPELINE", &text));
    first.says("admin server listens", PATIENCE);
    let second = run(batchpipe(&["consume"]).env("BATCHPIPE_PIPELINE", &text));
    // Not 2: nothing is wrong with the pipeline, it works as soon as the first one has ended.
    assert_eq!(second.code, Some(1), "{second:#?}");
    let lock = format!("{path}/.batchpipe.lock");
    for words in ["spec.consumer.sink.file", path, &lock, "a folder of its own"] {
        assert!(second.stderr.contains(words), "{words}: {second:#?}");
    }
    drop(first);
    let third = Program::start(batchpipe(&["consume"]).env("BATCHPIPE_PIPELINE", &text));
    third.says("admin server listens", PATIENCE);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = format!("{}/out", file.path().display());
    let text = pipeline("127.0.0.1:1", GENERATOR, &format!("{{file: {{path: {path}}}}}"));
    let ended = run(batchpipe(&["consume"]).env("BATCHPIPE_PIPELINE", text));
    ended.refused(&["spec.consumer.sink.file", &path]);
}

#[test]
fn a_second_reader_of_a_file_refuses_to_start_and_names_checkpoint_and_lock() {
    let (folder, ear) = (tempdir().unwrap(), Ear::open());
    let path = folder.path().join("in.ndjson");
    std::fs::write(&path, "1\n").unwrap();
    let path = path.to_str().unwrap();
    let text = pipeline(&ear.address(), &format!("{{file: {{path: {path}}}}}"), "{blackhole: {}}");
    let first = Program::start(batchpipe(&["produce"]).env("BATCHPIPE_PIPELINE", &text));
    first.says("admin server listens", PATIENCE);
    let second = run(batchpipe(&["produce"]).env("BATCHPIPE_PIPELINE", &text));
    assert_eq!(second.code, Some(1), "{second:#?}");
    let checkpoint = format!("{path}.batchpipe-checkpoint");
    for words in ["spec.producer.source.file", &checkpoint, &format!("{checkpoint}.lock")] {
        assert!(second.stderr.contains(words), "{words}: {second:#?}");
    }
    drop(first);
    let third = Program::start(batchpipe(&["produce"]).env("BATCHPIPE_PIPELINE", &text));
    third.says("admin server listens", PATIENCE);
}
