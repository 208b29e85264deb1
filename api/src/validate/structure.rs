//! Walks an object along the structural schema: types, bounds, required and unknown fields.
//!
//! Pure. Everything that the schema may say is known here; a test holds that.

use regex::Regex;
use serde_json::{Map, Value};

use super::{suggest, violation::Violation};
use crate::{
    spec::patterns,
    units::{BYTE_SIZE_PATTERN, TIMESPAN_PATTERN},
};

/// Fields of `metadata`, of which the CRD says nothing but the name.
const METADATA: [&str; 15] = [
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// Something that the schema does not allow.
pub(super) struct Finding {
    pub(super) violation: Violation,
    /// Whether the API server leaves CEL out because of it: the object does not have the shape that rules rely on.
    pub(super) blocks_rules: bool,
}

/// Everything in an object that the schema does not allow.
pub(super) fn check(schema: &Value, object: &Value) -> Vec<Finding> {
    let mut walk = Walk::default();
    for (name, value) in object.as_object().into_iter().flatten() {
        walk.path.clone_from(name);
        match name.as_str() {
            "apiVersion" | "kind" => {}
            "metadata" => walk.metadata(&schema["properties"]["metadata"], value),
            _ => walk.field(schema, name, value),
        }
    }
    walk.path.clear();
    for name in ["metadata", "spec"] {
        if object.get(name).is_none() {
            walk.missing(name);
        }
    }
    walk.findings
}

#[derive(Default)]
struct Walk {
    path: String,
    findings: Vec<Finding>,
}

impl Walk {
    fn refuse(&mut self, message: impl Into<String>, blocks_rules: bool, found: Option<&Value>) {
        let mut violation = Violation::schema(self.path.as_str(), message);
        if let Some(value) = found {
            violation = violation.found(value);
        }
        self.findings.push(Finding { violation, blocks_rules });
    }

    /// Does something one level deeper.
    fn within(&mut self, step: &str, work: impl FnOnce(&mut Self)) {
        let here = self.path.len();
        if here > 0 && !step.starts_with('[') {
            self.path.push('.');
        }
        self.path.push_str(step);
        work(self);
        self.path.truncate(here);
    }

    fn missing(&mut self, name: &str) {
        self.within(name, |walk| walk.refuse("is required; set it", true, None));
    }

    fn metadata(&mut self, schema: &Value, value: &Value) {
        let Some(fields) = value.as_object() else {
            return self.refuse(wrong_type("object", value, None), true, None);
        };
        for name in fields.keys().filter(|name| !METADATA.contains(&name.as_str())) {
            let known = METADATA.map(str::to_owned);
            self.within(name, |walk| walk.unknown(name, known.iter()));
        }
        match fields.get("name") {
            Some(name) => {
                self.within("name", |walk| walk.value(&schema["properties"]["name"], name));
            }
            None => self.missing("name"),
        }
    }

    fn unknown<'a>(&mut self, name: &str, known: impl Iterator<Item = &'a String> + Clone) {
        let hint = match suggest::closest(name, known.clone()) {
            Some(meant) => format!("did you mean {meant}?"),
            None => {
                format!("known here: {}", known.map(String::as_str).collect::<Vec<_>>().join(", "))
            }
        };
        self.refuse(format!("unknown field; {hint}"), false, None);
    }

    /// A value at the current path, whose name the schema of its parent may not know.
    fn field(&mut self, parent: &Value, name: &str, value: &Value) {
        let empty = Map::new();
        let known = parent["properties"].as_object().unwrap_or(&empty);
        if let Some(schema) = known.get(name) {
            self.value(schema, value);
        } else if parent["additionalProperties"].is_object() {
            self.value(&parent["additionalProperties"], value);
        } else {
            self.unknown(name, known.keys());
        }
    }

    fn value(&mut self, schema: &Value, value: &Value) {
        if !self.has_type(schema, value) {
            return;
        }
        if schema["enum"].as_array().is_some_and(|allowed| !allowed.contains(value)) {
            let allowed: Vec<&str> =
                schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            self.refuse(format!("must be one of {}", allowed.join(", ")), true, Some(value));
        }
        match value {
            Value::Number(_) => self.number(schema, value),
            Value::String(text) => self.string(schema, text, value),
            Value::Array(items) => self.array(schema, items),
            Value::Object(fields) => self.object(schema, fields),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn has_type(&mut self, schema: &Value, value: &Value) -> bool {
        let is_integer = value.is_i64() || value.is_u64();
        let fits = if schema["x-kubernetes-int-or-string"] == true {
            is_integer || value.is_string()
        } else {
            match schema["type"].as_str() {
                Some("object") => value.is_object(),
                Some("array") => value.is_array(),
                Some("string") => value.is_string(),
                Some("boolean") => value.is_boolean(),
                Some("integer") => is_integer,
                Some("number") => value.is_number(),
                _ => true,
            }
        };
        if !fits {
            let expected = schema["type"].as_str().unwrap_or("integer or string");
            self.refuse(wrong_type(expected, value, schema["pattern"].as_str()), true, None);
        }
        fits
    }

    fn number(&mut self, schema: &Value, value: &Value) {
        let number = value.as_f64().unwrap_or(f64::NAN);
        if let Some(least) = schema["minimum"].as_f64().filter(|least| number < *least) {
            self.refuse(format!("must be at least {least}"), false, Some(value));
        }
        if let Some(most) = schema["maximum"].as_f64().filter(|most| number > *most) {
            self.refuse(format!("must be at most {most}"), false, Some(value));
        }
    }

    fn string(&mut self, schema: &Value, text: &str, value: &Value) {
        let length = text.chars().count() as u64;
        if let Some(most) = schema["maxLength"].as_u64().filter(|most| length > *most) {
            return self.refuse(
                format!("must have at most {most} characters, has {length}"),
                true,
                None,
            );
        }
        if schema["minLength"].as_u64().is_some_and(|least| length < least) {
            return self.refuse("must not be empty; set it or remove the field", false, None);
        }
        let Some(pattern) = schema["pattern"].as_str() else { return };
        let matches = Regex::new(pattern).is_ok_and(|regex| regex.is_match(text));
        if !matches {
            let message = patterns::in_words(pattern)
                .map_or_else(|| format!("must match {pattern}"), str::to_owned);
            self.refuse(message, false, Some(value));
        }
    }

    fn array(&mut self, schema: &Value, items: &[Value]) {
        self.count(&schema["maxItems"], items.len(), "items");
        for (index, item) in items.iter().enumerate() {
            self.within(&format!("[{index}]"), |walk| walk.value(&schema["items"], item));
        }
    }

    fn object(&mut self, schema: &Value, fields: &Map<String, Value>) {
        self.count(&schema["maxProperties"], fields.len(), "entries");
        for (name, value) in fields {
            self.within(name, |walk| walk.field(schema, name, value));
        }
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !fields.contains_key(name) {
                self.missing(name);
            }
        }
    }

    fn count(&mut self, most: &Value, count: usize, what: &str) {
        if let Some(most) = most.as_u64().filter(|most| count as u64 > *most) {
            self.refuse(format!("must have at most {most} {what}, has {count}"), true, None);
        }
    }
}

/// Never repeats the value: a password in the place of a reference to it would be printed.
fn wrong_type(expected: &str, value: &Value, pattern: Option<&str>) -> String {
    let found = match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    let hint = match (expected, value) {
        // Quotes alone would make it the next error.
        ("string", Value::Number(_)) if pattern == Some(TIMESPAN_PATTERN) => {
            "; write it with its unit, for example 100ms or 30s"
        }
        ("string", Value::Number(_)) if pattern == Some(BYTE_SIZE_PATTERN) => {
            "; write it with its unit, for example 900Ki, or bytes in quotes"
        }
        ("string", Value::Number(_) | Value::Bool(_)) => "; put it in quotes",
        ("integer", Value::String(_)) => "; remove the quotes or the letters",
        _ => "",
    };
    let expected = match expected {
        "string" => "text",
        "object" => "an object",
        "array" => "a list",
        "boolean" => "true or false",
        "integer" => "a whole number",
        other => other,
    };
    format!("must be {expected}, is {found}{hint}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::schema::schema;

    /// Every keyword that occurs in a schema.
    fn keywords(schema: &Value, found: &mut BTreeSet<String>) {
        let Some(node) = schema.as_object() else { return };
        for (keyword, inner) in node {
            found.insert(keyword.clone());
            match keyword.as_str() {
                "properties" => {
                    inner.as_object().unwrap().values().for_each(|field| keywords(field, found));
                }
                "items" | "additionalProperties" => keywords(inner, found),
                _ => {}
            }
        }
    }

    #[test]
    fn the_schema_says_nothing_that_the_walk_does_not_know() {
        let known = [
            "additionalProperties",
            "default",
            "description",
            "enum",
            "format",
            "items",
            "maxItems",
            "maxLength",
            "maxProperties",
            "maximum",
            "minLength",
            "minimum",
            "pattern",
            "properties",
            "required",
            "type",
            // With int-or-string, the only place of `anyOf`, it repeats the two types.
            "anyOf",
            "x-kubernetes-int-or-string",
            // Only in `status`, which no user writes.
            "x-kubernetes-list-map-keys",
            "x-kubernetes-list-type",
            "x-kubernetes-validations",
        ];
        let mut found = BTreeSet::new();
        keywords(schema(), &mut found);
        let unknown: Vec<&String> =
            found.iter().filter(|keyword| !known.contains(&keyword.as_str())).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }

    #[test]
    fn every_pattern_is_one_that_both_sides_understand() {
        fn patterns_of<'a>(schema: &'a Value, found: &mut Vec<&'a str>) {
            match schema {
                Value::Object(node) => {
                    found.extend(node.get("pattern").and_then(Value::as_str));
                    node.values().for_each(|inner| patterns_of(inner, found));
                }
                Value::Array(items) => items.iter().for_each(|inner| patterns_of(inner, found)),
                _ => {}
            }
        }
        let mut found = Vec::new();
        patterns_of(schema(), &mut found);
        assert!(found.len() > 20);
        for pattern in found {
            assert!(Regex::new(pattern).is_ok(), "{pattern}");
        }
    }
}
