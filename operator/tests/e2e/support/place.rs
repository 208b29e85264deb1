//! A namespace seen through the client in this process, and how things are called there.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use batchpipe_testbed::ControlPlane;
use serde_json::{Value, json};

use super::{Rights, Server, kafka, kafka_status, user, user_status};

/// A namespace that nobody else has.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) server: Server,
    pub(crate) namespace: String,
}

impl Place {
    pub(crate) fn new(server: &Server, topic: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let namespace = format!("{}-{number}", topic.replace(' ', "-"));
        server.create("/api/v1/namespaces", &json!({"metadata": {"name": namespace}}));
        Self { server: server.clone(), namespace }
    }

    /// Gives an operator here what the chart gives it, and returns how it then reaches the API server.
    pub(crate) fn shipped_rights(&self, cluster: &ControlPlane) -> PathBuf {
        Rights::shipped(&self.namespace).give(cluster, &self.namespace)
    }

    /// Where the objects of a kind are.
    pub(crate) fn folder(&self, kind: &str) -> String {
        let group = match kind {
            "batchpipelines" => "apis/batchpipe.dev/v1alpha1",
            "deployments" => "apis/apps/v1",
            "poddisruptionbudgets" => "apis/policy/v1",
            "networkpolicies" => "apis/networking.k8s.io/v1",
            "leases" => "apis/coordination.k8s.io/v1",
            "kafkas" | "kafkatopics" | "kafkausers" => "apis/kafka.strimzi.io/v1",
            _ => "api/v1",
        };
        format!("/{group}/namespaces/{}/{kind}", self.namespace)
    }

    fn path(&self, kind: &str, name: &str) -> String {
        format!("{}/{name}", self.folder(kind))
    }

    pub(crate) fn find(&self, kind: &str, name: &str) -> Option<Value> {
        self.server.find(&self.path(kind, name))
    }

    pub(crate) fn list(&self, kind: &str) -> Vec<Value> {
        self.server.list(&self.folder(kind))
    }

    pub(crate) fn create(&self, kind: &str, object: &Value) {
        self.server.create(&self.folder(kind), object);
    }

    /// Creates a Kafka with one open listener, `plain`, and what Strimzi then says of it.
    pub(crate) fn create_kafka(&self, name: &str) {
        self.create("kafkas", &kafka(name, &[("plain", false, None)]));
        let status = json!({"status": kafka_status(&[("plain", "lab-kafka-bootstrap:9092")])});
        self.server.merge(&format!("{}/status", self.path("kafkas", name)), &status);
    }

    /// Creates a Kafka with one listener, `tls`, for users by certificate, and such a user of the same name, both as
    /// Strimzi leaves them.
    pub(crate) fn create_kafka_with_user(&self, name: &str) {
        self.create("kafkas", &kafka(name, &[("tls", true, Some("tls"))]));
        let status = json!({"status": kafka_status(&[("tls", "lab-kafka-bootstrap:9093")])});
        self.server.merge(&format!("{}/status", self.path("kafkas", name)), &status);
        let mut object = user(name, "tls");
        object["metadata"]["labels"]["strimzi.io/cluster"] = name.into();
        self.create("kafkausers", &object);
        let status = json!({"status": user_status(&format!("CN={name}"), name)});
        self.server.merge(&format!("{}/status", self.path("kafkausers", name)), &status);
    }

    pub(crate) fn merge(&self, kind: &str, name: &str, patch: &Value) {
        self.server.merge(&self.path(kind, name), patch);
    }

    pub(crate) fn delete(&self, kind: &str, name: &str) {
        self.server.delete(&self.path(kind, name), "Background");
    }

    /// It stays until everything that it owns is gone.
    pub(crate) fn delete_last(&self, kind: &str, name: &str) {
        self.server.delete(&self.path(kind, name), "Foreground");
    }
}
