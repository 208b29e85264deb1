//! Fills in defaults as the API server does: a field that is `null` counts as absent.
//!
//! Pure; only the object changes.

use serde_json::{Map, Value};

/// Applies the defaults of a schema to an object.
pub(super) fn apply(schema: &Value, object: &mut Value) {
    match object {
        Value::Object(fields) => fill(schema, fields),
        Value::Array(items) => {
            for item in items {
                apply(&schema["items"], item);
            }
        }
        _ => {}
    }
}

fn fill(schema: &Value, fields: &mut Map<String, Value>) {
    let known = schema["properties"].as_object();
    let others = schema["additionalProperties"].is_object();
    // `null` stays where the schema says nothing of the field: it will be refused as unknown.
    fields.retain(|name, value| {
        !value.is_null() || !(others || known.is_some_and(|it| it.contains_key(name)))
    });
    for (name, field) in known.into_iter().flatten() {
        if let (Some(default), false) = (field.get("default"), fields.contains_key(name)) {
            fields.insert(name.clone(), default.clone());
        }
    }
    for (name, value) in fields {
        let field =
            known.and_then(|it| it.get(name)).unwrap_or_else(|| &schema["additionalProperties"]);
        apply(field, value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn defaults_reach_into_defaults_and_replace_null() {
        let schema = json!({"properties": {
            "a": {"default": {}, "properties": {"b": {"default": 1}, "c": {}}},
            "m": {"additionalProperties": {"properties": {"d": {"default": 2}}}},
        }});
        let mut object = json!({"a": null, "m": {"x": {}, "y": null}, "n": null});
        apply(&schema, &mut object);
        assert_eq!(object, json!({"a": {"b": 1}, "m": {"x": {"d": 2}}, "n": null}));
    }
}
