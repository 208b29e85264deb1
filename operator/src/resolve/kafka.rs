//! What Strimzi's `Kafka` says of a listener. Pure, and lenient: fields that are missing or of another kind count as
//! absent, because the object is not ours.

use batchpipe_api::{conditions::reasons, spec::kafka::Strimzi};
use serde_json::Value;

use super::Unresolved;

/// A listener that clients can use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listener {
    pub(super) bootstrap_servers: String,
    pub(super) is_encrypted: bool,
    /// Strimzi's word for how clients log in; absent: they need not.
    pub(super) authentication: Option<String>,
}

/// Finds the listener that a pipeline names.
pub(super) fn listener(strimzi: &Strimzi, kafka: &Value) -> Result<Listener, Unresolved> {
    let declared = named(kafka.pointer("/spec/kafka/listeners"), &strimzi.listener)
        .ok_or_else(|| unknown(strimzi, kafka))?;
    let address = named(kafka.pointer("/status/listeners"), &strimzi.listener)
        .and_then(|listener| listener["bootstrapServers"].as_str())
        .filter(|servers| !servers.is_empty())
        .ok_or_else(|| unready(strimzi, kafka))?;
    Ok(Listener {
        bootstrap_servers: address.to_owned(),
        is_encrypted: declared["tls"] == true,
        authentication: declared["authentication"]["type"].as_str().map(str::to_owned),
    })
}

/// What the condition `Ready` of one of Strimzi's objects says when it does not hold.
pub(super) fn complaint(object: &Value) -> Option<&str> {
    let conditions = object.pointer("/status/conditions")?.as_array()?;
    let unmet = |it: &&Value| {
        (it["type"] == "NotReady" && it["status"] == "True")
            || (it["type"] == "Ready" && it["status"] != "True")
    };
    let condition = conditions.iter().find(unmet)?;
    condition["message"].as_str().or_else(|| condition["reason"].as_str())
}

/// The same with the object that says it.
pub(crate) fn described(kind: &str, name: &str, object: &Value) -> Option<String> {
    complaint(object).map(|text| format!("{kind} {name} is not ready: {text}"))
}

/// Whether one of Strimzi's objects is as asked for.
pub(crate) fn is_ready(object: &Value) -> bool {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().any(|it| it["type"] == "Ready" && it["status"] == "True")
}

fn named<'a>(listeners: Option<&'a Value>, name: &str) -> Option<&'a Value> {
    listeners?.as_array()?.iter().find(|listener| listener["name"] == name)
}

fn unknown(strimzi: &Strimzi, kafka: &Value) -> Unresolved {
    let names: Vec<&str> = kafka
        .pointer("/spec/kafka/listeners")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|listener| listener["name"].as_str())
        .collect();
    let message = format!(
        "Kafka {} has no listener {}; it has: {}; correct spec.kafka.strimzi.listener",
        strimzi.cluster,
        strimzi.listener,
        if names.is_empty() { "none".to_owned() } else { names.join(", ") },
    );
    Unresolved::new(reasons::KAFKA_NOT_FOUND, message)
}

fn unready(strimzi: &Strimzi, kafka: &Value) -> Unresolved {
    let message = format!(
        "Kafka {} gives no address for listener {} yet{}; it is looked at again",
        strimzi.cluster,
        strimzi.listener,
        complaint(kafka).map(|text| format!(" ({text})")).unwrap_or_default(),
    );
    Unresolved::new(reasons::KAFKA_NOT_READY, message)
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    pub(crate) fn strimzi(listener: &str, user: Option<&str>) -> Strimzi {
        Strimzi {
            cluster: "lab".to_owned(),
            listener: listener.to_owned(),
            user: user.map(str::to_owned),
        }
    }

    /// As Strimzi writes it for a cluster with three listeners.
    fn lab() -> Value {
        let listener = |name: &str, port: u16| {
            let host = "lab-kafka-bootstrap.lab-kafka.svc";
            json!({"name": name, "addresses": [{"host": host, "port": port}],
                "bootstrapServers": format!("{host}:{port}")})
        };
        json!({
            "spec": {"kafka": {"version": "4.3.1", "listeners": [
                {"name": "plain", "port": 9092, "type": "internal", "tls": false,
                    "authentication": {"type": "scram-sha-512"}},
                {"name": "tls", "port": 9093, "type": "internal", "tls": true,
                    "authentication": {"type": "tls"}},
                {"name": "open", "port": 9095, "type": "internal", "tls": false},
            ]}},
            "status": {
                "clusterId": "OvMbZyk0TQGHUoSTaPj2mA", "observedGeneration": 1,
                "conditions": [{"type": "Ready", "status": "True",
                    "lastTransitionTime": "2026-08-22T10:00:00.000000Z"}],
                "listeners": [listener("plain", 9092), listener("tls", 9093), listener("open", 9095)],
            },
        })
    }

    #[test]
    fn a_listener_has_address_encryption_and_login() {
        let found = listener(&strimzi("tls", None), &lab()).unwrap();
        assert_eq!(found.bootstrap_servers, "lab-kafka-bootstrap.lab-kafka.svc:9093");
        assert!(found.is_encrypted);
        assert_eq!(found.authentication.as_deref(), Some("tls"));
    }

    #[test]
    fn a_listener_may_be_open() {
        let found = listener(&strimzi("open", None), &lab()).unwrap();
        assert!(!found.is_encrypted);
        assert_eq!(found.authentication, None);
    }

    #[test]
    fn a_listener_that_does_not_exist_is_answered_with_those_that_do() {
        let unresolved = listener(&strimzi("tsl", None), &lab()).unwrap_err();
        assert_eq!(unresolved.reason, reasons::KAFKA_NOT_FOUND);
        assert!(unresolved.message.contains("it has: plain, tls, open"), "{}", unresolved.message);
    }

    #[test]
    fn a_kafka_without_status_is_not_ready() {
        let mut kafka = lab();
        kafka.as_object_mut().unwrap().remove("status");
        let unresolved = listener(&strimzi("tls", None), &kafka).unwrap_err();
        assert_eq!(unresolved.reason, reasons::KAFKA_NOT_READY);
    }

    #[test]
    fn strimzis_own_complaint_is_passed_on() {
        let mut kafka = lab();
        kafka["status"] = json!({"conditions": [{"type": "NotReady", "status": "True",
            "reason": "InvalidResourceException", "message": "no node pools found"}]});
        let unresolved = listener(&strimzi("tls", None), &kafka).unwrap_err();
        assert!(unresolved.message.contains("(no node pools found)"), "{}", unresolved.message);
    }

    #[test]
    fn a_cluster_that_is_being_changed_keeps_its_address() {
        let mut kafka = lab();
        kafka["status"]["conditions"] = json!([{"type": "NotReady", "status": "True"}]);
        assert!(listener(&strimzi("tls", None), &kafka).is_ok());
    }
}
