//! Credentials change under load: both sides take up the new ones, and no record is lost.

use super::{kafka, security, stage::Stage};
use crate::faults::support::{Child, Records, until};

const TOTAL: usize = 200_000;
/// More than are made until all rounds are over, however long these take.
const MORE_THAN_NEEDED: usize = 10_000_000;
const ROUNDS: usize = 4;
const RENEWED: &str = "connecting with the new ones";

fn renewals(child: &Child) -> usize {
    child.log().matches(RENEWED).count()
}

/// Runs both sides, changes the credentials several times by `change`, and counts what came out.
fn rotate(mut stage: Stage, change: impl Fn(&Stage, usize)) {
    stage.scene.generate(4000, MORE_THAN_NEEDED);
    let (producer, consumer) = (stage.scene.produce(), stage.scene.consume());
    for round in 1..=ROUNDS {
        let before = producer.report().accounting.delivered;
        // Both are at work again with what they took up last, so that they have to notice the next change.
        producer.await_delivered(before + 5000);
        consumer.await_delivered(before + 5000);
        change(&stage, round);
        for child in [&producer, &consumer] {
            until("it has the new credentials", || renewals(child) >= round);
        }
    }
    consumer.await_ready();
    let made = producer.terminate().well().delivered;
    consumer.await_delivered(made);
    consumer.terminate().well();
    let records = Records::of_seed(usize::try_from(made).unwrap());
    let topic = &stage.scene.topic;
    stage.scene.tally_topic(kafka(), &records).check_complete(&format!("{topic}, the topic"));
    stage.scene.tally_output(&records).check_complete(topic);
}

#[test]
fn a_password_that_changes_is_taken_up_without_loss() {
    kafka().set_password("SCRAM-SHA-512", "rotating", "secret-0").unwrap();
    let stage = Stage::open("password-rotation").to(&security().sasl_tls_servers()).trusting();
    let stage = stage.logging_in("SCRAM-SHA-512", "rotating");
    stage.put_password("secret-0");
    rotate(stage, |stage, round| {
        let password = format!("secret-{round}");
        kafka().set_password("SCRAM-SHA-512", "rotating", &password).unwrap();
        stage.put_password(&password);
    });
}

#[test]
fn a_certificate_that_changes_is_taken_up_without_loss() {
    let stage = Stage::open("certificate-rotation").to(&security().tls_servers()).trusting();
    let stage = stage.certified();
    stage.put_certificate("rotating");
    rotate(stage, |stage, _| stage.put_certificate("rotating"));
}

#[test]
fn credentials_that_do_not_work_are_not_taken_up() {
    kafka().set_password("SCRAM-SHA-512", "careful", "right").unwrap();
    let stage = Stage::open("careful").to(&security().sasl_tls_servers()).trusting();
    let mut stage = stage.logging_in("SCRAM-SHA-512", "careful");
    stage.put_password("right");
    stage.scene.generate(2000, TOTAL);
    let producer = stage.scene.produce();
    producer.await_delivered(1000);
    stage.put_password("left");
    until("it is told", || producer.log().contains("the old ones are used until"));
    let before = producer.report().accounting.delivered;
    producer.await_delivered(before + 10_000);
    assert!(producer.is_ready());
    assert_eq!(renewals(&producer), 0);
    producer.terminate().well();
}
