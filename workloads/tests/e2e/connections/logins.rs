//! SASL: every mechanism, wrong passwords, and the warning where others could listen.

use super::{PLAIN, kafka, security, stage::Stage};

fn over_tls(topic: &str, mechanism: &str, user: &str) -> Stage {
    let stage = Stage::open(topic).to(&security().sasl_tls_servers()).trusting();
    stage.logging_in(mechanism, user)
}

#[test]
fn a_password_is_proved_with_scram_sha_256() {
    kafka().set_password("SCRAM-SHA-256", "scram-256", "one").unwrap();
    let stage = over_tls("scram-256", "SCRAM-SHA-256", "scram-256");
    stage.put_password("one");
    stage.carries();
}

#[test]
fn a_password_is_proved_with_scram_sha_512() {
    kafka().set_password("SCRAM-SHA-512", "scram-512", "one").unwrap();
    let stage = over_tls("scram-512", "SCRAM-SHA-512", "scram-512");
    stage.put_password("one\n");
    stage.carries();
}

#[test]
fn a_password_is_sent_with_plain() {
    let stage = over_tls("plain", "PLAIN", PLAIN.0);
    stage.put_password(PLAIN.1);
    stage.carries();
}

#[test]
fn a_login_that_others_could_listen_to_works_with_a_warning() {
    for (mechanism, risk) in [("PLAIN", "the password itself"), ("SCRAM-SHA-512", "proofs of")] {
        let topic = format!("in-clear-{}", mechanism.to_lowercase());
        kafka().set_password("SCRAM-SHA-512", "in-clear", PLAIN.1).unwrap();
        let user = if mechanism == "PLAIN" { PLAIN.0 } else { "in-clear" };
        let stage = Stage::open(&topic).to(&security().sasl_servers()).logging_in(mechanism, user);
        stage.put_password(PLAIN.1);
        stage.carries();
        let consumer = stage.scene.consume();
        consumer.await_ready();
        let log = consumer.log();
        let warning = log.lines().find(|line| line.contains("insecure")).unwrap();
        assert!(warning.contains("WARN") && warning.contains(risk), "{warning}");
        consumer.terminate().well();
    }
}

#[test]
fn a_wrong_password_is_told_and_mended() {
    kafka().set_password("SCRAM-SHA-512", "wrong", "right").unwrap();
    let stage = over_tls("wrong-password", "SCRAM-SHA-512", "wrong");
    stage.put_password("left");
    let records = stage.scene.write_input(1000);
    let (producer, consumer) = (stage.scene.produce(), stage.scene.consume());
    for child in [&producer, &consumer] {
        child.await_unready("AuthenticationFailed");
        child.await_unready("SASL authentication error");
        assert_eq!(child.get("/livez").0, 200);
    }
    stage.put_password("right");
    producer.wait().well();
    consumer.await_delivered(1000);
    consumer.terminate().well();
    stage.scene.tally_output(&records).check_exact("wrong password");
}
