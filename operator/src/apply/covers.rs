//! Whether a live object has everything that is wanted of it. Pure.
//!
//! What others add (sidecars, annotations, defaults) is left alone, so this is no comparison for equality: maps have to
//! hold every wanted field, but selectors nothing else; lists with a merge key every wanted item; all other lists belong
//! to one writer as a whole.

use serde_json::{Map, Value};

use crate::build::is_same_amount;

/// Lists whose items have a name of their own, and which field that is. As in the schema of Kubernetes.
const KEYED: [(&str, &[&str]); 9] = [
    ("containers", &["name"]),
    ("initContainers", &["name"]),
    ("env", &["name"]),
    ("volumes", &["name"]),
    ("volumeMounts", &["mountPath"]),
    ("imagePullSecrets", &["name"]),
    ("ownerReferences", &["uid"]),
    ("ports", &["containerPort", "port", "protocol"]),
    ("topologySpreadConstraints", &["topologyKey", "whenUnsatisfiable"]),
];
/// Maps that mean something else as soon as they have one more entry: what they select. As in the schema of Kubernetes
/// they belong to one writer as a whole.
const SELECTORS: [&str; 5] =
    ["selector", "podSelector", "namespaceSelector", "labelSelector", "nodeSelector"];
/// A switch whose absence means off, which the API server does not store when it is.
const OFF_WHEN_ABSENT: &str = "paused";
/// Maps of amounts, which the API server writes in its own way: `1000m` is `1`.
const AMOUNTS: [&str; 2] = ["limits", "requests"];

/// The first field of `desired` that `live` does not have as wanted; absent: it has all of them.
pub(super) fn missing(live: &Value, desired: &Value) -> Option<String> {
    match (live, desired) {
        (Value::Object(live), Value::Object(desired)) => {
            desired.iter().find_map(|(name, wanted)| missing_field(live, name, wanted))
        }
        _ => (!same(live, desired)).then(String::new),
    }
}

fn missing_field(live: &Map<String, Value>, name: &str, wanted: &Value) -> Option<String> {
    let here = |is_missing: bool| is_missing.then(|| format!("/{name}"));
    let Some(found) = live.get(name) else {
        let is_off = name == OFF_WHEN_ABSENT && *wanted == false;
        return here(!is_off && !is_empty(wanted));
    };
    if SELECTORS.contains(&name) {
        return here(!same(found, wanted));
    }
    match (found, wanted) {
        (Value::Array(found), Value::Array(wanted)) => match key_of(name) {
            Some(key) => here(!wanted.iter().all(|item| has_item(found, item, key))),
            None => here(!all_same(found, wanted)),
        },
        (Value::Object(found), Value::Object(wanted)) if AMOUNTS.contains(&name) => {
            let is_same = |(name, amount): (&String, &Value)| {
                found.get(name).is_some_and(|it| same_amount(it, amount))
            };
            here(!wanted.iter().all(is_same))
        }
        _ => missing(found, wanted).map(|below| format!("/{name}{below}")),
    }
}

fn key_of(name: &str) -> Option<&'static [&'static str]> {
    KEYED.iter().find(|(list, _)| *list == name).map(|(_, key)| *key)
}

/// Whether the list has an item of this key with everything that is wanted of it.
fn has_item(found: &[Value], wanted: &Value, key: &[&str]) -> bool {
    // The protocol of a port is filled in by the API server.
    let is_same_key = |item: &&Value| {
        key.iter().all(|field| wanted[field].is_null() || item[field] == wanted[field])
    };
    found.iter().filter(is_same_key).any(|item| missing(item, wanted).is_none())
}

/// Equal, but for fields that are absent on one side and empty on the other.
fn same(live: &Value, desired: &Value) -> bool {
    match (live, desired) {
        (Value::Object(live), Value::Object(desired)) => {
            let is_known =
                |(name, value): (&String, &Value)| desired.contains_key(name) || is_empty(value);
            let is_same = |(name, value): (&String, &Value)| match live.get(name) {
                Some(found) => same(found, value),
                None => is_empty(value),
            };
            live.iter().all(is_known) && desired.iter().all(is_same)
        }
        (Value::Array(live), Value::Array(desired)) => all_same(live, desired),
        _ => live == desired,
    }
}

fn all_same(live: &[Value], desired: &[Value]) -> bool {
    live.len() == desired.len()
        && live.iter().zip(desired).all(|(live, desired)| same(live, desired))
}

/// What the API server does not store. `false` is not among it: where it is optional, absent and false are different
/// things, for example whether a token is mounted. A number whose absence means something else than 0 is filled in.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Number(number) => number.as_i64() == Some(0),
        Value::Bool(_) => false,
    }
}

