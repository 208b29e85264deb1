//! What is in Secrets is in nothing that a process says, however much it is asked to say.

use std::fs;

use super::{kafka, reading::end, security, stage::Stage};
use crate::faults::support::Child;

const PASSWORD: &str = "planted-Pa55word";

/// Everything that a process has said so far.
fn said(child: &Child) -> String {
    let answers = ["/livez", "/readyz", "/metrics", "/status"].map(|path| child.get(path).1);
    let printed = fs::read_to_string(&child.output).unwrap();
    answers.concat() + &child.log() + &printed
}

fn assert_silent(text: &str, secrets: &[&str]) {
    assert!(text.len() > 1000, "{text}");
    for secret in secrets {
        assert!(!text.contains(secret), "{secret} was said");
    }
}

fn talkative(stage: &mut Stage) {
    stage.scene.environment.push(("BATCHPIPE_LOG", "debug,librdkafka=debug".into()));
    stage.scene.generate(1000, 0);
}

#[test]
fn a_password_is_not_said_whether_it_works_or_not() {
    kafka().set_password("SCRAM-SHA-512", "planted", PASSWORD).unwrap();
    let stage = Stage::open("planted-password").to(&security().sasl_servers());
    let mut stage = stage.logging_in("SCRAM-SHA-512", "planted");
    talkative(&mut stage);
    let wrong = format!("{PASSWORD}-wrong");
    stage.put_password(&wrong);
    let children = [stage.scene.produce(), stage.scene.consume()];
    for child in &children {
        child.await_unready("AuthenticationFailed");
    }
    stage.put_password(PASSWORD);
    for child in &children {
        child.await_delivered(1);
        child.await_ready();
        assert_silent(&said(child), &[PASSWORD]);
    }
}

#[test]
fn a_key_is_not_said_whether_it_works_or_not() {
    let mut stage = Stage::open("planted-key").to(&security().tls_servers()).trusting().certified();
    talkative(&mut stage);
    let (certificate, key) = security().client_certificate("planted").unwrap();
    let text = fs::read_to_string(&key).unwrap();
    let secrets: Vec<_> = text.lines().filter(|line| !line.starts_with("---")).collect();
    assert!(!secrets.is_empty());
    // First cut short, then right.
    let broken = text.replace("-----END PRIVATE KEY-----", "");
    let certificate = fs::read_to_string(certificate).unwrap();
    stage.secrets.put("mine", &[("tls.crt", &certificate), ("tls.key", &broken)]);
    let children = [stage.scene.produce(), stage.scene.consume()];
    for child in &children {
        child.await_unready("AuthenticationFailed");
        assert_silent(&said(child), &secrets);
    }
    stage.secrets.put("mine", &[("tls.crt", &certificate), ("tls.key", &text)]);
    for child in &children {
        child.await_delivered(1);
        assert_silent(&said(child), &secrets);
    }
}

#[test]
fn no_command_says_a_password_whether_it_works_or_not() {
    kafka().set_password("SCRAM-SHA-512", "planted-reader", PASSWORD).unwrap();
    let stage = Stage::open("planted-reading").to(&security().sasl_servers());
    let mut stage = stage.logging_in("SCRAM-SHA-512", "planted-reader");
    stage.scene.environment.push(("BATCHPIPE_LOG", "debug,librdkafka=debug".into()));
    stage.put_password(PASSWORD);
    stage.scene.write_input(100);
    stage.scene.produce_all().well();
    let wrong = format!("{PASSWORD}-wrong");
    for password in [PASSWORD, &wrong] {
        stage.put_password(password);
        for child in [
            stage.scene.start_printing("tap", &["--until-caught-up"]),
            stage.scene.start("audit", &[]),
            stage.scene.start("redrive", &[]),
            stage.scene.start_printing("validate", &[]),
        ] {
            let (_, printed, log) = end(child);
            let text = printed + &log;
            assert!(!text.contains(PASSWORD), "said: {text}");
        }
    }
}
