//! `spec.producer.pod` and `spec.consumer.pod`: where and how the pods run.
//!
//! A small, safe part of a pod template: nothing here can mount, escalate or borrow an identity.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{Affinity, Toleration, TopologySpreadConstraint},
    apimachinery::pkg::api::resource::Quantity,
};
use kube::{KubeSchema, core::Rule};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::patterns;

/// How the pods of one side are run.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Pod {
    /// CPU and memory of the container. Absent: the operator's defaults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Labels that a node must have; at most 32.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "map_schema")]
    pub node_selector: BTreeMap<String, String>,
    /// Taints of nodes that are tolerated, as in a pod; at most 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub tolerations: Vec<Toleration>,
    /// Which nodes and neighbours are preferred or avoided, as in a pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Affinity>,
    /// How the pods spread over the cluster, as in a pod; at most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub topology_spread_constraints: Vec<TopologySpreadConstraint>,
    /// Further labels of the pods; at most 32.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "labels_schema")]
    pub labels: BTreeMap<String, String>,
    /// Further annotations of the pods; at most 32.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "annotations_schema")]
    pub annotations: BTreeMap<String, String>,
    /// Secrets with credentials for the image registry; at most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub image_pull_secrets: Vec<PullSecret>,
    /// Name of the pods' PriorityClass. Absent: the cluster's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = patterns::OBJECT_NAME))]
    pub priority_class_name: Option<String>,
}

impl Pod {
    /// Whether nothing is set.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// CPU and memory of a container.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// What is reserved, for example cpu: 500m and memory: 256Mi; at most 8.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "quantities_schema")]
    pub requests: BTreeMap<String, Quantity>,
    /// What may be used at most; at most 8. The memory for records follows from the limit of memory.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "quantities_schema")]
    pub limits: BTreeMap<String, Quantity>,
}

/// A Secret with credentials for an image registry, in the same namespace.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct PullSecret {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = patterns::OBJECT_NAME))]
    pub name: String,
}

fn bounded_map(longest: u32, rules: impl IntoIterator<Item = Rule>) -> Schema {
    let mut schema = json_schema!({
        "type": "object",
        "maxProperties": 32,
        "additionalProperties": {"type": "string", "maxLength": longest},
    });
    for rule in rules {
        kube::core::validate(&mut schema, rule).expect("a rule of strings is valid JSON");
    }
    schema
}

fn map_schema(_: &mut SchemaGenerator) -> Schema {
    bounded_map(63, [])
}

fn labels_schema(_: &mut SchemaGenerator) -> Schema {
    bounded_map(
        63,
        [
            Rule::new("!self.exists(k, k.startsWith('app.kubernetes.io/') || k.startsWith('batchpipe.dev/'))")
                .message("labels that begin with app.kubernetes.io/ or batchpipe.dev/ are set by the operator"),
            Rule::new("self.all(k, k.matches('^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[a-zA-Z0-9]([-._a-zA-Z0-9]{0,61}[a-zA-Z0-9])?$') && self[k].matches('^([a-zA-Z0-9]([-._a-zA-Z0-9]*[a-zA-Z0-9])?)?$'))")
                .message("must be labels as Kubernetes accepts them"),
        ],
    )
}

fn annotations_schema(_: &mut SchemaGenerator) -> Schema {
    bounded_map(
        4096,
        [
            Rule::new("!self.exists(k, k.startsWith('batchpipe.dev/'))")
                .message("annotations that begin with batchpipe.dev/ are set by the operator"),
            Rule::new("self.all(k, k.matches('^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[a-zA-Z0-9]([-._a-zA-Z0-9]{0,61}[a-zA-Z0-9])?$'))")
                .message("must have names of annotations as Kubernetes accepts them"),
        ],
    )
}

fn quantities_schema(_: &mut SchemaGenerator) -> Schema {
    let mut schema = json_schema!({
        "type": "object",
        "maxProperties": 8,
        "additionalProperties": {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "x-kubernetes-int-or-string": true,
            "minimum": 0,
            "maxLength": 32,
            "pattern": patterns::QUANTITY,
        },
    });
    let rule = Rule::new("self.all(k, k.matches('^(cpu|memory|ephemeral-storage|hugepages-[0-9A-Za-z]{1,16}|[a-z0-9.-]{1,100}/[a-zA-Z0-9._-]{1,63})$'))")
        .message("must be cpu, memory, ephemeral-storage, hugepages-SIZE or a name with a domain");
    kube::core::validate(&mut schema, rule).expect("a rule of strings is valid JSON");
    schema
}
