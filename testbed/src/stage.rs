//! All that a pipeline needs beside the operator: a node, and a broker that pods reach under the name that the
//! examples use.

use serde_json::{Value, json};

use crate::{ControlPlane, ControlPlaneBuilder, Kafka, Node, Result};

/// The port of the Service that stands for the broker.
const PORT: u16 = 9093;

/// A node, and a broker that pods of one namespace reach as `kafka:9093`.
#[derive(Debug)]
pub struct Stage {
    // In this order: pods go before the broker that they talk to.
    node: Node,
    kafka: Kafka,
}

impl Stage {
    /// Starts both, and makes the namespace, which enforces Pod Security `restricted`.
    pub fn start(control_plane: ControlPlaneBuilder, namespace: &str) -> Result<Self> {
        let node = Node::start(control_plane)?;
        let kafka = Kafka::builder().listener_for_pods(node.host_address()).start()?;
        let stage = Self { node, kafka };
        restricted_namespace(stage.node.control_plane(), namespace)?;
        serve(stage.node.control_plane(), namespace, &stage.kafka)?;
        Ok(stage)
    }

    /// The node.
    pub const fn node(&self) -> &Node {
        &self.node
    }

    /// The broker.
    pub const fn kafka(&self) -> &Kafka {
        &self.kafka
    }

    /// The broker, to stop and start it.
    pub const fn kafka_mut(&mut self) -> &mut Kafka {
        &mut self.kafka
    }
}

/// Makes a namespace in which only pods run that need no privilege.
pub fn restricted_namespace(control_plane: &ControlPlane, name: &str) -> Result<()> {
    let labels = json!({
        "pod-security.kubernetes.io/enforce": "restricted",
        "pod-security.kubernetes.io/warn": "restricted",
    });
    let metadata = json!({"name": name, "labels": labels});
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata});
    control_plane.kubectl_with_input(&["apply", "--filename=-"], &object.to_string()).map(drop)
}

/// Lets pods of a namespace reach a broker of this machine as `kafka:9093`. The broker needs a listener for pods.
pub fn serve(control_plane: &ControlPlane, namespace: &str, kafka: &Kafka) -> Result<()> {
    let servers = kafka.bootstrap_servers_for_pods().unwrap_or_default();
    let (address, port) = servers.rsplit_once(':').unwrap_or_default();
    let objects = [service(), endpoints(address, port.parse().unwrap_or_default())];
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    let args = ["apply", "--namespace", namespace, "--filename=-"];
    control_plane.kubectl_with_input(&args, &list.to_string()).map(drop)
}

fn service() -> Value {
    let ports = json!([{"name": "kafka", "port": PORT}]);
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kafka"},
        "spec": {"ports": ports},
    })
}

/// Where the Service leads to: a Service without a selector finds nobody by itself.
fn endpoints(address: &str, port: u16) -> Value {
    json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "kafka", "labels": {"kubernetes.io/service-name": "kafka"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": true}}],
        "ports": [{"name": "kafka", "port": port}],
    })
}
