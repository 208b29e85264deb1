//! Pipelines whose Kafka Strimzi runs, by its real kinds, with objects and statuses as its operators leave them: what is
//! missing, not ready, changed or deleted is said, and all goes on by itself when it is mended. Nothing here nudges.

mod topics;
mod without;

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    Namespace, Operator, attended, complaint, kafka, kafka_status, manifest, user, user_status,
    wait_for, within,
};

/// What was resolved counts for 30 s, and a look comes every 30 s.
const PATIENCE: Duration = Duration::from_secs(90);
const ADDRESS: &str = "lab-kafka-bootstrap.ns.svc:9093";

/// A pipeline by a listener of the Kafka `lab`, as a user or as nobody.
fn pipeline(listener: &str, user: Option<&str>) -> String {
    let user = user.map(|name| format!(", user: {name}")).unwrap_or_default();
    let strimzi = format!("strimzi: {{cluster: lab, listener: {listener}{user}}}");
    manifest("demo", "").replace("bootstrapServers: 'kafka:9093'", &strimzi)
}

/// Waits until Kafka is unknown for this reason, in words that contain these.
#[track_caller]
fn await_unknown(namespace: Namespace<'_>, reason: &str, words: &str) {
    within(PATIENCE, &format!("{reason}: {words}"), || {
        let found = namespace.condition("demo", "KafkaResolved")?;
        let says = found["message"].as_str()?.contains(words) && found["reason"] == reason;
        (says && found["status"] == "False").then_some(())
    });
    // The same is the pipeline's own answer.
    let ready = namespace.condition("demo", "Ready").unwrap();
    assert_eq!((&ready["status"], &ready["reason"]), (&json!("False"), &json!(reason)), "{ready}");
}

#[track_caller]
fn await_known(namespace: Namespace<'_>) {
    within(PATIENCE, "Kafka to be resolved", || {
        let found = namespace.condition("demo", "KafkaResolved")?;
        let ready = namespace.condition("demo", "Ready")?;
        (found["status"] == "True" && ready["reason"] == "AsDesired").then_some(())
    });
}

/// What the pods of a side are told of Kafka.
fn told(namespace: Namespace<'_>) -> Option<Value> {
    let deployment = namespace.find("deployment/demo-producer")?;
    let variables = deployment["spec"]["template"]["spec"]["containers"][0]["env"].clone();
    let all = variables.as_array()?.iter();
    let told = all.into_iter().find(|it| it["name"] == "BATCHPIPE_PIPELINE")?;
    let object: Value = serde_json::from_str(told["value"].as_str()?).unwrap();
    Some(object["spec"]["kafka"].clone())
}

fn begin(topic: &str) -> (Namespace<'static>, Operator) {
    let namespace = Namespace::new(attended().0, topic);
    (namespace, Operator::start(namespace))
}

fn tls() -> Value {
    kafka("lab", &[("tls", true, Some("tls"))])
}

#[test]
fn a_kafka_that_is_missing_or_has_no_address_yet_is_awaited() {
    let (namespace, operator) = begin("kafka-awaited");
    namespace.apply(&pipeline("plain", None));
    await_unknown(namespace, "KafkaNotFound", "Kafka lab does not exist in namespace");
    assert_eq!(namespace.find("deployment/demo-producer"), None);
    namespace.apply(&kafka("lab", &[("open", false, None)]).to_string());
    await_unknown(namespace, "KafkaNotFound", "has no listener plain; it has: open");
    namespace.apply(&kafka("lab", &[("plain", false, None)]).to_string());
    await_unknown(namespace, "KafkaNotReady", "gives no address for listener plain yet");
    let unready = json!({"conditions": [complaint("at least one node pool is needed")]});
    namespace.set_status("kafka/lab", &unready);
    await_unknown(namespace, "KafkaNotReady", "(at least one node pool is needed)");
    namespace.set_status("kafka/lab", &kafka_status(&[("plain", "lab:9092")]));
    await_known(namespace);
    namespace.await_children("demo");
    assert_eq!(told(namespace), Some(json!({"bootstrapServers": "lab:9092"})));
    operator.stop();
}

#[test]
fn a_user_that_is_missing_or_has_no_credentials_yet_is_awaited() {
    let (namespace, operator) = begin("user-awaited");
    namespace.strimzi(&tls(), &kafka_status(&[("tls", ADDRESS)]));
    namespace.apply(&pipeline("tls", Some("me")));
    await_unknown(namespace, "KafkaNotFound", "KafkaUser me does not exist");
    namespace.apply(&user("me", "tls").to_string());
    await_unknown(namespace, "KafkaNotReady", "KafkaUser me has no credentials yet");
    let unready = json!({"conditions": [complaint("the clients' CA is missing")]});
    namespace.set_status("kafkauser/me", &unready);
    await_unknown(namespace, "KafkaNotReady", "(the clients' CA is missing)");
    namespace.set_status("kafkauser/me", &user_status("CN=me", "me"));
    await_known(namespace);
    let told = told(namespace).unwrap();
    assert_eq!(told["bootstrapServers"], ADDRESS);
    assert_eq!(told["tls"]["ca"], json!({"secret": "lab-cluster-ca-cert", "key": "ca.crt"}));
    assert_eq!(told["tls"]["certificate"]["secret"], "me");
    operator.stop();
}

