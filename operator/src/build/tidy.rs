//! Users' own parts of a pod as the API server stores them: empty texts and lists are left out. Pure.
//!
//! What is applied must be what is stored, or every comparison with the live object would find a difference.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// The same without empty texts and lists. Empty objects stay: a selector without terms selects everything.
pub(super) fn tidy<T: Serialize + DeserializeOwned + Clone>(part: &T) -> T {
    let tidied = serde_json::to_value(part).map(without_empty).and_then(serde_json::from_value);
    // What lacks a required field then is invalid as it was: the API server will say why.
    tidied.unwrap_or_else(|_| part.clone())
}

fn without_empty(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(name, value)| (name, without_empty(value)));
            Value::Object(fields.filter(|(_, value)| !is_empty(value)).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_empty).collect()),
        plain => plain,
    }
}

fn is_empty(value: &Value) -> bool {
    value == "" || value.as_array().is_some_and(Vec::is_empty)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{Affinity, Toleration, TopologySpreadConstraint};

    use super::*;

    #[test]
    fn an_empty_text_is_left_out() {
        let written: Toleration =
            serde_json::from_str(r#"{"key": "", "operator": "Exists"}"#).unwrap();
        let stored: Toleration = serde_json::from_str(r#"{"operator": "Exists"}"#).unwrap();
        assert_eq!(tidy(&written), stored);
    }

    #[test]
    fn an_empty_list_is_left_out_and_an_empty_selector_stays() {
        let affinity = |values: &str| -> Affinity {
            let text = format!(
                r#"{{"podAntiAffinity": {{"requiredDuringSchedulingIgnoredDuringExecution": [
                    {{"topologyKey": "zone", "namespaceSelector": {{}}, "labelSelector":
                        {{"matchExpressions": [{{"key": "a", "operator": "Exists"{values}}}]}}}}]}}}}"#
            );
            serde_json::from_str(&text).unwrap()
        };
        assert_eq!(tidy(&affinity(r#", "values": []"#)), affinity(""));
    }

    #[test]
    fn what_would_lack_a_required_field_stays() {
        let written: TopologySpreadConstraint = serde_json::from_str(
            r#"{"maxSkew": 1, "topologyKey": "", "whenUnsatisfiable": "DoNotSchedule"}"#,
        )
        .unwrap();
        assert_eq!(tidy(&written), written);
    }
}
