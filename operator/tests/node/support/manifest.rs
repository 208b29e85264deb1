//! The text of a pipeline: small pods that send little, so that many of them run on a small machine.

use serde_json::{Value, json};

/// A whole number as JSON has it.
pub(crate) fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// A pipeline that is to be applied.
#[derive(Clone)]
pub(crate) struct Manifest(pub(crate) Value);

impl Manifest {
    /// A generator of few records, four partitions, and consumers that print.
    pub(crate) fn new(name: &str) -> Self {
        let generator = json!({"profile": "telemetry", "recordsPerSecond": 200});
        Self(json!({
            "apiVersion": "batchpipe.dev/v1alpha1",
            "kind": "BatchPipeline",
            "metadata": {"name": name},
            "spec": {
                "kafka": {"bootstrapServers": "kafka:9093"},
                "topic": {"partitions": 4},
                "producer": {"source": {"generator": generator}, "pod": pod(), "replicas": 1},
                "consumer": {"sink": {"stdout": {}}, "pod": pod(), "replicas": 1},
            },
        }))
    }

    /// The same with another value of a field, by its JSON pointer below `spec`.
    pub(crate) fn with(mut self, pointer: &str, value: impl Into<Value>) -> Self {
        let mut at = &mut self.0["spec"];
        for name in pointer.trim_start_matches('/').split('/') {
            at = &mut at[name];
        }
        *at = value.into();
        self
    }

    /// The same without a side.
    pub(crate) fn without(mut self, side: &str) -> Self {
        self.0["spec"].as_object_mut().unwrap().remove(side);
        self
    }

    pub(crate) fn name(&self) -> &str {
        self.0["metadata"]["name"].as_str().unwrap()
    }
}

fn pod() -> Value {
    json!({"resources": {
        "requests": {"cpu": "10m", "memory": "64Mi"},
        "limits": {"cpu": "2", "memory": "256Mi"},
    }})
}
