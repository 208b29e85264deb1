//! A Kafka that the real Strimzi runs: `make test-strimzi`. Pipelines by certificate and by password outlast what its
//! administrators do, and lose nothing.

mod lab;

use serde_json::json;

use self::lab::{Lab, build};
use crate::support::{Bed, Manifest, Pipeline, Side, bed};

/// A pipeline, its listener, and how its user logs in.
const PIPELINES: [(&str, &str, &str); 2] =
    [("by-certificate", "tls", "tls"), ("by-password", "scram", "scram-sha-512")];

fn apply(bed: &'static Bed, name: &str, listener: &str) -> Pipeline {
    let strimzi = json!({"cluster": "lab", "listener": listener, "user": name});
    let manifest = Manifest::new(name)
        .with("/kafka", json!({"strimzi": strimzi}))
        .with("/producer/source/generator/recordsPerSecond", 1000)
        .with("/producer/replicas", 2)
        .with("/consumer/replicas", 2);
    Pipeline::apply(bed, &manifest)
}

/// Records arrive, and no pod was replaced or started again.
fn go_on(pipelines: &[Pipeline], lives: &[[(Vec<String>, Vec<i64>); 2]], what: &str) {
    for (pipeline, before) in pipelines.iter().zip(lives) {
        pipeline.await_ready();
        pipeline.await_more();
        assert_eq!(pipeline.lives(), *before, "pods of {} after {what}", pipeline.name);
        println!("{}: records arrive in the same pods after {what}", pipeline.name);
    }
}

/// Drains a pipeline and counts: nothing is missing in its topic, and all of it was printed.
fn finish(lab: Lab, pipeline: &Pipeline) {
    pipeline.drain();
    let audit = lab.audit(&pipeline.name);
    let printed = pipeline.bed.printed.count(&pipeline.name);
    println!("{}: {audit:?}, printed {printed:?}", pipeline.name);
    assert_eq!((audit.missing, audit.corrupt, audit.unverified), (0, 0, 0));
    assert!(audit.records > 0);
    assert_eq!(printed.distinct, audit.records - audit.duplicated, "printed and sent");
}

#[test]
#[ignore = "compiles and runs Strimzi: make test-strimzi"]
fn pipelines_by_certificate_and_by_password_outlast_a_restarted_broker_and_new_credentials() {
    let strimzi = build();
    let Some(bed) = bed() else { panic!("Strimzi needs a node: root, and Linux") };
    let pipelines = PIPELINES.map(|(name, listener, _)| apply(bed, name, listener));
    for pipeline in &pipelines {
        println!("{}", pipeline.await_condition("KafkaResolved", "False", "install Strimzi"));
    }
    strimzi.install(bed.node(), crate::support::NAMESPACE).unwrap();
    for pipeline in &pipelines {
        println!("{}", pipeline.await_condition("KafkaResolved", "False", "does not exist"));
    }
    let lab = Lab::apply(bed);
    for pipeline in &pipelines {
        println!("{}", pipeline.await_condition("KafkaResolved", "False", "KafkaNotReady"));
    }
    lab.await_ready("kafka/lab");
    for pipeline in &pipelines {
        println!("{}", pipeline.await_condition("KafkaResolved", "False", "KafkaUser"));
    }
    for (name, _, authentication) in PIPELINES {
        lab.user(name, authentication);
    }
    for pipeline in &pipelines {
        lab.await_ready(&format!("kafkatopic/{}", pipeline.name));
        pipeline.await_ready();
        pipeline.await_more();
        println!("{}: records arrive", pipeline.name);
    }
    let lives = pipelines.each_ref().map(Pipeline::lives);

    lab.roll();
    go_on(&pipelines, &lives, "a rolling restart of the broker");

    let certificate = lab.secret("by-certificate", "user.crt");
    lab.annotate("secret/lab-clients-ca-cert", "strimzi.io/force-renew=true");
    lab.await_changed("by-certificate", "user.crt", certificate.as_deref());
    // Everybody connects anew.
    lab.roll();
    go_on(&pipelines, &lives, "a renewal of the clients' authority");

    let password = lab.secret("by-password", "password");
    bed.kubectl(&["delete", "secret", "by-password"]);
    lab.await_changed("by-password", "password", password.as_deref());
    // The next login is by the new password.
    lab.roll();
    go_on(&pipelines, &lives, "a new password and another restart");

    for pipeline in &pipelines {
        finish(lab, pipeline);
        assert!(pipeline.all_pods(Side::Consumer).is_empty());
    }
}
