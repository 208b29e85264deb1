//! What of a status is somebody else's: the difference between what was applied and what is there now. Pure.
//!
//! Server-side apply removes no field that another writer has put beside ours: a `waitsFor` or a condition of somebody
//! else would stay, be believed by people, and make every look differ from what is written. This patch removes it.

use serde_json::{Map, Value};

/// The merge patch that makes `found` equal to `wanted`; `None`: it is.
pub(super) fn leftovers(found: &Value, wanted: &Value) -> Option<Value> {
    let (Value::Object(found), Value::Object(wanted)) = (found, wanted) else {
        return (found != wanted).then(|| wanted.clone());
    };
    let removed = found.keys().filter(|name| !wanted.contains_key(*name));
    let removed = removed.map(|name| (name.clone(), Value::Null));
    let changed = wanted.iter().filter_map(|(name, wanted)| {
        let patch = leftovers(found.get(name).unwrap_or(&Value::Null), wanted)?;
        Some((name.clone(), patch))
    });
    let patch: Map<String, Value> = removed.chain(changed).collect();
    (!patch.is_empty()).then_some(Value::Object(patch))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_as_wanted_needs_no_patch() {
        let status = json!({"phase": "Running", "data": {"lagRecords": 0}, "conditions": [{"type": "Ready"}]});
        assert_eq!(leftovers(&status, &status), None);
    }

    #[test]
    fn what_nobody_wants_is_removed_and_lists_are_replaced_as_a_whole() {
        let wanted = json!({"phase": "Running", "data": {"lagRecords": 0}, "conditions": [{"type": "Ready"}]});
        let found = json!({"phase": "Running", "waitsFor": "somebody", "data": {"lagRecords": 0, "lagSeconds": 9},
            "conditions": [{"type": "Ready"}, {"type": "Theirs"}]});
        let patch = json!({"waitsFor": null, "data": {"lagSeconds": null}, "conditions": [{"type": "Ready"}]});
        assert_eq!(leftovers(&found, &wanted), Some(patch));
    }
}
