//! Secrets that are not there: each side starts, says which, and goes on when they appear.

use std::time::{Duration, Instant};

use super::{kafka, security, stage::Stage};

#[test]
fn what_is_missing_is_named_and_taken_up_when_it_appears() {
    kafka().set_password("SCRAM-SHA-256", "late", "secret").unwrap();
    let stage = Stage::open("late").to(&security().sasl_tls_servers()).trusting();
    let stage = stage.logging_in("SCRAM-SHA-256", "late");
    let records = stage.scene.write_input(1000);
    let (producer, consumer) = (stage.scene.produce(), stage.scene.consume());
    for child in [&producer, &consumer] {
        child.await_unready("configuration: mine/password is missing");
        assert_eq!(child.get("/livez").0, 200);
        let stalls = child.report().stalled;
        let stall = stalls.iter().find(|stall| stall.reason == "SecretMissing").unwrap();
        assert!(stall.what.starts_with("mine/password "), "{stall:?}");
    }
    stage.put_password("secret");
    let appeared = Instant::now();
    consumer.await_ready();
    assert!(appeared.elapsed() < Duration::from_secs(30), "{:?}", appeared.elapsed());
    producer.wait().well();
    consumer.await_delivered(1000);
    consumer.terminate().well();
    stage.scene.tally_output(&records).check_exact("late");
}

#[test]
fn a_secret_that_vanishes_later_changes_nothing() {
    kafka().set_password("SCRAM-SHA-256", "vanishing", "secret").unwrap();
    let stage = Stage::open("vanishing").to(&security().sasl_tls_servers()).trusting();
    let stage = stage.logging_in("SCRAM-SHA-256", "vanishing");
    stage.put_password("secret");
    let consumer = stage.scene.consume();
    consumer.await_ready();
    std::fs::remove_dir_all(stage.secrets.root().join("mine")).unwrap();
    crate::faults::support::until("it is told", || {
        consumer.log().contains("mine/password is missing")
    });
    assert!(consumer.is_ready());
    consumer.terminate().well();
}
