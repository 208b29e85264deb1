//! The testbed's node: our own image runs on it under Pod Security `restricted`, reaches a broker on this machine,
//! and is reached from here, by names and by addresses.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use batchpipe_testbed::{
    Image, Kafka, Node, node_hindrance, shared_node, workload_image, workspace_program,
};
use serde_json::{Value, json};

const TOPIC: &str = "telemetry";

/// A node, a broker for its pods, and two producers in a namespace.
struct Bed {
    node: &'static Node,
    kafka: Kafka,
    image: Image,
}

/// None where no node can run, which is said.
fn bed() -> Option<&'static Bed> {
    static BED: OnceLock<Bed> = OnceLock::new();
    if let Some(reason) = node_hindrance() {
        eprintln!("left out: {reason}");
        return None;
    }
    Some(BED.get_or_init(|| {
        let node = shared_node().unwrap();
        let kafka = Kafka::builder().listener_for_pods(node.host_address()).start().unwrap();
        let binary = workspace_program("batchpipe").unwrap();
        let image = workload_image(&binary).unwrap();
        node.import(&image).unwrap();
        let bed = Bed { node, kafka, image };
        bed.namespace("producing");
        bed.apply("producing", &bed.producers());
        bed
    }))
}

impl Bed {
    /// A namespace whose pods may do next to nothing.
    fn namespace(&self, name: &str) {
        let labels = json!({"pod-security.kubernetes.io/enforce": "restricted"});
        let metadata = json!({"name": name, "labels": labels});
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata});
        self.apply("", &object);
    }

    fn apply(&self, namespace: &str, object: &Value) {
        let args = ["apply", "--namespace", namespace, "--filename=-"];
        let control_plane = self.node.control_plane();
        control_plane.kubectl_with_input(&args, &object.to_string()).unwrap();
    }

    /// Two replicas that send telemetry for ever.
    fn producers(&self) -> Value {
        let variables = json!([
            {"name": "BATCHPIPE_PIPELINE", "value": self.pipeline()},
            {"name": "BATCHPIPE_STAY", "value": "1"},
        ]);
        let container = json!({
            "name": "producer",
            "image": self.image.name(),
            "args": ["produce", "--admin", "0.0.0.0:8080"],
            "env": variables,
            "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8080}, "periodSeconds": 1},
            "resources": {"limits": {"memory": "256Mi"}},
        });
        deployment("producer", 2, container)
    }

    fn pipeline(&self) -> String {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/telemetry.yaml");
        let text = fs::read_to_string(file).unwrap();
        text.replace("kafka:9093", &self.kafka.bootstrap_servers_for_pods().unwrap())
    }

    fn await_ready(&self, namespace: &str, deployment: &str) {
        let name = format!("deployment/{deployment}");
        let args = ["rollout", "status", "--namespace", namespace, "--timeout=120s", &name];
        self.node.kubectl(&args).unwrap();
    }

    /// A producer, by its pod's name and address.
    fn producer(&self) -> (String, String) {
        self.await_ready("producing", "producer");
        let path = "jsonpath={.items[0].metadata.name} {.items[0].status.podIP}";
        let pod = self.kubectl(&["get", "pods", "--output", path]);
        let (name, address) = pod.split_once(' ').unwrap();
        (name.to_owned(), address.to_owned())
    }

    /// `kubectl` in the producers' namespace.
    fn kubectl(&self, args: &[&str]) -> String {
        self.node.kubectl(&[&["--namespace", "producing"], args].concat()).unwrap()
    }

    /// Another Deployment, of pods that do nothing, in a namespace of its own.
    fn idle(&self, namespace: &str) {
        self.namespace(namespace);
        let container = json!({"name": "idle", "image": "batchpipe.local/pause:1"});
        self.apply(namespace, &deployment("idle", 1, container));
        self.await_ready(namespace, "idle");
    }
}

/// A Deployment that Pod Security `restricted` admits.
fn deployment(name: &str, replicas: u32, mut container: Value) -> Value {
    container["securityContext"] = json!({
        "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": true,
    });
    let pod = json!({
        "automountServiceAccountToken": false,
        "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
        "terminationGracePeriodSeconds": 5,
        "containers": [container],
    });
    let labels = json!({"app": name});
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    })
}

/// Waits up to a minute.
fn soon(mut is_so: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_mins(1);
    while Instant::now() < deadline {
        if is_so() {
            return true;
        }
        thread::sleep(Duration::from_millis(100));
    }
    false
}

