//! The `CustomResourceDefinition`: what the derive makes of the types, with what it cannot express added.
//!
//! Pure. The result is also what the offline check walks, so that both give the same answer.

use std::sync::LazyLock;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::{Map, Value, json};

use crate::pipeline::{BatchPipeline, MAX_NAME};

/// Bounds of strings and lists of Kubernetes' own types, which come without: far more than a pod needs, and little
/// enough for CEL's cost estimate and for etcd.
const FOREIGN: [(&str, &str, u32); 3] =
    [("string", "maxLength", 1024), ("array", "maxItems", 64), ("object", "maxProperties", 64)];
/// Blocks of a pod that are Kubernetes' own types.
const FOREIGN_FIELDS: [&str; 3] = ["tolerations", "affinity", "topologySpreadConstraints"];

/// The generated file's first lines.
const HEADER: &str = "# Generated from api/src by `make generate`; changes here are overwritten.\n";

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let definition = serde_json::to_value(BatchPipeline::crd())
        .expect("a definition of plain values is valid JSON");
    let mut schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone();
    complete(&mut schema);
    schema
});

/// The definition as it is installed.
#[expect(
    clippy::missing_panics_doc,
    reason = "without input there is nothing to panic about that a test does not see"
)]
pub fn crd() -> CustomResourceDefinition {
    let mut definition = serde_json::to_value(BatchPipeline::crd())
        .expect("a definition of plain values is valid JSON");
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = schema().clone();
    serde_json::from_value(definition).expect("the definition keeps its shape")
}

/// The definition as the file that the chart holds.
#[expect(
    clippy::missing_panics_doc,
    reason = "without input there is nothing to panic about that a test does not see"
)]
pub fn crd_yaml() -> String {
    let yaml = serde_saphyr::to_string(&crd()).expect("a definition of plain values is valid YAML");
    format!("{HEADER}{yaml}")
}

/// The structural schema of a `BatchPipeline`.
pub fn schema() -> &'static Value {
    &SCHEMA
}

fn complete(schema: &mut Value) {
    tidy(schema);
    schema.as_object_mut().and_then(|root| root.remove("title"));
    // Known to CEL's cost estimate only when it stands in the schema.
    schema["properties"]["metadata"] = json!({"type": "object", "properties": {"name": {"type": "string", "maxLength": MAX_NAME}}});
    for side in ["producer", "consumer"] {
        let pod = &mut schema["properties"]["spec"]["properties"][side]["properties"]["pod"]["properties"];
        for field in FOREIGN_FIELDS {
            bound(&mut pod[field], true);
        }
    }
}

/// A field that is `null` is the same as one that is absent: the API server drops it unless the schema keeps it, and
/// rules that ask for a field with `has` would find it. Line breaks in descriptions are those of our source files.
fn tidy(schema: &mut Value) {
    for_each_object(schema, &mut |object| {
        object.remove("nullable");
        if let Some(Value::String(text)) = object.get_mut("description") {
            *text = text.replace('\n', " ");
        }
    });
}

/// Bounds everything below a field of a foreign type and drops its long descriptions, which `kubectl explain pod.spec`
/// has as well.
fn bound(schema: &mut Value, top: bool) {
    let Some(object) = schema.as_object_mut() else { return };
    if !top {
        object.remove("description");
    }
    for (kind, keyword, most) in FOREIGN {
        let fits = object.get("type").is_some_and(|it| it == kind);
        let has_fields = keyword == "maxProperties" && object.contains_key("properties");
        if fits && !has_fields && !object.contains_key("enum") {
            object.entry(keyword).or_insert_with(|| json!(most));
        }
    }
    for keyword in ["items", "additionalProperties"] {
        if let Some(inner) = object.get_mut(keyword) {
            bound(inner, false);
        }
    }
    for inner in object
        .get_mut("properties")
        .and_then(Value::as_object_mut)
        .into_iter()
        .flat_map(Map::values_mut)
    {
        bound(inner, false);
    }
}

fn for_each_object(value: &mut Value, visit: &mut dyn FnMut(&mut Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            visit(object);
            object.values_mut().for_each(|inner| for_each_object(inner, visit));
        }
        Value::Array(items) => items.iter_mut().for_each(|inner| for_each_object(inner, visit)),
        _ => {}
    }
}
