//! `spec.producer.pod` and `spec.consumer.pod`: where and how the pods run.
//!
//! A small, safe part of a pod template: nothing here can mount, escalate or borrow an identity.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{Affinity, Toleration, TopologySpreadConstraint},
    apimachinery::pkg::api::resource::Quantity,
};
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::{patterns, pod_schema};

/// How the pods of one side are run.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Pod {
    /// CPU and memory of the container. Absent: the operator's defaults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Labels that a node must have; at most 32.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "pod_schema::node_selector")]
    pub node_selector: BTreeMap<String, String>,
    /// Taints of nodes that are tolerated, as in a pod; at most 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = pod_schema::tolerations())]
    pub tolerations: Vec<Toleration>,
    /// Which nodes and neighbours are preferred or avoided, as in a pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Affinity>,
    /// How the pods spread over the cluster, as in a pod; at most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(
        validation = pod_schema::spread_values(),
        validation = pod_schema::spread_once(),
    )]
    pub topology_spread_constraints: Vec<TopologySpreadConstraint>,
    /// Further labels of the pods; at most 32.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "pod_schema::labels")]
    pub labels: BTreeMap<String, String>,
    /// Further annotations of the pods; at most 32.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "pod_schema::annotations")]
    pub annotations: BTreeMap<String, String>,
    /// Secrets with credentials for the image registry; at most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(validation = Rule::new("self.all(a, self.exists_one(b, b.name == a.name))").message("must name each Secret once"))]
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
#[x_kube(
    validation = Rule::new("!has(self.requests) || !has(self.limits) || self.requests.all(k, !(k in self.limits) || quantity(string(self.requests[k])).compareTo(quantity(string(self.limits[k]))) <= 0)")
        .message("must not be more than limits").field_path(".requests"),
)]
pub struct Resources {
    /// What is reserved, for example cpu: 500m and memory: 256Mi; at most 8.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "pod_schema::quantities")]
    pub requests: BTreeMap<String, Quantity>,
    /// What may be used at most; at most 8. The memory for records follows from the limit of memory.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "pod_schema::quantities")]
    pub limits: BTreeMap<String, Quantity>,
}

/// A Secret with credentials for an image registry, in the same namespace.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct PullSecret {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = patterns::OBJECT_NAME))]
    pub name: String,
}