fn same_amount(live: &Value, desired: &Value) -> bool {
    let texts = live.as_str().zip(desired.as_str());
    live == desired || texts.is_some_and(|(live, desired)| is_same_amount(live, desired))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn covers(live: &Value, desired: &Value) -> bool {
        missing(live, desired).is_none()
    }

    /// A Deployment as the builder writes it, and as the API server gives it back.
    fn pair() -> (Value, Value) {
        let desired = json!({
            "metadata": {"name": "a", "labels": {"app": "a"}, "ownerReferences": [{"uid": "u", "controller": true}]},
            "spec": {"replicas": 0, "minReadySeconds": 0, "template": {"spec": {
                "automountServiceAccountToken": false,
                "tolerations": [{"key": "a"}],
                "nodeSelector": {},
                "containers": [{
                    "name": "main", "args": ["run"], "env": [{"name": "A", "value": ""}],
                    "ports": [{"containerPort": 8080}],
                    "resources": {"requests": {"cpu": "1000m", "memory": "1024Mi"}},
                }],
            }}},
        });
        let mut live = desired.clone();
        live["metadata"]["resourceVersion"] = "7".into();
        live["spec"].as_object_mut().unwrap().remove("minReadySeconds");
        live["metadata"]["annotations"] = json!({"deployment.kubernetes.io/revision": "1"});
        let pod = &mut live["spec"]["template"]["spec"];
        pod["dnsPolicy"] = "ClusterFirst".into();
        pod.as_object_mut().unwrap().remove("nodeSelector");
        let container = &mut pod["containers"][0];
        container["env"] = json!([{"name": "A"}]);
        container["ports"][0]["protocol"] = "TCP".into();
        container["resources"]["requests"] = json!({"cpu": "1", "memory": "1Gi"});
        (live, desired)
    }

    fn is_covered_after(change: impl FnOnce(&mut Value)) -> bool {
        let (mut live, desired) = pair();
        assert!(covers(&live, &desired));
        change(&mut live);
        covers(&live, &desired)
    }

    #[test]
    fn what_the_api_server_fills_in_or_writes_differently_is_no_difference() {
        let (live, desired) = pair();
        assert!(covers(&live, &desired));
    }

    #[test]
    fn what_others_add_is_left_alone() {
        assert!(is_covered_after(|live| {
            let pod = &mut live["spec"]["template"]["spec"];
            pod["containers"].as_array_mut().unwrap().insert(0, json!({"name": "sidecar"}));
            pod["volumes"] = json!([{"name": "theirs"}]);
            pod["containers"][1]["env"].as_array_mut().unwrap().push(json!({"name": "B"}));
            live["metadata"]["labels"]["team"] = "x".into();
            live["metadata"]["ownerReferences"].as_array_mut().unwrap().push(json!({"uid": "v"}));
        }));
    }

    #[test]
    fn every_wanted_field_that_was_changed_is_seen() {
        for (path, value) in [
            ("/spec/replicas", json!(3)),
            ("/metadata/labels/app", json!("b")),
            ("/metadata/ownerReferences/0/controller", json!(false)),
            ("/spec/template/spec/automountServiceAccountToken", json!(true)),
            ("/spec/template/spec/containers/0/args", json!(["run", "--evil"])),
            ("/spec/template/spec/containers/0/env/0/value", json!("x")),
            ("/spec/template/spec/containers/0/ports/0/containerPort", json!(81)),
            ("/spec/template/spec/containers/0/resources/requests/cpu", json!("2")),
            ("/spec/template/spec/tolerations", json!([{"key": "a"}, {"key": "b"}])),
            ("/spec/template/spec/tolerations/0", json!({"key": "a", "effect": "NoExecute"})),
        ] {
            let seen = !is_covered_after(|live| {
                if live.pointer(path).is_none() {
                    live["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] = value;
                } else {
                    *live.pointer_mut(path).unwrap() = value;
                }
            });
            assert!(seen, "{path}");
        }
    }

    #[test]
    fn a_false_that_was_removed_is_seen() {
        assert!(!is_covered_after(|live| {
            let pod = live["spec"]["template"]["spec"].as_object_mut().unwrap();
            pod.remove("automountServiceAccountToken");
        }));
    }

    #[test]
    fn a_selector_that_was_narrowed_is_seen() {
        for (path, more) in [
            ("/spec/podSelector/matchLabels", json!({"app": "a", "more": "b"})),
            (
                "/spec/podSelector",
                json!({"matchExpressions": [{"key": "a", "operator": "Exists"}]}),
            ),
            ("/spec/selector", json!({"app": "a", "more": "b"})),
        ] {
            let desired = json!({"spec": {
                "podSelector": {"matchLabels": {"app": "a"}}, "selector": {"app": "a"},
            }});
            let mut live = desired.clone();
            live.pointer_mut(path)
                .unwrap()
                .as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            assert!(!covers(&live, &desired), "{path}");
        }
        let everything = json!({"spec": {"podSelector": {}}});
        assert!(covers(&everything, &json!({"spec": {"podSelector": {"matchLabels": {}}}})));
    }

    #[test]
    fn what_stops_or_hijacks_what_was_made_is_seen_and_its_absence_is_not() {
        let desired = json!({"paused": false, "command": []});
        assert!(covers(&json!({}), &desired));
        assert!(!covers(&json!({"paused": true}), &desired));
        assert!(!covers(&json!({"command": ["sleep"]}), &desired));
    }

    #[test]
    fn a_port_that_was_added_to_a_policy_is_seen() {
        let desired =
            json!({"spec": {"ingress": [{"ports": [{"port": 8080, "protocol": "TCP"}]}]}});
        let mut live = desired.clone();
        live["spec"]["ingress"][0]["ports"].as_array_mut().unwrap().push(json!({"port": 22}));
        assert!(!covers(&live, &desired));
    }
}
