//! Strimzi's own manifests, changed (pure) for images that are on the node and for pods under Pod Security `restricted`.

use serde_json::{Value, json};

use super::sources::{KAFKA, OPERATOR};

/// Where the Cluster Operator runs: not where Kafka does, for its own pod is not restricted.
pub(super) const NAMESPACE: &str = "strimzi";

/// What is to be applied to have `watched` looked after, from a List of what Strimzi's files have.
pub(super) fn adapted(list: &Value, watched: &str) -> Value {
    let items = list["items"].as_array().map_or(&[][..], Vec::as_slice);
    let mut adapted: Vec<Value> = Vec::new();
    for item in items {
        let mut item = item.clone();
        if item["kind"] == "Deployment" {
            deployment(&mut item, watched);
        }
        for subject in item["subjects"].as_array_mut().into_iter().flatten() {
            subject["namespace"] = NAMESPACE.into();
        }
        if item["kind"] == "RoleBinding" {
            // It acts in its own namespace and in the one that it looks after.
            let mut there = item.clone();
            there["metadata"]["namespace"] = watched.into();
            adapted.push(there);
        }
        adapted.push(item);
    }
    json!({"apiVersion": "v1", "kind": "List", "items": adapted})
}

fn deployment(item: &mut Value, watched: &str) {
    let container = &mut item["spec"]["template"]["spec"]["containers"][0];
    container["image"] = OPERATOR.into();
    let Some(variables) = container["env"].as_array_mut() else { return };
    for variable in &mut *variables {
        if variable["name"] == "STRIMZI_NAMESPACE" {
            *variable = json!({"name": "STRIMZI_NAMESPACE", "value": watched});
        } else if let Some(text) = variable["value"].as_str() {
            variable["value"] = images(text).into();
        }
    }
    variables.push(json!({"name": "STRIMZI_POD_SECURITY_PROVIDER_CLASS", "value": "restricted"}));
}

/// A text with an image in each line, behind a version or alone, that names ours.
fn images(text: &str) -> String {
    let ours = |line: &str| {
        let (version, image) = match line.split_once('=') {
            Some((version, image)) => (format!("{version}="), image),
            None => (String::new(), line),
        };
        let own = match image {
            it if it.contains("/strimzi/operator:") => OPERATOR,
            it if it.contains("/strimzi/kafka:") => KAFKA,
            other => other,
        };
        version + own
    };
    text.split('\n').map(ours).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapted_one(item: &Value) -> Vec<Value> {
        adapted(&json!({"items": [item]}), "here")["items"].as_array().unwrap().clone()
    }

    #[test]
    fn images_are_ours_whatever_version_they_stand_behind() {
        let text = "4.3.0=quay.io/strimzi/kafka:1.2.0-kafka-4.3.0\n4.3.1=quay.io/strimzi/kafka:x\n";
        assert_eq!(images(text), format!("4.3.0={KAFKA}\n4.3.1={KAFKA}\n"));
        assert_eq!(images("quay.io/strimzi/operator:latest"), OPERATOR);
        assert_eq!(images("300000"), "300000");
    }

    #[test]
    fn the_operator_is_told_whom_to_look_after() {
        let from = json!({"fieldRef": {"fieldPath": "metadata.namespace"}});
        let env =
            json!([{"name": "STRIMZI_NAMESPACE", "valueFrom": from}, {"name": "A", "value": "1"}]);
        let containers = json!([{"image": "quay.io/strimzi/operator:latest", "env": env}]);
        let spec = json!({"template": {"spec": {"containers": containers}}});
        let adapted = adapted_one(&json!({"kind": "Deployment", "spec": spec}));
        let container = &adapted[0]["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(container["image"], OPERATOR);
        assert_eq!(container["env"][0], json!({"name": "STRIMZI_NAMESPACE", "value": "here"}));
        assert_eq!(container["env"][2]["value"], "restricted");
    }

    #[test]
    fn roles_are_bound_in_both_namespaces() {
        let subjects = json!([{"kind": "ServiceAccount", "name": "op", "namespace": "myproject"}]);
        let metadata = json!({"name": "op", "namespace": NAMESPACE});
        let adapted = adapted_one(
            &json!({"kind": "RoleBinding", "metadata": metadata, "subjects": subjects}),
        );
        let places: Vec<_> = adapted.iter().map(|it| &it["metadata"]["namespace"]).collect();
        assert_eq!(places, ["here", NAMESPACE]);
        assert!(adapted.iter().all(|it| it["subjects"][0]["namespace"] == NAMESPACE));
    }
}
