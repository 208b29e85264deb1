//! The rules, offline: the same answer as the API server's, and what it cannot say.
//!
//! Two kinds. The first is in the CRD: types, bounds and CEL; the API server refuses such an object, and [`check_text`]
//! walks the same schema. The second is [`validate`]: a pure function for what CEL cannot say; in a cluster it shows as
//! the condition `Stalled`. What depends on where a pipeline runs is in [`in_cluster`] and [`locally`].

mod defaults;
mod placement;
mod rules;
mod semantics;
mod structure;
mod suggest;
mod text;
mod violation;

use serde_json::Value;

pub use self::{
    placement::{in_cluster, locally},
    semantics::validate,
    violation::{Violation, ViolationKind},
};
use crate::{
    pipeline::{API_VERSION, BatchPipeline, KIND},
    schema::schema,
};

/// The largest text that is read, in bytes: what etcd accepts for an object.
pub const MAX_TEXT_BYTES: usize = 1536 * 1024;

/// Reads the first document of a text and checks it with both kinds of rules.
pub fn check_text(yaml: &str) -> Result<BatchPipeline, Vec<Violation>> {
    let (object, duplicates) = text::read(yaml).map_err(|violation| vec![violation])?;
    if !duplicates.is_empty() {
        return Err(duplicates);
    }
    check_value(object)
}

/// Checks an object as it stands in a file or comes from the API server, with both kinds of rules.
pub fn check_value(mut object: Value) -> Result<BatchPipeline, Vec<Violation>> {
    let wrong_kind = header(&object);
    if !wrong_kind.is_empty() {
        return Err(wrong_kind);
    }
    defaults::apply(schema(), &mut object);
    let mut violations = first_kind(&object, None);
    if !violations.is_empty() {
        return Err(violations);
    }
    let pipeline: BatchPipeline = serde_json::from_value(object)
        .map_err(|error| vec![Violation::schema("", format!("cannot be read: {error}"))])?;
    violations = validate(&pipeline);
    if violations.is_empty() { Ok(pipeline) } else { Err(violations) }
}

/// Checks a typed object with both kinds of rules.
pub fn check(pipeline: &BatchPipeline) -> Vec<Violation> {
    let mut violations = first_kind(&as_value(pipeline), None);
    if violations.is_empty() {
        violations = validate(pipeline);
    }
    violations
}

/// Whether the old object may become the new one: all rules on the new one, and those on the change.
pub fn check_update(old: &BatchPipeline, new: &BatchPipeline) -> Vec<Violation> {
    let mut violations = first_kind(&as_value(new), Some(&as_value(old)));
    if violations.is_empty() {
        violations = validate(new);
    }
    violations
}

/// An object with its defaults, as the API server would keep it.
fn as_value(pipeline: &BatchPipeline) -> Value {
    let mut object =
        serde_json::to_value(pipeline).expect("a pipeline of plain values is valid JSON");
    defaults::apply(schema(), &mut object);
    object
}

/// Bounds, then CEL; like the API server, CEL only on what has the right shape.
fn first_kind(object: &Value, old: Option<&Value>) -> Vec<Violation> {
    let findings = structure::check(schema(), object);
    let is_shapeless = findings.iter().any(|finding| finding.blocks_rules);
    let mut violations: Vec<Violation> =
        findings.into_iter().map(|finding| finding.violation).collect();
    if !is_shapeless {
        rules::check(object, old, &mut violations);
    }
    violations
}

/// What an object must say of itself before anything else is looked at.
fn header(object: &Value) -> Vec<Violation> {
    if !object.is_object() {
        return vec![Violation::schema(
            "",
            "must be one object with apiVersion, kind, metadata and spec",
        )];
    }
    let expected = [("apiVersion", API_VERSION), ("kind", KIND)];
    let wrong = expected.into_iter().filter(|(field, value)| object[field] != *value);
    wrong
        .map(|(field, value)| {
            Violation::schema(field, format!("must be {value}")).found(&object[field])
        })
        .collect()
}