#[test]
fn what_is_deleted_leaves_the_pods_as_they_are_until_it_is_back() {
    let (namespace, operator) = begin("deleted");
    let make_kafka = || namespace.strimzi(&tls(), &kafka_status(&[("tls", ADDRESS)]));
    let make_user = || namespace.strimzi(&user("me", "tls"), &user_status("CN=me", "me"));
    make_kafka();
    make_user();
    namespace.apply(&pipeline("tls", Some("me")));
    await_known(namespace);
    let before = namespace.get("deployment/demo-producer")["metadata"]["generation"].clone();
    for (object, words, make) in [
        ("kafka/lab", "Kafka lab does not exist", &make_kafka as &dyn Fn()),
        ("kafkauser/me", "KafkaUser me does not exist", &make_user),
    ] {
        namespace.kubectl(&["delete", object]);
        await_unknown(namespace, "KafkaNotFound", words);
        let ready = namespace.condition("demo", "Ready").unwrap();
        let message = ready["message"].as_str().unwrap();
        assert!(message.contains("until then everything stays as it is"), "{message}");
        make();
        await_known(namespace);
    }
    let after = namespace.get("deployment/demo-producer")["metadata"]["generation"].clone();
    assert_eq!(before, after, "nothing was rolled out");
    operator.stop();
}

#[test]
fn what_is_changed_is_rolled_out_or_said_if_it_does_not_fit() {
    let (namespace, operator) = begin("changed");
    namespace.strimzi(&tls(), &kafka_status(&[("tls", ADDRESS)]));
    namespace.strimzi(&user("me", "tls"), &user_status("CN=me", "me"));
    namespace.apply(&pipeline("tls", Some("me")));
    await_known(namespace);
    let other = "lab-kafka-bootstrap.ns.svc:9193";
    namespace.set_status("kafka/lab", &kafka_status(&[("tls", other)]));
    within(PATIENCE, "the new address", || {
        (told(namespace)?["bootstrapServers"] == other).then_some(())
    });
    // A listener that wants a password, and a user that still has a certificate.
    namespace.apply(&kafka("lab", &[("tls", true, Some("scram-sha-512"))]).to_string());
    await_unknown(namespace, "InvalidSpec", "asks for authentication scram-sha-512");
    assert!(told(namespace).unwrap()["sasl"].is_null(), "it stays as it was");
    namespace.strimzi(&user("me", "scram-sha-512"), &user_status("me", "me"));
    await_known(namespace);
    let told = told(namespace).unwrap();
    let password = json!({"secret": "me", "key": "password"});
    let sasl = json!({"mechanism": "SCRAM-SHA-512", "username": "me", "password": password});
    assert_eq!((&told["sasl"], &told["tls"]["certificate"]), (&sasl, &Value::Null));
    operator.stop();
}

#[test]
fn a_kafka_that_is_not_ready_any_more_keeps_its_pipeline_and_is_told_of() {
    let (namespace, operator) = begin("not-ready");
    namespace
        .strimzi(&kafka("lab", &[("plain", false, None)]), &kafka_status(&[("plain", "lab:9092")]));
    namespace.apply(&pipeline("plain", None));
    await_known(namespace);
    let mut status = kafka_status(&[("plain", "lab:9092")]);
    status["conditions"] = json!([complaint("the broker cannot be rolled")]);
    namespace.set_status("kafka/lab", &status);
    within(PATIENCE, "Strimzi's complaint", || {
        let found = namespace.condition("demo", "KafkaResolved")?;
        let said = found["message"].as_str()?;
        said.ends_with("Kafka lab is not ready: the broker cannot be rolled").then_some(())
    });
    assert_eq!(namespace.condition("demo", "Ready").unwrap()["status"], "True");
    namespace.set_status("kafka/lab", &kafka_status(&[("plain", "lab:9092")]));
    within(PATIENCE, "no complaint", || {
        let found = namespace.condition("demo", "KafkaResolved")?;
        (found["message"] == "address and credentials are known").then_some(())
    });
    operator.stop();
}

/// The first document is the pipeline, the second the user that it needs.
#[test]
fn the_example_is_taken_as_it_is() {
    let (namespace, operator) = begin("example");
    namespace.apply(include_str!("../../../examples/strimzi.yaml"));
    let mut kafka = tls();
    kafka["metadata"]["name"] = "my-cluster".into();
    namespace.strimzi(&kafka, &kafka_status(&[("tls", ADDRESS)]));
    namespace.set_status("kafkauser/strimzi", &user_status("CN=strimzi", "strimzi"));
    within(PATIENCE, "the example's topics", || {
        namespace.find("kafkatopic/strimzi")?;
        namespace.find("kafkatopic/strimzi.dlq")
    });
    within(PATIENCE, "the example to be carried out", || {
        let ready = namespace.condition("strimzi", "Ready")?;
        (ready["reason"] == "AsDesired").then_some(())
    });
    operator.stop();
}

/// Everything that names a Secret names it, and nothing that the operator does reads one.
#[test]
fn the_operator_asks_for_no_secret() {
    let (namespace, operator) = begin("no-secret");
    namespace.strimzi(&tls(), &kafka_status(&[("tls", ADDRESS)]));
    namespace.strimzi(&user("me", "tls"), &user_status("CN=me", "me"));
    namespace.apply(&pipeline("tls", Some("me")));
    await_known(namespace);
    wait_for("requests", || (operator.faults.count() > 0).then_some(()));
    let seen = operator.faults.seen();
    assert!(seen.iter().all(|request| !request.path.contains("/secrets")), "{seen:?}");
    operator.stop();
}
