//! Whether what others own of a child is what a refusal is about. Pure.
//!
//! The API server names the fields that it refuses; what stands in their way is in them or right beside them. A rule of
//! the cluster names none: what it refuses, it refuses whoever else owns something, and nothing of that is to be lost.

use kube::core::{Status, response::StatusCause};
use serde_json::Value;

/// The reason of a cause that is about two entries of a list.
const DUPLICATE: &str = "FieldValueDuplicate";
/// What a child, or its pods, are to be: what is in it has little to do with each other.
const SPEC: Step<'static> = Step::Field("spec");

/// A step of the way to a field, as errors name it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step<'a> {
    /// `.name`
    Field(&'a str),
    /// `[3]` or `[key]`
    Entry(&'a str),
}

/// What others own and what is there, as far as a way has led.
#[derive(Clone)]
struct Spot<'a> {
    owned: &'a Value,
    /// What is there, and what is wanted. Where an error says `[3]`, it is of a list that both were merged into.
    objects: Vec<&'a Value>,
}

/// The fields of the spec that a refusal is about.
pub(super) fn fields(refusal: &Status) -> Vec<String> {
    let causes = refusal.details.iter().flat_map(|details| &details.causes);
    let field = |cause: &StatusCause| match cause.field.rsplit_once('[') {
        // Of two entries that are not to be the same, the second is named.
        Some((list, _)) if cause.reason == DUPLICATE => list.to_owned(),
        _ => cause.field.clone(),
    };
    causes.map(field).filter(|field| ways(field).first() == Some(&SPEC)).collect()
}

/// Whether others, who own these fields, own what stands in the way of one that was refused.
pub(super) fn is_in_the_way(field: &str, owned: &Value, live: &Value, wanted: &Value) -> bool {
    let way = ways(field);
    let start = Spot { owned, objects: vec![live, wanted] };
    if !reached(&start, &way).is_empty() {
        return true;
    }
    let Some((_, parent)) = way.split_last() else { return false };
    let is_close = parent.last().is_some_and(|step| *step != SPEC);
    reached(&start, parent).iter().any(|spot| is_close || has_plain(spot.owned))
}

/// Whether some of these fields have nothing below them.
fn has_plain(owned: &Value) -> bool {
    let mut below = owned.as_object().into_iter().flatten();
    below.any(|(name, below)| name.starts_with("f:") && is_leaf(below))
}

