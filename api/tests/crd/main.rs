//! The definition that is installed: committed, small, bounded, and telling the truth about defaults.

#![expect(clippy::unwrap_used, reason = "the helpers of tests fail like tests do")]

mod fields;

use std::{
    fs,
    path::{Path, PathBuf},
};

use batchpipe_api::{
    schema::{crd, crd_yaml, schema},
    spec::{
        batch::Batch, compression::Compression, consumer::Limits, sink::Roll, source::Generator,
        topic::Topic,
    },
};
use serde_json::Value;

fn committed() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../charts/batchpipe/crds/batchpipelines.yaml")
}

#[test]
fn the_committed_definition_is_the_generated_one() {
    compare(&committed(), &crd_yaml());
}

/// A committed file is what is generated from the types; `BLESS=1` writes it anew.
fn compare(committed: &Path, generated: &str) {
    if std::env::var_os("BLESS").is_some() {
        fs::create_dir_all(committed.parent().unwrap()).unwrap();
        fs::write(committed, generated).unwrap();
    }
    let found = fs::read_to_string(committed).unwrap_or_default();
    assert!(
        found == generated,
        "{} is not what the types say; run `make generate`",
        committed.display()
    );
}

#[test]
fn the_definition_stays_small() {
    assert!(crd_yaml().len() < 200_000, "{} bytes", crd_yaml().len());
    assert!(serde_json::to_string(&crd()).unwrap().len() < 200_000);
}

#[test]
fn names_columns_and_subresources_are_as_promised() {
    let crd = crd();
    assert_eq!(crd.metadata.name.as_deref(), Some("batchpipelines.batchpipe.dev"));
    assert_eq!(crd.spec.names.short_names, Some(vec!["bp".to_owned()]));
    assert_eq!(crd.spec.names.categories, Some(vec!["batchpipe".to_owned()]));
    let version = &crd.spec.versions[0];
    let columns: Vec<(String, i32)> = version
        .additional_printer_columns
        .iter()
        .flatten()
        .map(|column| (column.name.to_uppercase(), column.priority.unwrap_or(0)))
        .collect();
    let always = ["READY", "PHASE", "PRODUCERS", "CONSUMERS", "RATE", "RATIO", "LAG", "DLQ", "AGE"]
        .map(|it| (it.to_owned(), 0));
    let wide = ["TOPIC", "CODEC", "MESSAGE"].map(|it| (it.to_owned(), 1));
    assert_eq!(columns, [always.as_slice(), wide.as_slice()].concat());
    let subresources = version.subresources.as_ref().unwrap();
    assert!(subresources.status.is_some());
    assert_eq!(subresources.scale.as_ref().unwrap().spec_replicas_path, ".spec.consumer.replicas");
}

/// Visits every node of the schema that describes a value, with its path.
fn visit(node: &Value, path: &str, work: &mut dyn FnMut(&Value, &str)) {
    work(node, path);
    for (name, field) in node["properties"].as_object().into_iter().flatten() {
        visit(field, &format!("{path}.{name}"), work);
    }
    for (keyword, step) in [("items", "[]"), ("additionalProperties", ".*")] {
        if node[keyword].is_object() {
            visit(&node[keyword], &format!("{path}{step}"), work);
        }
    }
}

fn spec() -> &'static Value {
    &schema()["properties"]["spec"]
}

#[test]
fn every_text_list_and_map_is_bounded() {
    let mut unbounded = Vec::new();
    visit(spec(), "spec", &mut |node, path| {
        let has = |keyword: &str| node.get(keyword).is_some();
        let is_bounded = match node["type"].as_str() {
            Some("string") => has("maxLength") || has("enum"),
            Some("array") => has("maxItems"),
            Some("object") => {
                has("properties") || has("maxProperties") || !has("additionalProperties")
            }
            None => node["x-kubernetes-int-or-string"] == true && has("maxLength"),
            _ => true,
        };
        if !is_bounded {
            unbounded.push(path.to_owned());
        }
    });
    assert!(unbounded.is_empty(), "{unbounded:#?}");
}

#[test]
fn numbers_are_whole_and_bounded() {
    let mut wrong = Vec::new();
    visit(spec(), "spec", &mut |node, path| {
        let is_ours = !["tolerations", "affinity", "topologySpreadConstraints"]
            .iter()
            .any(|it| path.contains(it));
        let is_bounded = node.get("minimum").is_some() && node.get("maximum").is_some();
        if node["type"] == "number" || (node["type"] == "integer" && is_ours && !is_bounded) {
            wrong.push(path.to_owned());
        }
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
    for format in ["uint", "double", "float"] {
        assert!(
            !crd_yaml().contains(&format!("format: {format}")),
            "{format} is unknown to API servers"
        );
    }
}

#[test]
fn every_field_of_ours_is_explained() {
    let mut silent = Vec::new();
    visit(spec(), "spec", &mut |node, path| {
        let is_ours = !["tolerations", "affinity", "topologySpreadConstraints"]
            .iter()
            .any(|it| path.contains(it));
        let is_field = !path.ends_with('*') && !path.ends_with("[]");
        if is_ours && is_field && node.get("description").is_none() {
            silent.push(path.to_owned());
        }
    });
    assert!(silent.is_empty(), "{silent:#?}");
}

#[test]
fn what_kubectl_explains_as_a_default_is_the_default() {
    let mut untold = Vec::new();
    visit(spec(), "spec", &mut |node, path| {
        let text = node["description"].as_str().unwrap_or_default();
        let value = match &node["default"] {
            Value::String(value) if !value.is_empty() => value.clone(),
            Value::Number(value) => value.to_string(),
            Value::Bool(value) => value.to_string(),
            _ => return,
        };
        let is_told = [
            format!("default {value}"),
            format!("{value} (default)"),
            format!("{value} (default):"),
        ]
        .iter()
        .any(|words| text.contains(words.as_str()));
        if !is_told {
            untold.push(format!("{path}: default {value}, but it says {text:?}"));
        }
    });
    assert!(untold.is_empty(), "{untold:#?}");
}

#[test]
fn the_schemas_defaults_are_the_types_defaults() {
    fn defaults(path: &[&str]) -> Value {
        let node = path.iter().fold(spec(), |node, name| &node["properties"][*name]);
        let fields = node["properties"].as_object().unwrap().iter();
        fields
            .filter_map(|(name, field)| Some((name.clone(), field.get("default")?.clone())))
            .collect()
    }
    fn of<T: serde::Serialize>(value: &T) -> Value {
        serde_json::to_value(value).unwrap()
    }
    assert_eq!(defaults(&["batch"]), of(&Batch::default()));
    assert_eq!(defaults(&["compression"]), of(&Compression::default()));
    assert_eq!(defaults(&["topic"]), of(&Topic::default()));
    assert_eq!(defaults(&["consumer", "limits"]), of(&Limits::default()));
    assert_eq!(defaults(&["consumer", "sink", "file", "roll"]), of(&Roll::default()));
    assert_eq!(defaults(&["producer", "source", "generator"]), of(&Generator::default()));
}
