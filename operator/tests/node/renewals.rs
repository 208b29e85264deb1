//! Objects, statuses and Secrets as Strimzi leaves them, a real broker with TLS and SCRAM behind them, and real pods:
//! credentials that are renewed under load, by the kinds that Strimzi publishes.

use std::path::Path;

use batchpipe_testbed::{Kafka, strimzi_crds};
use serde_json::{Value, json};

use crate::support::{Bed, Manifest, Pipeline, Side, bed, wait_for};

/// By certificate, and by password: the names of pipelines, users and listeners.
const CERTIFICATE: &str = "renewed-certificate";
const PASSWORD: &str = "renewed-password";
/// What pods log when they connect with new credentials.
const TAKEN_UP: &str = "the credentials changed; connecting";

fn secret(bed: &Bed, name: &str, sources: &[String]) {
    let mut args = vec!["create", "secret", "generic", name, "--dry-run=client", "--output=yaml"];
    args.extend(sources.iter().map(String::as_str));
    let text = bed.kubectl(&args);
    bed.apply(&text).unwrap();
}

fn from_file(key: &str, path: &Path) -> String {
    format!("--from-file={key}={}", path.display())
}

/// Applies one of Strimzi's objects, and writes its status as Strimzi does.
fn strimzi(bed: &Bed, object: &Value, status: &Value) {
    bed.apply(&object.to_string()).unwrap();
    let (kind, name) =
        (object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap());
    let patch = json!({"status": status}).to_string();
    let args = ["patch", kind, name, "--subresource=status", "--type=merge", "--patch", &patch];
    bed.kubectl(&args);
}

fn make_kafka(bed: &Bed, kafka: &Kafka) {
    let security = kafka.security().unwrap();
    let servers = [security.tls_servers(), security.sasl_tls_servers()];
    let [tls, scram] =
        servers.each_ref().map(|it| it.rsplit(':').next().unwrap().parse::<u16>().unwrap());
    let listener = |name: &str, port: u16, login: &str| json!({"name": name, "port": port, "type": "internal", "tls": true, "authentication": {"type": login}});
    let listeners = [listener("tls", tls, "tls"), listener("scram", scram, "scram-sha-512")];
    let object = json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka", "metadata": {"name": "renewing"},
        "spec": {"kafka": {"listeners": listeners}},
    });
    let status = json!({"listeners": [
        {"name": "tls", "bootstrapServers": servers[0]}, {"name": "scram", "bootstrapServers": servers[1]},
    ]});
    strimzi(bed, &object, &status);
    secret(bed, "renewing-cluster-ca-cert", &[from_file("ca.crt", &security.authority())]);
}

fn make_user(bed: &Bed, name: &str, authentication: &str, username: &str) {
    let object = json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaUser",
        "metadata": {"name": name, "labels": {"strimzi.io/cluster": "renewing"}},
        "spec": {"authentication": {"type": authentication}},
    });
    strimzi(bed, &object, &json!({"username": username, "secret": name}));
}

fn give_certificate(bed: &Bed, kafka: &Kafka) {
    let (certificate, key) = kafka.security().unwrap().client_certificate(CERTIFICATE).unwrap();
    secret(bed, CERTIFICATE, &[from_file("user.crt", &certificate), from_file("user.key", &key)]);
}

fn give_password(bed: &Bed, kafka: &Kafka, password: &str) {
    kafka.set_password("SCRAM-SHA-512", PASSWORD, password).unwrap();
    secret(bed, PASSWORD, &[format!("--from-literal=password={password}")]);
}

fn apply(bed: &'static Bed, name: &str, listener: &str) -> Pipeline {
    let reference = json!({"cluster": "renewing", "listener": listener, "user": name});
    let manifest = Manifest::new(name).with("/kafka", json!({"strimzi": reference}));
    Pipeline::apply(bed, &manifest)
}

/// Waits until every pod has connected with new credentials.
fn await_taken_up(pipeline: &Pipeline) {
    for side in [Side::Producer, Side::Consumer] {
        wait_for(&format!("the {} of {} to log in anew", side.name(), pipeline.name), || {
            let pods = pipeline.pods(side);
            let has = |pod: &str| pipeline.bed.kubectl(&["logs", pod]).contains(TAKEN_UP);
            (!pods.is_empty() && pods.iter().all(|pod| has(pod.name()))).then_some(())
        });
    }
}

#[test]
fn certificates_and_passwords_that_strimzi_renews_are_taken_up_by_the_same_pods() {
    let Some(bed) = bed() else { return };
    let kinds = strimzi_crds().unwrap().display().to_string();
    bed.kubectl(&["apply", "--server-side", "--filename", &kinds]);
    let host = bed.node().host_address();
    let mut kafka = Kafka::builder().secured().listener_for_pods(host).start().unwrap();
    // There is no Topic Operator that would make them of their objects.
    for name in [CERTIFICATE, PASSWORD] {
        kafka.create_topic(name, 4, &[]).unwrap();
        kafka.create_topic(&format!("{name}.dlq"), 1, &[]).unwrap();
    }
    wait_for("Strimzi's kinds", || bed.try_kubectl(&["get", "kafkas,kafkausers,kafkatopics"]).ok());
    make_kafka(bed, &kafka);
    make_user(bed, CERTIFICATE, "tls", &format!("CN={CERTIFICATE}"));
    make_user(bed, PASSWORD, "scram-sha-512", PASSWORD);
    give_certificate(bed, &kafka);
    give_password(bed, &kafka, "the-first");
    let pipelines = [apply(bed, CERTIFICATE, "tls"), apply(bed, PASSWORD, "scram")];
    for pipeline in &pipelines {
        pipeline.await_ready();
        pipeline.await_more();
        assert!(bed.find(&format!("kafkatopic/{}", pipeline.name)).is_some());
    }
    let before = pipelines.each_ref().map(Pipeline::lives);

    give_certificate(bed, &kafka);
    give_password(bed, &kafka, "the-second");
    pipelines.iter().for_each(await_taken_up);
    // Whoever still had the old password would be kept out from here on.
    kafka.stop().unwrap();
    kafka.start_again().unwrap();
    for pipeline in &pipelines {
        pipeline.await_ready();
        pipeline.await_more();
    }
    assert_eq!(pipelines.each_ref().map(Pipeline::lives), before);
    for pipeline in &pipelines {
        pipeline.finish_at(&kafka);
    }
}
