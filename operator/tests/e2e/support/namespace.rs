//! A namespace of one test, and what is in it.

use std::sync::atomic::{AtomicU32, Ordering};

use batchpipe_testbed::ControlPlane;
use serde_json::Value;

use super::wait_for;

/// The children of a pipeline with both sides, as kubectl names them.
pub(crate) const CHILDREN: [&str; 7] = [
    "deployment/NAME-consumer",
    "deployment/NAME-producer",
    "networkpolicy/NAME-consumer",
    "networkpolicy/NAME-producer",
    "poddisruptionbudget/NAME-consumer",
    "poddisruptionbudget/NAME-producer",
    "serviceaccount/NAME-batchpipe",
];

/// A namespace of one test.
#[derive(Clone, Copy)]
pub(crate) struct Namespace<'a> {
    pub(crate) cluster: &'a ControlPlane,
    pub(crate) name: &'static str,
}

impl<'a> Namespace<'a> {
    /// A namespace that nobody else has.
    pub(crate) fn new(cluster: &'a ControlPlane, topic: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{topic}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        cluster.kubectl(&["create", "namespace", &name]).unwrap();
        Self { cluster, name: name.leak() }
    }

    /// Runs kubectl in it.
    pub(crate) fn kubectl(&self, args: &[&str]) -> String {
        self.try_kubectl(args).unwrap()
    }

    pub(crate) fn try_kubectl(&self, args: &[&str]) -> batchpipe_testbed::Result<String> {
        self.cluster.kubectl(&[args, &["--namespace", self.name]].concat())
    }

    /// Applies a manifest.
    pub(crate) fn apply(&self, manifest: &str) {
        let args = ["apply", "--namespace", self.name, "-f", "-"];
        self.cluster.kubectl_with_input(&args, manifest).unwrap();
    }

    /// Applies one of Strimzi's objects, and writes its status as Strimzi does.
    pub(crate) fn strimzi(&self, object: &Value, status: &Value) {
        self.apply(&object.to_string());
        let (kind, name) =
            (object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap());
        self.set_status(&format!("{kind}/{name}"), status);
    }

    /// Writes a status over.
    pub(crate) fn set_status(&self, object: &str, status: &Value) {
        let patch =
            serde_json::json!([{"op": "add", "path": "/status", "value": status}]).to_string();
        self.kubectl(&["patch", object, "--subresource=status", "--type=json", "--patch", &patch]);
    }

    /// Applies a pipeline with both sides; `more` is added to its spec.
    pub(crate) fn pipeline(&self, name: &str, more: &str) {
        self.apply(&manifest(name, more));
    }

    /// An object; absent: there is none.
    pub(crate) fn find(&self, object: &str) -> Option<Value> {
        let text = self.kubectl(&[
            "get",
            object,
            "--ignore-not-found",
            "--output",
            "json",
            "--show-managed-fields",
        ]);
        (!text.trim().is_empty()).then(|| serde_json::from_str(&text).unwrap())
    }

    /// An object that must be there.
    #[track_caller]
    pub(crate) fn get(&self, object: &str) -> Value {
        self.find(object).unwrap_or_else(|| panic!("there is no {object} in {}", self.name))
    }

    /// Waits for all children of a pipeline with both sides.
    pub(crate) fn await_children(&self, pipeline: &str) {
        let names = CHILDREN.map(|child| child.replace("NAME", pipeline));
        wait_for("all children", || {
            self.try_kubectl(&[&["get"], names.each_ref().map(String::as_str).as_slice()].concat())
                .ok()
        });
    }

    /// Waits for a condition of a pipeline to have a reason, and gives its message.
    #[track_caller]
    pub(crate) fn await_reason(&self, pipeline: &str, condition: &str, reason: &str) -> String {
        wait_for(&format!("{condition} of {pipeline} is {reason}"), || {
            let found = self.condition(pipeline, condition)?;
            (found["reason"] == reason)
                .then(|| found["message"].as_str().unwrap_or_default().to_owned())
        })
    }

    /// A condition of a pipeline.
    pub(crate) fn condition(&self, pipeline: &str, type_: &str) -> Option<Value> {
        let object = self.find(&format!("batchpipeline/{pipeline}"))?;
        let conditions = object["status"]["conditions"].as_array()?.clone();
        conditions.into_iter().find(|it| it["type"] == type_)
    }
}

/// A pipeline with both sides.
pub(crate) fn manifest(name: &str, more: &str) -> String {
    format!(
        "apiVersion: batchpipe.dev/v1alpha1
kind: BatchPipeline
metadata: {{name: {name}}}
spec:
  kafka: {{bootstrapServers: 'kafka:9093'}}
  producer: {{source: {{generator: {{}}}}}}
  consumer: {{sink: {{blackhole: {{}}}}}}
{more}"
    )
}
