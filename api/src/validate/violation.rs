//! What is wrong with a pipeline: the field, what was found, what to do.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

/// Values longer than this are cut in messages, in characters.
const LONGEST: usize = 60;

/// Who refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ViolationKind {
    /// The schema of the CRD, CEL included: the API server refuses the object as well.
    Schema,
    /// A rule that CEL cannot say: the API server takes the object, and it shows as the condition `Stalled`.
    Rule,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The field, for example `spec.batch.maxRecords`; empty for the whole object.
    pub path: String,
    /// What is wrong and what to do.
    pub message: String,
    /// What was found there, if it is short and no secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// Who refuses.
    pub kind: ViolationKind,
}

impl Violation {
    pub(super) fn schema(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
            found: None,
            kind: ViolationKind::Schema,
        }
    }

    pub(super) fn rule(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into(), found: None, kind: ViolationKind::Rule }
    }

    /// Adds what was found. Addresses are left out: people write credentials into them.
    pub(super) fn found(mut self, value: &Value) -> Self {
        let may_be_secret =
            self.path.rsplit('.').next() == Some("url") || self.path.contains(".options");
        self.found = match value {
            Value::Null => Some("nothing".to_owned()),
            Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
            Value::String(text) if !may_be_secret => Some(quote(text)),
            _ => None,
        };
        self
    }
}

fn quote(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?} and more", &text[..end]),
        None => format!("{text:?}"),
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        match &self.found {
            Some(found) => write!(f, " (found {found})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Violation {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violation_says_the_field_what_to_do_and_what_was_found() {
        let violation =
            Violation::schema("spec.batch.maxRecords", "must be at least 1").found(&Value::from(0));
        assert_eq!(violation.to_string(), "spec.batch.maxRecords: must be at least 1 (found 0)");
    }

    #[test]
    fn what_may_be_a_secret_is_not_repeated() {
        let secret = Value::from("https://me:secret@host/");
        for path in ["spec.consumer.sink.http.url", "spec.kafka.options.sasl.password"] {
            assert!(!Violation::schema(path, "no").found(&secret).to_string().contains("secret@"));
        }
    }

    #[test]
    fn long_values_are_cut() {
        let violation = Violation::schema("a", "b").found(&Value::from("ä".repeat(1000)));
        assert!(violation.to_string().chars().count() < 100);
    }
}
