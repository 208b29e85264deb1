//! The namespace of a lane, and how things are called there.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::support::Server;

/// A namespace that nobody else has.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) server: Server,
    pub(super) namespace: String,
}

impl Place {
    pub(super) fn new(server: &Server, topic: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let namespace = format!("{}-{number}", topic.replace(' ', "-"));
        server.create("/api/v1/namespaces", &json!({"metadata": {"name": namespace}}));
        Self { server: server.clone(), namespace }
    }

    /// Where the objects of a kind are.
    pub(super) fn folder(&self, kind: &str) -> String {
        let group = match kind {
            "batchpipelines" => "apis/batchpipe.dev/v1alpha1",
            "deployments" => "apis/apps/v1",
            "poddisruptionbudgets" => "apis/policy/v1",
            "networkpolicies" => "apis/networking.k8s.io/v1",
            "leases" => "apis/coordination.k8s.io/v1",
            "kafkas" | "kafkatopics" => "apis/kafka.strimzi.io/v1",
            _ => "api/v1",
        };
        format!("/{group}/namespaces/{}/{kind}", self.namespace)
    }

    fn path(&self, kind: &str, name: &str) -> String {
        format!("{}/{name}", self.folder(kind))
    }

    pub(super) fn find(&self, kind: &str, name: &str) -> Option<Value> {
        self.server.find(&self.path(kind, name))
    }

    pub(super) fn list(&self, kind: &str) -> Vec<Value> {
        self.server.list(&self.folder(kind))
    }

    pub(super) fn create(&self, kind: &str, object: &Value) {
        self.server.create(&self.folder(kind), object);
    }

    pub(super) fn merge(&self, kind: &str, name: &str, patch: &Value) {
        self.server.merge(&self.path(kind, name), patch);
    }

    pub(super) fn delete(&self, kind: &str, name: &str) {
        self.server.delete(&self.path(kind, name), "Background");
    }

    /// It stays until everything that it owns is gone.
    pub(super) fn delete_last(&self, kind: &str, name: &str) {
        self.server.delete(&self.path(kind, name), "Foreground");
    }
}