/// What a server answers to a plain request.
fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: pod\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

fn role(report: &str) -> Value {
    serde_json::from_str::<Value>(report).unwrap()["role"].clone()
}

#[test]
fn our_image_becomes_ready_under_restricted_pod_security() {
    let Some(bed) = bed() else { return };
    bed.await_ready("producing", "producer");
    let ready = bed.kubectl(&["get", "deployment", "producer", "-o=jsonpath={.status}"]);
    let ready: Value = serde_json::from_str(&ready).unwrap();
    assert_eq!((&ready["readyReplicas"], &ready["replicas"]), (&json!(2), &json!(2)));
}

#[test]
fn what_pods_send_arrives_at_a_broker_of_this_machine() {
    let Some(bed) = bed() else { return };
    let count = || bed.kafka.end_offsets(TOPIC).map(|ends| ends.iter().sum::<i64>());
    assert!(soon(|| count().is_ok_and(|messages| messages > 10)));
}

#[test]
fn a_report_is_read_at_the_pods_address_and_through_the_api_server() {
    let Some(bed) = bed() else { return };
    let (pod, address) = bed.producer();
    assert_eq!(role(&get(&format!("{address}:8080"), "/status")), "producer");
    let path = format!("/api/v1/namespaces/producing/pods/{pod}:8080/proxy/status");
    assert_eq!(role(&bed.kubectl(&["get", "--raw", &path])), "producer");
}

#[test]
fn logs_are_read_and_programs_are_run_in_a_pod() {
    let Some(bed) = bed() else { return };
    let (pod, _) = bed.producer();
    assert!(!bed.kubectl(&["logs", &pod]).is_empty());
    let printed = bed.kubectl(&["exec", &pod, "--", "batchpipe", "--version"]);
    assert!(printed.starts_with("batchpipe "), "{printed}");
}

#[test]
fn a_service_is_found_by_its_name_and_leads_out_of_the_node() {
    let Some(bed) = bed() else { return };
    let servers = bed.kafka.bootstrap_servers_for_pods().unwrap();
    let (host, port) = servers.split_once(':').unwrap();
    let port: u16 = port.parse().unwrap();
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "broker"},
        "spec": {"ports": [{"name": "kafka", "port": 9093}]},
    });
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "broker", "labels": {"kubernetes.io/service-name": "broker"}},
        "addressType": "IPv4",
        "ports": [{"name": "kafka", "port": port}],
        "endpoints": [{"addresses": [host]}],
    });
    bed.apply("producing", &service);
    bed.apply("producing", &slice);
    let (pod, _) = bed.producer();
    let tap = ["batchpipe", "tap", "--brokers", "broker.producing.svc.cluster.local:9093"];
    let rest = ["--topic", TOPIC, "--limit", "1"];
    let record = bed.kubectl(&[&["exec", &pod, "--"], &tap[..], &rest].concat());
    assert!(record.starts_with('{'), "{record}");
}

#[test]
fn a_service_is_reached_from_this_machine() {
    let Some(bed) = bed() else { return };
    bed.await_ready("producing", "producer");
    bed.kubectl(&["expose", "deployment", "producer", "--port=80", "--target-port=8080"]);
    let path = "jsonpath={.spec.clusterIP}:80";
    let address = bed.kubectl(&["get", "service", "producer", "--output", path]);
    assert!(soon(|| TcpStream::connect(&address).is_ok()));
    assert_eq!(role(&get(&address, "/status")), "producer");
}

#[test]
fn pods_come_and_go_as_a_deployment_is_scaled() {
    let Some(bed) = bed() else { return };
    bed.idle("scaling");
    let kubectl = |args: &[&str]| bed.node.kubectl(&[&["-n", "scaling"], args].concat()).unwrap();
    let pods = || kubectl(&["get", "pods", "--output=name"]).lines().count();
    kubectl(&["scale", "deployment/idle", "--replicas=3"]);
    bed.await_ready("scaling", "idle");
    assert_eq!(pods(), 3);
    kubectl(&["scale", "deployment/idle", "--replicas=0"]);
    assert!(soon(|| pods() == 0));
}

#[test]
fn a_pod_that_asks_for_too_much_is_refused() {
    let Some(bed) = bed() else { return };
    bed.namespace("refusing");
    let run = ["run", "root", "--namespace=refusing", "--image=batchpipe.local/pause:1"];
    let error = bed.node.kubectl(&run).unwrap_err().to_string();
    assert!(error.contains("violates PodSecurity"), "{error}");
}
