//! What is there at the end of a plan, without all that differs from run to run.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::support::Place;

/// What may be there.
const KINDS: [&str; 6] = [
    "deployments",
    "serviceaccounts",
    "services",
    "poddisruptionbudgets",
    "networkpolicies",
    "kafkatopics",
];
/// Annotations that count how often something was done before this plan, or that hold a uid.
const PASSING: [&str; 3] =
    ["deployment.kubernetes.io/revision", "batchpipe.dev/applied", "batchpipe.dev/pipeline-uid"];

/// What is there, by kind and name.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Snapshot(pub(super) BTreeMap<String, Thing>);

/// One object.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Thing {
    pub(super) uid: String,
    pub(super) generation: i64,
    pub(super) essence: String,
}

impl Snapshot {
    pub(super) fn of(place: &Place) -> Self {
        let pipelines = place.list("batchpipelines");
        let uids: Vec<_> = pipelines.iter().map(|it| it["metadata"]["uid"].clone()).collect();
        let is_ours = |it: &Value| {
            let name = it["metadata"]["name"].as_str().unwrap_or_default();
            name.starts_with("demo") || name.starts_with("other")
        };
        let mut things = BTreeMap::new();
        for pipeline in pipelines {
            things.insert(key("batchpipelines", &pipeline), thing(pipeline, essence_of_pipeline));
        }
        for kind in KINDS {
            for child in place.list(kind).into_iter().filter(is_ours) {
                let mut thing = thing(child.clone(), essence_of_child);
                for uid in uids.iter().filter_map(Value::as_str) {
                    thing.essence = thing.essence.replace(uid, "UID");
                }
                thing.essence = thing.essence.replace(&place.namespace, "NAMESPACE");
                things.insert(key(kind, &child), thing);
            }
        }
        Self(things)
    }

    /// What it is made of, a line each.
    pub(super) fn essence(&self) -> String {
        let lines = self.0.iter().map(|(key, thing)| format!("{key} {}", thing.essence));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// What became of each object since `before`: how often its spec was changed, or that it is another one now.
    pub(super) fn since(&self, before: &Self) -> BTreeMap<String, String> {
        let became = |(key, thing): (&String, &Thing)| {
            let text = match before.0.get(key) {
                Some(old) if old.uid == thing.uid => {
                    format!("changed {} times", thing.generation - old.generation)
                }
                Some(_) => format!("made anew, changed {} times", thing.generation),
                None => format!("made, changed {} times", thing.generation),
            };
            (key.clone(), text)
        };
        self.0.iter().map(became).collect()
    }
}

fn key(kind: &str, object: &Value) -> String {
    format!("{kind}/{}", object["metadata"]["name"].as_str().unwrap_or_default())
}

fn thing(object: Value, essence: fn(Value) -> Value) -> Thing {
    let metadata = &object["metadata"];
    Thing {
        uid: metadata["uid"].as_str().unwrap_or_default().to_owned(),
        generation: metadata["generation"].as_i64().unwrap_or_default(),
        essence: essence(object).to_string(),
    }
}

fn essence_of_child(mut object: Value) -> Value {
    let fields = object.as_object_mut().unwrap();
    fields.remove("status");
    // Given by the API server, one after the other.
    fields.get_mut("spec").and_then(Value::as_object_mut).map(|spec| spec.remove("clusterIP"));
    fields.get_mut("spec").and_then(Value::as_object_mut).map(|spec| spec.remove("clusterIPs"));
    let metadata = fields["metadata"].as_object_mut().unwrap();
    metadata.retain(|field, _| {
        ["name", "labels", "annotations", "ownerReferences"].contains(&field.as_str())
    });
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.retain(|name, _| !PASSING.contains(&name.as_str()));
    }
    object
}

/// The status without times, messages and numbers of the data; generations as whether they are the newest.
fn essence_of_pipeline(object: Value) -> Value {
    let generation = object["metadata"]["generation"].clone();
    let mut status = object["status"].as_object().cloned().unwrap_or_default();
    status.remove("data");
    is_newest(&mut status, &generation);
    for condition in
        status.get_mut("conditions").and_then(Value::as_array_mut).into_iter().flatten()
    {
        let condition = condition.as_object_mut().unwrap();
        condition.retain(|field, _| !["message", "lastTransitionTime"].contains(&field.as_str()));
        is_newest(condition, &generation);
    }
    if let Some(draining) = status.get_mut("draining").and_then(Value::as_object_mut) {
        draining.remove("since");
    }
    Value::Object(status)
}

fn is_newest(fields: &mut Map<String, Value>, generation: &Value) {
    if let Some(observed) = fields.get_mut("observedGeneration") {
        *observed = (observed == generation).into();
    }
}
