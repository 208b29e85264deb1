//! A Secret that is missing when its pipeline is applied.

use batchpipe_testbed::Kafka;
use serde_json::json;

use crate::support::{Manifest, Pipeline, bed};

const USER: &str = "pods";
const PASSWORD: &str = "late-but-right";

#[test]
fn a_missing_secret_is_named_and_taken_up_by_the_same_pods_when_it_appears() {
    let Some(bed) = bed() else { return };
    let host = bed.node().host_address();
    let kafka = Kafka::builder().secured().listener_for_pods(host).start().unwrap();
    kafka.set_password("SCRAM-SHA-512", USER, PASSWORD).unwrap();
    let security = kafka.security().unwrap();
    let authority = format!("--from-file=ca.crt={}", security.authority().display());
    bed.kubectl(&["create", "secret", "generic", "late-ca", &authority]);
    let manifest = Manifest::new("late-secret").with(
        "/kafka",
        json!({
            "bootstrapServers": security.sasl_tls_servers(),
            "tls": {"ca": {"secret": "late-ca", "key": "ca.crt"}},
            "sasl": {
                "mechanism": "SCRAM-SHA-512",
                "username": USER,
                "password": {"secret": "late-user", "key": "password"},
            },
        }),
    );
    let pipeline = Pipeline::apply(bed, &manifest);
    for type_ in ["Stalled", "ProducerReady", "ConsumerReady"] {
        let status = if type_ == "Stalled" { "True" } else { "False" };
        let said = pipeline.await_condition(type_, status, "SecretMissing");
        assert!(said.contains("late-user/password"), "{type_}: {said}");
    }
    let waiting = pipeline.lives();

    let password = format!("--from-literal=password={PASSWORD}");
    bed.kubectl(&["create", "secret", "generic", "late-user", &password]);
    pipeline.await_ready();
    pipeline.await_more();
    assert_eq!(
        pipeline.lives(),
        waiting,
        "the pods that waited for the Secret are those that work with it"
    );
    let ours = "--selector=app.kubernetes.io/instance=late-secret";
    let operators = "--selector=app.kubernetes.io/name=batchpipe-operator";
    let whole = ["--tail=-1", "--all-containers", "--prefix"];
    for (what, args) in [
        ("the pipeline", vec!["get", "batchpipeline/late-secret", "--output=yaml"]),
        ("events", vec!["get", "events", "--output=yaml"]),
        ("objects", vec!["get", "deployments,replicasets,pods", ours, "--output=yaml"]),
        ("logs of its pods", [&["logs", ours], &whole[..]].concat()),
        ("logs of the operator", [&["logs", operators], &whole[..]].concat()),
    ] {
        let shown = bed.kubectl(&args);
        assert!(shown.lines().count() > 1, "{what}: {shown}");
        assert!(!shown.contains(PASSWORD), "the password is shown in {what}");
    }
    pipeline.finish_at(&kafka);
}
