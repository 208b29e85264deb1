//! YAML or JSON text to one JSON value. Pure; bounded in size, depth and aliases.
//!
//! Read as `kubectl` reads: a number without fraction is an integer however it is written, and a key that stands twice
//! is refused, here with its path.

use std::{fmt, io::Cursor};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};
use serde_saphyr::options::DuplicateKeyPolicy;

use super::{MAX_TEXT_BYTES, violation::Violation};

/// Deepest nesting; a pipeline needs 14.
const MAX_DEPTH: usize = 48;
/// Whole numbers up to here are exact in a double.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// The first document, and the keys in it that stand twice.
pub(super) fn read(text: &str) -> Result<(Value, Vec<Violation>), Violation> {
    if text.len() > MAX_TEXT_BYTES {
        let message =
            format!("the text has {} bytes; at most {MAX_TEXT_BYTES} are read", text.len());
        return Err(Violation::schema("", message));
    }
    let mut reader = Cursor::new(text.as_bytes());
    let first = serde_saphyr::read_with_options::<_, Node>(&mut reader, options()).next();
    let node = match first {
        Some(Ok(node)) => node,
        Some(Err(error)) => return Err(Violation::schema("", format!("not valid YAML: {error}"))),
        None => {
            return Err(Violation::schema("", "the text is empty; a BatchPipeline was expected"));
        }
    };
    let mut duplicates = Vec::new();
    let value = node.into_value(&mut String::new(), &mut duplicates);
    Ok((value, duplicates))
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            max_documents: 1024,
            max_aliases: 100,
            max_anchors: 100,
            max_nodes: 100_000,
        },
    }
}

/// A document in which nothing is lost yet: keys may stand twice.
enum Node {
    Leaf(Value),
    List(Vec<Self>),
    Fields(Vec<(String, Self)>),
}

impl Node {
    fn into_value(self, path: &mut String, duplicates: &mut Vec<Violation>) -> Value {
        match self {
            Self::Leaf(value) => value,
            Self::List(items) => {
                let items = items.into_iter().enumerate();
                items
                    .map(|(index, item)| item.step(&format!("[{index}]"), path, duplicates))
                    .collect()
            }
            Self::Fields(fields) => {
                let mut object = Map::new();
                let dot = if path.is_empty() { "" } else { "." };
                for (key, node) in fields {
                    let step = format!("{dot}{key}");
                    let value = node.step(&step, path, duplicates);
                    if object.insert(key, value).is_some() {
                        let message = "stands twice; remove one";
                        duplicates.push(Violation::schema(format!("{path}{step}"), message));
                    }
                }
                Value::Object(object)
            }
        }
    }

    /// Does the same one level deeper.
    fn step(self, step: &str, path: &mut String, duplicates: &mut Vec<Violation>) -> Value {
        let here = path.len();
        path.push_str(step);
        let value = self.into_value(path, duplicates);
        path.truncate(here);
        value
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value as JSON has it")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Node, E> {
        if value.fract() == 0.0 && value.abs() < MAX_EXACT {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "whole and exact, as just checked"
            )]
            return Ok(Node::Leaf((value as i64).into()));
        }
        let number = Number::from_f64(value).ok_or_else(|| E::custom("a number is not finite"))?;
        Ok(Node::Leaf(Value::Number(number)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Leaf(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Leaf(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut fields = Vec::new();
        while let Some((key, node)) = entries.next_entry::<Node, Node>()? {
            fields
                .push((key_text(key).ok_or_else(|| A::Error::custom("a key is not text"))?, node));
        }
        Ok(Node::Fields(fields))
    }
}

/// A key as JSON has it: YAML also knows numbers and truth values there.
fn key_text(key: Node) -> Option<String> {
    match key {
        Node::Leaf(Value::String(text)) => Some(text),
        Node::Leaf(value @ (Value::Bool(_) | Value::Number(_))) => Some(value.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_document_counts() {
        let (value, _) = read("# comment\n---\na: 1\n---\nb: [").unwrap();
        assert_eq!(value, json!({"a": 1}));
    }

    #[test]
    fn a_key_that_stands_twice_is_named_with_its_path() {
        let (_, duplicates) = read("a:\n  - b: {c: 1, c: 2}\n").unwrap();
        assert_eq!(duplicates[0].to_string(), "a[0].b.c: stands twice; remove one");
    }

    #[test]
    fn whole_numbers_are_integers_however_they_are_written() {
        let (value, _) = read("[500.0, 1e3, 1.5, -0.0]").unwrap();
        assert_eq!(value, json!([500, 1000, 1.5, 0]));
    }

    #[test]
    fn text_that_is_too_large_too_deep_or_too_wide_is_refused() {
        let aliases = format!("a: &a [x]\nb: [{}]", "*a, ".repeat(10_000));
        for text in ["x".repeat(MAX_TEXT_BYTES + 1), "[".repeat(10_000), aliases] {
            assert!(read(&text).is_err());
        }
    }

    #[test]
    fn what_is_no_value_is_refused() {
        for text in
            ["", "# only a comment", "a: .nan", "a: 1e999", "a: [", "a: *b", "? {a: 1}\n: 2"]
        {
            assert!(read(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn json_is_read_as_well() {
        let (value, duplicates) = read(r#"{"a": {"b": ["c", 1, null, true]}}"#).unwrap();
        assert_eq!(value, json!({"a": {"b": ["c", 1, null, true]}}));
        assert!(duplicates.is_empty());
    }
}