/// What others own at the end of this way, or above it as a whole.
fn reached<'a>(start: &Spot<'a>, way: &[Step<'_>]) -> Vec<Spot<'a>> {
    let (mut spots, mut whole) = (vec![start.clone()], Vec::new());
    for step in way {
        let next = spots.iter().flat_map(|spot| spot.next(step)).collect();
        // Who owns something as a whole owns what is in it.
        whole
            .extend(std::mem::replace(&mut spots, next).into_iter().filter(|it| is_leaf(it.owned)));
    }
    spots.extend(whole);
    spots
}

fn is_leaf(owned: &Value) -> bool {
    owned.as_object().is_some_and(serde_json::Map::is_empty)
}

impl<'a> Spot<'a> {
    fn next(&self, step: &Step<'_>) -> Vec<Self> {
        let name = match step {
            Step::Field(name) | Step::Entry(name) => name,
        };
        let below = |it: &&'a Value| it.get(*name);
        if let Some(owned) = self.owned.get(format!("f:{name}")) {
            return vec![Spot { owned, objects: self.objects.iter().filter_map(below).collect() }];
        }
        let (Step::Entry(index), Some(owned)) = (step, self.owned.as_object()) else {
            return Vec::new();
        };
        let Ok(index) = index.parse::<usize>() else { return Vec::new() };
        let items: Vec<_> = self.objects.iter().filter_map(|it| it.get(index)).collect();
        // In neither of the two lists there are so many: then it may be any.
        let is_it = |key: &str| items.is_empty() || items.iter().any(|item| is_of(key, item));
        let entries = owned.iter().filter(|(key, _)| !key.starts_with("f:") && is_it(key));
        entries.map(|(_, owned)| Spot { owned, objects: items.clone() }).collect()
    }
}

/// Whether an entry of a list has this key, as `managedFields` write it.
fn is_of(key: &str, item: &Value) -> bool {
    let (kind, text) = key.split_once(':').unwrap_or((key, "null"));
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    match (kind, &value) {
        ("k", Value::Object(keys)) => {
            keys.iter().all(|(name, value)| item.get(name) == Some(value))
        }
        ("v", value) => value == item,
        _ => false,
    }
}

/// `spec.containers[0].env` in steps. Keys of maps in brackets may have dots.
fn ways(field: &str) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    let mut rest = field;
    while !rest.is_empty() {
        let (step, after) = if let Some(inner) = rest.strip_prefix('[') {
            let (key, after) = inner.split_once(']').unwrap_or((inner, ""));
            (Step::Entry(key), after)
        } else {
            let plain = rest.strip_prefix('.').unwrap_or(rest);
            let end = plain.find(['.', '[']).unwrap_or(plain.len());
            (Step::Field(&plain[..end]), &plain[end..])
        };
        steps.push(step);
        rest = after;
    }
    steps
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A pod with our container, and a sidecar of somebody else who has also given ours a value.
    fn objects() -> [Value; 2] {
        let ours = json!({"name": "main", "image": "i", "env": [{"name": "A", "value": "x"}]});
        let sidecar = json!({"name": "sidecar", "image": "s"});
        let of = |containers: Value| json!({"spec": {"pod": {"containers": containers}}});
        [of(json!([ours.clone(), sidecar])), of(json!([ours]))]
    }

    fn is_about(field: &str, owned: &Value) -> bool {
        let [live, wanted] = objects();
        is_in_the_way(field, &json!({"f:spec": owned}), &live, &wanted)
    }

    fn sidecar() -> Value {
        let fields = json!({".": {}, "f:name": {}, "f:image": {}});
        json!({"f:pod": {"f:containers": {"k:{\"name\":\"sidecar\"}": fields}}})
    }

    #[test]
    fn what_is_in_the_named_field_or_is_it_is_in_the_way() {
        assert!(is_about("spec", &json!({"f:minAvailable": {}})));
        assert!(is_about(
            "spec.strategy.rollingUpdate",
            &json!({"f:strategy": {"f:rollingUpdate": {"f:maxSurge": {}}}})
        ));
        assert!(
            is_about("spec.affinity.nodeAffinity.required", &json!({"f:affinity": {}})),
            "owned as a whole"
        );
        assert!(is_about(
            "spec.labels[example.com/a]",
            &json!({"f:labels": {"f:example.com/a": {}}})
        ));
        assert!(is_about("spec.pod.containers[1].image", &sidecar()));
    }

    #[test]
    fn what_is_beside_it_is_and_in_a_spec_if_it_is_plain() {
        let env = |more: Value| json!({"f:pod": {"f:containers": {"k:{\"name\":\"main\"}": {"f:env": {"k:{\"name\":\"A\"}": more}}}}});
        let field = "spec.pod.containers[0].env[0].valueFrom";
        assert!(is_about(field, &env(json!({"f:value": {}}))));
        assert!(is_about(field, &env(json!({"f:other": {"f:deep": {}}}))));
        assert!(is_about("spec.probe.httpGet", &json!({"f:probe": {"f:exec": {"f:command": {}}}})));
        assert!(is_about("spec.dnsConfig", &json!({"f:dnsPolicy": {}})));
        assert!(!is_about("spec.selector", &sidecar()), "deeper beside it");
    }

    #[test]
    fn what_is_elsewhere_is_not() {
        assert!(!is_about("spec.pod.containers[0].image", &sidecar()), "another entry");
        assert!(!is_about("spec.strategy", &json!({"f:pod": {"f:hostname": {}}})));
        assert!(
            is_about("spec.pod.containers[7].image", &sidecar()),
            "of a list that nobody has seen"
        );
    }

    #[test]
    fn a_rule_of_the_cluster_names_no_field_and_is_about_none() {
        let refusal = |causes: Value| -> Status {
            serde_json::from_value(json!({"code": 422, "details": {"causes": causes}})).unwrap()
        };
        assert_eq!(
            fields(&refusal(json!([{"message": "ValidatingAdmissionPolicy denied"}]))),
            [""; 0]
        );
        let causes =
            json!([{"field": "metadata.name"}, {"field": "spec.a[0]"}, {"field": "specific"}]);
        assert_eq!(fields(&refusal(causes)), ["spec.a[0]"]);
        let twice = json!([{"field": "spec.a[0].ports[1].name", "reason": DUPLICATE}]);
        assert_eq!(fields(&refusal(twice)), ["spec.a[0].ports"]);
    }
}
