//! Runs the schema's CEL rules on an object.
//!
//! Pure. The rules are compiled once for each thread, because that takes longer than running them.

use kube_cel::{CompiledSchema, ErrorKind, ValidationError, Validator, compile_schema};
use serde_json::Value;

use super::violation::Violation;
use crate::schema::schema;

thread_local! {
    static RULES: (Validator, CompiledSchema) = (Validator::new(), compile_schema(schema()));
}

/// Adds what the rules refuse. With an old object, rules about the change run as well.
pub(super) fn check(object: &Value, old: Option<&Value>, violations: &mut Vec<Violation>) {
    let outcome = RULES.with(|(validator, rules)| validator.validate_compiled(rules, object, old));
    let mut errors = outcome.err().map(kube_cel::ValidationErrors::into_vec).unwrap_or_default();
    // The validator walks in no fixed order. A field's own rule comes before those that compare it with others.
    let compares = |error: &ValidationError| error.rule.contains("self.");
    errors.sort_by(|a, b| (&a.field_path, compares(a)).cmp(&(&b.field_path, compares(b))));
    for error in errors {
        let path = error.field_path.trim_start_matches('.');
        if is_told(path, violations) {
            continue;
        }
        // A rule that cannot be computed on a value of the wrong form adds nothing to what is said already.
        let is_known = error.kind == ErrorKind::EvaluationError
            && violations.iter().any(|known| concerns(path, known));
        if !is_known {
            violations.push(violation(path, &error, object));
        }
    }
}

/// Whether something is said already of this one value. What else is wrong with it mostly follows from that.
fn is_told(path: &str, violations: &[Violation]) -> bool {
    violations.iter().any(|known| known.path == path && known.found.is_some())
}

/// Whether a violation is at a path or below it.
fn concerns(path: &str, known: &Violation) -> bool {
    known
        .path
        .strip_prefix(path)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        || path.is_empty()
}

fn violation(path: &str, error: &ValidationError, object: &Value) -> Violation {
    let violation = Violation::schema(path, error.message.as_str());
    let found = path.split('.').try_fold(object, |value, name| value.get(name));
    match found {
        Some(value) => violation.found(value),
        None => violation,
    }
}
