//! Which pod of a pipeline to ask: as little of a pod as that takes.

use serde::Deserialize;

/// A pod.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Pod {
    metadata: Metadata,
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    name: String,
    labels: Labels,
    deletion_timestamp: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Labels {
    #[serde(rename = "app.kubernetes.io/component")]
    component: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    phase: String,
    conditions: Vec<Condition>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
}

impl Pod {
    pub(super) fn name(&self) -> &str {
        &self.metadata.name
    }

    fn runs(&self) -> bool {
        self.status.phase == "Running" && self.metadata.deletion_timestamp.is_none()
    }

    fn is_ready(&self) -> bool {
        self.status.conditions.iter().any(|it| it.kind == "Ready" && it.status == "True")
    }

    fn is_consumer(&self) -> bool {
        self.metadata.labels.component == "consumer"
    }
}

/// The pod that knows the way to the brokers best: a ready one, and a consumer, which may read the topic.
pub(super) fn best(pods: &[Pod]) -> Option<&Pod> {
    let running = pods.iter().filter(|pod| pod.runs());
    running.max_by_key(|pod| (pod.is_consumer(), pod.is_ready()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(name: &str, component: &str, phase: &str, ready: &str) -> Pod {
        let conditions =
            json!([{"type": "Initialized", "status": "True"}, {"type": "Ready", "status": ready}]);
        let value = json!({
            "metadata": {"name": name, "labels": {"app.kubernetes.io/component": component, "x": "y"}},
            "status": {"phase": phase, "conditions": conditions},
        });
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_ready_consumer_is_asked_first_and_one_that_does_not_run_never() {
        let mut pods = vec![pod("pending", "consumer", "Pending", "False")];
        assert!(best(&pods).is_none());
        for (name, component, ready) in [
            ("producer", "producer", "True"),
            ("unready", "consumer", "False"),
            ("ready", "consumer", "True"),
        ] {
            pods.push(pod(name, component, "Running", ready));
            assert_eq!(best(&pods).unwrap().name(), name);
        }
        pods[3].metadata.deletion_timestamp = Some("2026-01-01T00:00:00Z".to_owned());
        assert_eq!(best(&pods).unwrap().name(), "unready");
    }
}
