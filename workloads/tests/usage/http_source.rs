//! What is said of an HTTP source before a broker is asked.

use std::net::TcpListener;

use crate::{
    pipeline,
    program::{Ended, batchpipe, run},
    silence::Ear,
};

/// Runs a producer whose source listens at a port that this test has.
fn at_a_taken_port(command: &str, more: &str) -> Ended {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let source = format!("{{http: {{port: {}{more}}}}}", taken.local_addr().unwrap().port());
    let ear = Ear::open();
    let text = pipeline(&ear.address(), &source, "{blackhole: {}}");
    let ended = run(batchpipe(&[command]).env("BATCHPIPE_PIPELINE", text));
    assert!(!ear.heard(), "{command} connected: {ended:#?}");
    // Nothing is wrong with the pipeline: it can run when the other process has ended.
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:#?}");
    ended
}

#[test]
fn a_port_that_another_process_has_is_named() {
    for command in ["produce", "run"] {
        let ended = at_a_taken_port(command, "");
        for word in
            ["spec.producer.source.http.port", "cannot listen at 127.0.0.1:", "choose another port"]
        {
            assert!(ended.stderr.contains(word), "{word:?} is not said: {ended:#?}");
        }
    }
}

#[test]
fn a_token_in_clear_text_is_warned_of() {
    let ended = at_a_taken_port("produce", ", bearerToken: {secret: s, key: k}");
    assert!(ended.stderr.contains("insecure: spec.producer.source.http.bearerToken"), "{ended:#?}");
}
