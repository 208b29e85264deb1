//! The values file as people read it: paths, defaults and the comment above each.

use serde_json::Value;

use super::helm::{chart_file, chart_yaml};

/// A value that can be set.
pub(crate) struct Setting {
    /// Its path, with dots.
    pub(crate) path: String,
    /// Its default as JSON.
    pub(crate) default: String,
    /// What is written above it.
    pub(crate) comment: String,
}

/// Every line of the file that names a value, with the comment above it.
fn described() -> Vec<(String, String)> {
    let (mut path, mut comment, mut found) = (vec![], vec![], vec![]);
    for line in chart_file("values.yaml").lines() {
        let text = line.trim_start();
        if let Some(words) = text.strip_prefix('#') {
            comment.push(words.trim().to_owned());
            continue;
        }
        if let Some((key, _)) = text.split_once(':') {
            path.truncate((line.len() - text.len()) / 2);
            path.push(key.to_owned());
            found.push((path.join("."), comment.join(" ")));
        }
        comment.clear();
    }
    found
}

/// Every value that holds no further ones, in the order of the file.
pub(crate) fn settings() -> Vec<Setting> {
    let values = chart_yaml("values.yaml");
    let described = described().into_iter();
    described
        .filter_map(|(path, comment)| {
            let value = values.pointer(&format!("/{}", path.replace('.', "/"))).unwrap();
            let is_group = value.as_object().is_some_and(|fields| !fields.is_empty());
            (!is_group).then(|| Setting { path, default: value.to_string(), comment })
        })
        .collect()
}

/// What the schema says of a path, references followed.
fn in_schema<'a>(schema: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(schema, |found, key| {
        let field = found.get("properties").and_then(|fields| fields.get(key));
        let field = field.or_else(|| found.get("additionalProperties"))?;
        match field.get("$ref").and_then(Value::as_str) {
            Some(reference) => schema.pointer(reference.strip_prefix('#')?),
            None => Some(field),
        }
    })
}

#[test]
fn every_value_is_explained() {
    for (path, comment) in described() {
        assert!(comment.len() > 3, "values.yaml: nothing is written above {path}");
    }
}

#[test]
fn every_value_is_in_the_schema() {
    let schema: Value = serde_json::from_str(&chart_file("values.schema.json")).unwrap();
    for (path, _) in described() {
        let found = in_schema(&schema, &path);
        assert!(found.is_some_and(Value::is_object), "values.schema.json: {path} is missing");
    }
}

#[test]
fn everything_in_the_schema_has_a_default() {
    let schema: Value = serde_json::from_str(&chart_file("values.schema.json")).unwrap();
    let values = chart_yaml("values.yaml");
    for key in schema["properties"].as_object().unwrap().keys().filter(|key| *key != "global") {
        assert!(values.get(key).is_some(), "values.yaml: {key} is missing");
        let fields = in_schema(&schema, key).unwrap()["properties"].as_object();
        for field in fields.into_iter().flatten().map(|(field, _)| field) {
            let is_there = values[key].get(field).is_some() || key == "affinity";
            assert!(is_there, "values.yaml: {key}.{field} is missing");
        }
    }
}
