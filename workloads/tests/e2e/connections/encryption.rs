//! TLS: who is trusted, by which name, and with which certificate of one's own.

use super::{security, stage::Stage};

const FAILED: &str = "AuthenticationFailed";

fn encrypted(topic: &str) -> Stage {
    Stage::open(topic).to(&security().tls_servers()).trusting()
}

#[test]
fn records_travel_over_tls() {
    encrypted("tls").carries();
}

#[test]
fn records_travel_over_tls_with_a_certificate_of_ones_own() {
    let stage = encrypted("mtls").certified();
    stage.put_certificate("someone");
    stage.carries();
}

#[test]
fn a_broker_of_another_authority_is_refused() {
    let foreign = security().foreign_authority().unwrap();
    let mut stage =
        Stage::open("wrong-ca").to(&security().tls_servers()).trusting_authority(&foreign);
    stage.scene.generate(1000, 1000);
    for child in [stage.scene.produce(), stage.scene.consume()] {
        child.await_unready(FAILED);
        child.await_unready("certificate verify failed");
        assert_eq!(child.get("/livez").0, 200);
        assert_eq!(child.report().accounting.delivered, 0);
    }
}

#[test]
fn a_broker_of_another_name_is_refused() {
    let servers = security().tls_servers().replace("127.0.0.1", "localhost");
    let mut stage = Stage::open("wrong-name").to(&servers).trusting();
    stage.scene.generate(1000, 1000);
    for child in [stage.scene.produce(), stage.scene.consume()] {
        child.await_unready(FAILED);
        child.await_unready("certificate verify failed");
    }
}

#[test]
fn a_certificate_that_has_expired_is_told_and_mended() {
    let stage = encrypted("expired").certified();
    stage.put_pair(&security().expired_certificate("expired").unwrap());
    let records = stage.scene.write_input(1000);
    let (producer, consumer) = (stage.scene.produce(), stage.scene.consume());
    for child in [&producer, &consumer] {
        child.await_unready(FAILED);
        assert_eq!(child.get("/livez").0, 200);
    }
    stage.put_certificate("mended");
    producer.wait().well();
    consumer.await_delivered(1000);
    consumer.terminate().well();
    stage.scene.tally_output(&records).check_exact("expired");
}

#[test]
fn what_is_no_certificate_is_told_and_mended() {
    let stage = encrypted("no-pem").certified();
    stage.secrets.put("mine", &[("tls.crt", "a certificate"), ("tls.key", "a key")]);
    let records = stage.scene.write_input(1000);
    let (producer, consumer) = (stage.scene.produce(), stage.scene.consume());
    for child in [&producer, &consumer] {
        child.await_unready(FAILED);
        child.await_unready("ssl.certificate.pem");
    }
    stage.put_certificate("mended");
    producer.wait().well();
    consumer.await_delivered(1000);
    consumer.terminate().well();
    stage.scene.tally_output(&records).check_exact("no pem");
}
