//! resolve against a scripted API server: which objects are read, and what its answers come to.

#![expect(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex},
};

use batchpipe_api::{conditions::reasons, pipeline::BatchPipeline};
use batchpipe_operator::resolve::{Recent, ResolveError, ResolvedKafka, Unresolved, resolve};
use http::{Request, Response};
use kube::{Client, client::Body};
use serde_json::{Value, json};
use tower::service_fn;

const KAFKA: &str = "/apis/kafka.strimzi.io/v1/namespaces/lab-kafka/kafkas/lab";
const USER: &str = "/apis/kafka.strimzi.io/v1/namespaces/lab-kafka/kafkausers/me";

/// Answers by path: a code and a body. Everything else is a path that is not served.
type Script = BTreeMap<&'static str, (u16, Value)>;
type Outcome = Result<Result<ResolvedKafka, Unresolved>, ResolveError>;

/// Resolves a pipeline; also returns what was asked.
async fn run(kafka: &Value, script: Script) -> (Outcome, Vec<String>) {
    let (client, asked) = served(script);
    let outcome = resolve(&client, &pipeline(kafka)).await;
    let asked = asked.lock().unwrap().clone();
    (outcome, asked)
}

/// A client of a server that answers by the script; also what it was asked.
fn served(script: Script) -> (Client, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let script = Arc::new(script);
    let server = service_fn(move |request: Request<Body>| {
        log.lock().unwrap().push(format!("{} {}", request.method(), request.uri().path()));
        let answer = script.get(request.uri().path()).cloned();
        let (code, body) = answer.map_or_else(
            || (404, b"404 page not found\n".to_vec()),
            |(code, body)| (code, body.to_string().into_bytes()),
        );
        let response = Response::builder().status(code).body(Body::from(body)).unwrap();
        async move { Ok::<_, Infallible>(response) }
    });
    (Client::new(server, "default"), asked)
}

#[tokio::test]
async fn what_was_resolved_is_not_read_again_for_a_while() {
    let (client, asked) = served([(KAFKA, (200, kafka())), (USER, (200, user()))].into());
    let recent = Recent::default();
    for _ in 0..3 {
        let resolved = recent.resolve(&client, &pipeline(&strimzi())).await.unwrap().unwrap();
        assert_eq!(resolved.cluster, "lab");
    }
    assert_eq!(asked.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn what_was_not_resolved_is_read_again_at_once() {
    let (client, asked) = served([(KAFKA, refusal(404, "NotFound", "lab"))].into());
    let recent = Recent::default();
    for _ in 0..2 {
        let unresolved = recent.resolve(&client, &pipeline(&strimzi())).await.unwrap().unwrap_err();
        assert_eq!(unresolved.reason, reasons::KAFKA_NOT_FOUND);
    }
    assert_eq!(asked.lock().unwrap().len(), 2);
}

fn pipeline(kafka: &Value) -> BatchPipeline {
    serde_json::from_value(json!({
        "apiVersion": "batchpipe.dev/v1alpha1", "kind": "BatchPipeline",
        "metadata": {"name": "telemetry", "namespace": "lab-kafka"},
        "spec": {"kafka": kafka, "consumer": {"sink": {"stdout": {}}}},
    }))
    .unwrap()
}

fn kafka() -> Value {
    json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka", "metadata": {"name": "lab", "namespace": "lab-kafka"},
        "spec": {"kafka": {"listeners": [
            {"name": "tls", "port": 9093, "type": "internal", "tls": true, "authentication": {"type": "tls"}}]}},
        "status": {"listeners": [
            {"name": "tls", "bootstrapServers": "lab-kafka-bootstrap.lab-kafka.svc:9093"}]},
    })
}

fn user() -> Value {
    json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaUser",
        "metadata": {"name": "me", "namespace": "lab-kafka", "labels": {"strimzi.io/cluster": "lab"}},
        "spec": {"authentication": {"type": "tls"}},
        "status": {"username": "CN=me", "secret": "me"},
    })
}

fn refusal(code: u16, reason: &str, name: &str) -> (u16, Value) {
    let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
        "reason": reason, "message": reason, "details": {"name": name}});
    (code, body)
}

fn strimzi() -> Value {
    json!({"strimzi": {"cluster": "lab", "listener": "tls", "user": "me"}})
}

#[tokio::test]
async fn a_plain_address_is_passed_on_and_nobody_is_asked() {
    let (outcome, asked) = run(&json!({"bootstrapServers": "b:2,a:1"}), Script::new()).await;
    let resolved = outcome.unwrap().unwrap();
    assert_eq!(
        (resolved.bootstrap_servers.as_str(), resolved.cluster.as_str()),
        ("b:2,a:1", "a:1,b:2")
    );
    assert_eq!(asked, Vec::<String>::new());
}

#[tokio::test]
async fn kafka_and_user_are_read_and_nothing_else() {
    let script = Script::from([(KAFKA, (200, kafka())), (USER, (200, user()))]);
    let (outcome, asked) = run(&strimzi(), script).await;
    let tls = outcome.unwrap().unwrap().tls.unwrap();
    assert_eq!(tls.ca.unwrap().secret, "lab-cluster-ca-cert");
    assert_eq!(tls.certificate.unwrap().secret, "me");
    assert_eq!(asked, [format!("GET {KAFKA}"), format!("GET {USER}")]);
}

#[tokio::test]
async fn a_cluster_without_strimzi_is_told_apart_from_one_without_the_kafka() {
    let (outcome, _) = run(&strimzi(), Script::new()).await;
    let message = outcome.unwrap().unwrap_err().message;
    assert!(message.contains("install Strimzi"), "{message}");
    let script = Script::from([(KAFKA, refusal(404, "NotFound", "lab"))]);
    let (outcome, _) = run(&strimzi(), script).await;
    let message = outcome.unwrap().unwrap_err().message;
    assert!(message.starts_with("Kafka lab does not exist"), "{message}");
}

#[tokio::test]
async fn a_missing_user_is_named() {
    let script = Script::from([(KAFKA, (200, kafka())), (USER, refusal(404, "NotFound", "me"))]);
    let unresolved = run(&strimzi(), script).await.0.unwrap().unwrap_err();
    assert_eq!(unresolved.reason, reasons::KAFKA_NOT_FOUND);
    assert!(unresolved.message.starts_with("KafkaUser me"), "{}", unresolved.message);
}

#[tokio::test]
async fn a_missing_right_is_a_reason_of_its_own() {
    let script = Script::from([(KAFKA, refusal(403, "Forbidden", "lab"))]);
    let unresolved = run(&strimzi(), script).await.0.unwrap().unwrap_err();
    assert_eq!(unresolved.reason, reasons::FORBIDDEN);
}

#[tokio::test]
async fn a_failure_of_the_api_server_says_nothing_of_kafka() {
    let script = Script::from([(KAFKA, refusal(500, "InternalError", "lab"))]);
    let error = run(&strimzi(), script).await.0.unwrap_err();
    assert_eq!(error.to_string(), "cannot read Kafka lab in namespace lab-kafka");
}
