//! Rules that a cluster adds to those of Kubernetes: what they refuse costs nobody anything, and says why.

use serde_json::{Value, json};

use crate::support::{Namespace, Operator, cluster, wait_for};

/// A rule about the Deployments of a namespace, until the test ends.
struct Policy<'a> {
    namespace: Namespace<'a>,
}

impl<'a> Policy<'a> {
    /// Refuses what this expression is false of. Returns when the rule holds, which it is not made to at once: then this
    /// is refused.
    fn new(namespace: Namespace<'a>, operation: &str, expression: &str, refused: &[&str]) -> Self {
        let name = namespace.name;
        let rule = json!({"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": [operation],
            "resources": ["deployments"]});
        let api = "admissionregistration.k8s.io/v1";
        let policy = json!({"apiVersion": api, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name},
            "spec": {"failurePolicy": "Fail", "matchConstraints": {"resourceRules": [rule]},
                "validations": [{"expression": expression}]}});
        let here =
            json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}});
        let binding = json!({"apiVersion": api, "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": name}, "spec": {"policyName": name, "validationActions": ["Deny"],
                "matchResources": here}});
        for object in [policy, binding] {
            let args = ["apply", "-f", "-"];
            namespace.cluster.kubectl_with_input(&args, &object.to_string()).unwrap();
        }
        let args = [refused, &["--dry-run=server"]].concat();
        wait_for("the rule", || namespace.try_kubectl(&args).is_err().then_some(()));
        Self { namespace }
    }
}

impl Drop for Policy<'_> {
    fn drop(&mut self) {
        for kind in ["validatingadmissionpolicybinding", "validatingadmissionpolicy"] {
            let args = ["delete", "--ignore-not-found", kind, self.namespace.name];
            let _ = self.namespace.cluster.kubectl(&args);
        }
    }
}

/// The images of the producer's containers, in the order of their names.
fn images(namespace: Namespace<'_>) -> Vec<Value> {
    let pod = namespace.get("deployment/demo-producer")["spec"]["template"]["spec"].clone();
    let mut containers = pod["containers"].as_array().unwrap().clone();
    containers.sort_by_key(|it| it["name"].to_string());
    containers.into_iter().map(|mut it| it["image"].take()).collect()
}

fn add_sidecar(namespace: Namespace<'_>) {
    let sidecar = json!([{"name": "sidecar", "image": "side:1"}]);
    let patch = json!({"spec": {"template": {"spec": {"containers": sidecar}}}}).to_string();
    let args = ["patch", "deployment/demo-producer", "--type=strategic", "--patch", &patch];
    namespace.kubectl(&args);
}

#[test]
fn a_change_that_a_rule_refuses_costs_nobody_their_sidecar_and_stops_what_is_to_stop() {
    let namespace = Namespace::new(cluster(), "frozen");
    let operator = Operator::start(namespace);
    namespace.pipeline("demo", "  image: example.com/batchpipe:one");
    namespace.await_children("demo");
    add_sidecar(namespace);
    // Looked at as it is, the trial of the new template passes.
    let expression =
        "object.spec.template.spec.containers.all(it, it.image != 'example.com/batchpipe:two')";
    let refused =
        ["set", "image", "deployment/demo-producer", "batchpipe=example.com/batchpipe:two"];
    let policy = Policy::new(namespace, "UPDATE", expression, &refused);
    namespace.pipeline("demo", "  image: example.com/batchpipe:two");
    let message = namespace.await_reason("demo", "Stalled", "ApiError");
    assert!(message.contains("denied request"), "{message}");
    assert_eq!(images(namespace), ["example.com/batchpipe:one", "side:1"]);
    // To stop pods needs no new template.
    namespace.pipeline("demo", "  image: example.com/batchpipe:two\n  state: Paused");
    for side in ["producer", "consumer"] {
        let replicas =
            || namespace.get(&format!("deployment/demo-{side}"))["spec"]["replicas"].clone();
        wait_for(&format!("no {side}"), || (replicas() == 0).then_some(()));
    }
    assert_eq!(images(namespace), ["example.com/batchpipe:one", "side:1"]);
    drop(policy);
    namespace.pipeline("demo", "  image: example.com/batchpipe:two");
    wait_for("the new image", || {
        (images(namespace)[0] == "example.com/batchpipe:two").then_some(())
    });
    assert_eq!(images(namespace)[1], "side:1");
    operator.stop();
}

#[test]
fn a_rule_for_names_that_the_pipelines_fit_is_no_obstacle() {
    let namespace = Namespace::new(cluster(), "named");
    let expression = "object.metadata.name.startsWith('demo-')";
    let refused = ["create", "deployment", "another", "--image=x"];
    let policy = Policy::new(namespace, "CREATE", expression, &refused);
    let operator = Operator::start(namespace);
    namespace.pipeline("demo", "");
    namespace.await_children("demo");
    // Now the names are taken.
    namespace.pipeline("demo", "  image: example.com/batchpipe:two");
    wait_for("the new image", || {
        (images(namespace) == ["example.com/batchpipe:two"]).then_some(())
    });
    operator.stop();
    drop(policy);
}
