//! What the API server accepts in a pod's labels, annotations, amounts, tolerations and spread, as parts of our schema:
//! what it would refuse of a Deployment has to be refused of a pipeline. Pure.

use kube::core::Rule;
use schemars::{Schema, SchemaGenerator, json_schema};

use super::patterns;

/// The name of a label or an annotation: a domain in front of it is optional.
macro_rules! key {
    ($key:literal) => {
        concat!(
            $key,
            ".matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[a-zA-Z0-9]([-._a-zA-Z0-9]{0,61}[a-zA-Z0-9])?$') && ",
            $key,
            ".matches('^([^/]{1,253}/)?[^/]*$')"
        )
    };
}

/// The value of a label.
macro_rules! value {
    ($value:literal) => {
        concat!(
            $value,
            ".size() <= 63 && ",
            $value,
            ".matches('^([a-zA-Z0-9]([-._a-zA-Z0-9]*[a-zA-Z0-9])?)?$')"
        )
    };
}

/// Every toleration by itself.
const TOLERATION: &str = concat!(
    "self.all(t, (has(t.key) && t.key != '' ? ",
    key!("t.key"),
    " : has(t.operator) && t.operator == 'Exists') && ",
    "(!has(t.operator) || t.operator in ['', 'Exists', 'Equal']) && ",
    "(!has(t.value) || t.value == '' || ((!has(t.operator) || t.operator != 'Exists') && ",
    value!("t.value"),
    ")) && ",
    "(!has(t.effect) || t.effect in ['', 'NoSchedule', 'PreferNoSchedule', 'NoExecute']) && ",
    "(!has(t.tolerationSeconds) || (has(t.effect) && t.effect == 'NoExecute')))"
);

/// Every constraint by itself.
const SPREAD: &str = concat!(
    "self.all(c, c.maxSkew >= 1 && c.whenUnsatisfiable in ['DoNotSchedule', 'ScheduleAnyway'] && ",
    key!("c.topologyKey"),
    " && (!has(c.minDomains) || (c.minDomains >= 1 && c.whenUnsatisfiable == 'DoNotSchedule')))"
);

/// Tolerations as a pod takes them.
pub(super) fn tolerations() -> Rule {
    Rule::new(TOLERATION).message(
        "must be tolerations as Kubernetes accepts them: a key, or operator Exists without value; tolerationSeconds \
         with effect NoExecute alone",
    )
}

/// Constraints as a pod takes them.
pub(super) fn spread_values() -> Rule {
    Rule::new(SPREAD).message(
        "must have maxSkew of at least 1, whenUnsatisfiable DoNotSchedule or ScheduleAnyway, a label as topologyKey, and \
         minDomains of at least 1 with DoNotSchedule alone",
    )
}

/// No two constraints that a pod takes for one.
pub(super) fn spread_once() -> Rule {
    Rule::new("self.all(a, self.exists_one(b, b.topologyKey == a.topologyKey && b.whenUnsatisfiable == a.whenUnsatisfiable))")
        .message("must have each pair of topologyKey and whenUnsatisfiable once")
}

fn bounded_map(longest: u32, rules: impl IntoIterator<Item = Rule>) -> Schema {
    let mut schema = json_schema!({
        "type": "object",
        "maxProperties": 32,
        "additionalProperties": {"type": "string", "maxLength": longest},
    });
    for rule in rules {
        kube::core::validate(&mut schema, rule).expect("a rule of strings is valid JSON");
    }
    schema
}

fn are_labels() -> Rule {
    Rule::new(concat!("self.all(k, ", key!("k"), " && ", value!("self[k]"), ")"))
        .message("must be labels as Kubernetes accepts them")
}

/// Labels of nodes.
pub(super) fn node_selector(_: &mut SchemaGenerator) -> Schema {
    bounded_map(63, [are_labels()])
}

/// Labels of pods that are not ours.
pub(super) fn labels(_: &mut SchemaGenerator) -> Schema {
    let ours = Rule::new(
        "!self.exists(k, k.startsWith('app.kubernetes.io/') || k.startsWith('batchpipe.dev/'))",
    )
    .message("labels that begin with app.kubernetes.io/ or batchpipe.dev/ are set by the operator");
    bounded_map(63, [ours, are_labels()])
}

/// Annotations of pods that are not ours.
pub(super) fn annotations(_: &mut SchemaGenerator) -> Schema {
    let ours = Rule::new("!self.exists(k, k.startsWith('batchpipe.dev/'))")
        .message("annotations that begin with batchpipe.dev/ are set by the operator");
    let names = Rule::new(concat!("self.all(k, ", key!("k"), ")"))
        .message("must have names of annotations as Kubernetes accepts them");
    bounded_map(4096, [ours, names])
}

/// Amounts of resources by their names.
pub(super) fn quantities(_: &mut SchemaGenerator) -> Schema {
    let mut schema = json_schema!({
        "type": "object",
        "maxProperties": 8,
        "additionalProperties": {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "x-kubernetes-int-or-string": true,
            "minimum": 0,
            "maxLength": 32,
            "pattern": patterns::QUANTITY,
        },
    });
    let rule = Rule::new("self.all(k, k.matches('^(cpu|memory|ephemeral-storage|hugepages-[0-9A-Za-z]{1,16}|[a-z0-9.-]{1,100}/[a-zA-Z0-9._-]{1,63})$'))")
        .message("must be cpu, memory, ephemeral-storage, hugepages-SIZE or a name with a domain");
    kube::core::validate(&mut schema, rule).expect("a rule of strings is valid JSON");
    schema
}
