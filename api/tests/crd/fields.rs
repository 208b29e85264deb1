//! The page of all fields, written from the schema that is installed.

use std::{fmt::Write as _, path::Path};

use batchpipe_api::schema::schema;
use serde_json::Value;

use super::compare;

const INTRODUCTION: &str = "\
# Fields of a BatchPipeline

Written from the types by `make generate`, not by hand: `kubectl explain bp.spec` says the same, and the API server and
`batchpipe validate` refuse what is outside of these bounds, and what breaks a rule between fields, with the field's path.
Of `affinity`, `tolerations` and `topologySpreadConstraints` only the names are here: what is in them is Kubernetes' own.
How the parts work together is told [for Kubernetes](kubernetes.md) and [for operations](operations.md); what is there to be
read in [examples](../examples/).
";

/// Parts of `spec` that are told apart.
const PARTS: [&str; 7] = ["", "kafka", "topic", "batch", "compression", "producer", "consumer"];

fn page() -> String {
    let schema = schema();
    let spec = &schema["properties"]["spec"];
    let mut page = INTRODUCTION.to_owned();
    for part in PARTS {
        let title = if part.is_empty() { "spec".to_owned() } else { format!("spec.{part}") };
        let mut rows = Vec::new();
        if part.is_empty() {
            let fields = spec["properties"].as_object().unwrap();
            for (name, field) in fields.iter().filter(|(name, _)| !PARTS.contains(&name.as_str())) {
                describe(field, name, is_required(spec, name), &mut rows);
            }
        } else {
            let node = &spec["properties"][part];
            let about = cell(node["description"].as_str().unwrap_or_default());
            write!(page, "\n## `{title}`\n\n{about}\n").unwrap();
            walk(node, "", &mut rows);
        }
        if part.is_empty() {
            write!(page, "\n## `{title}`\n").unwrap();
        }
        table(&rows, &mut page);
    }
    let mut rows = Vec::new();
    walk(&schema["properties"]["status"], "", &mut rows);
    page.push_str("\n## `status`\n\nWhat the operator has seen; it is never read back but for what is said of it here.\n");
    table(&rows, &mut page);
    page
}

fn table(rows: &[[String; 4]], page: &mut String) {
    page.push_str("\n| field | type | default | means |\n|---|---|---|---|\n");
    for [field, kind, default, means] in rows {
        writeln!(page, "| `{field}` | {kind} | {default} | {means} |").unwrap();
    }
}

fn is_required(parent: &Value, name: &str) -> bool {
    parent["required"].as_array().is_some_and(|all| all.iter().any(|it| it == name))
}

/// All fields of a node.
fn walk(node: &Value, path: &str, rows: &mut Vec<[String; 4]>) {
    for (name, field) in node["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        describe(field, &path, is_required(node, name), rows);
    }
}

/// One field, and those in it.
fn describe(field: &Value, path: &str, is_required: bool, rows: &mut Vec<[String; 4]>) {
    let default = match &field["default"] {
        Value::Null if is_required => "required".to_owned(),
        // What is in an object is told of its fields.
        Value::Null | Value::Object(_) => String::new(),
        Value::String(text) if text.is_empty() => "empty".to_owned(),
        Value::String(text) => format!("`{text}`"),
        other => format!("`{other}`"),
    };
    // What is in types of Kubernetes' own is told by Kubernetes.
    let Some(means) = field["description"].as_str().map(cell) else { return };
    rows.push([path.to_owned(), kind(field), default, means]);
    walk(field, path, rows);
    walk(&field["items"], &format!("{path}[]"), rows);
    walk(&field["additionalProperties"], &format!("{path}.*"), rows);
}

/// The type, with its bounds.
fn kind(field: &Value) -> String {
    if let Some(all) = field["enum"].as_array() {
        let names = all.iter().filter_map(|it| Some(format!("`{}`", it.as_str()?)));
        return names.collect::<Vec<_>>().join(", ");
    }
    let bound = |least: &str, most: &str, unit: &str| {
        let number = |name: &str| field[name].as_f64();
        match (number(least), number(most)) {
            (Some(least), Some(most)) => format!(", {least} to {most}{unit}"),
            (Some(least), None) => format!(", at least {least}{unit}"),
            (None, Some(most)) => format!(", at most {most}{unit}"),
            (None, None) => String::new(),
        }
    };
    if field["x-kubernetes-int-or-string"] == true {
        return "integer or string".to_owned();
    }
    match field["type"].as_str() {
        Some("integer" | "number") => {
            format!("{}{}", field["type"].as_str().unwrap(), bound("minimum", "maximum", ""))
        }
        Some("string") => format!("string{}", bound("minLength", "maxLength", " characters")),
        Some("array") => format!("list{}", bound("minItems", "maxItems", " entries")),
        Some("object") if field["additionalProperties"].is_object() => {
            format!("map{}", bound("minProperties", "maxProperties", " entries"))
        }
        Some(other) => other.to_owned(),
        None => "any".to_owned(),
    }
}

/// Text that is one cell of a table.
fn cell(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").replace('|', "\\|")
}

#[test]
fn the_committed_page_of_fields_is_the_generated_one() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/fields.md");
    compare(&committed, &page());
}
