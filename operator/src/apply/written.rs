//! What this process wrote last, and how the API server keeps it.
//!
//! Two things follow that the cache alone cannot tell: whether it lags behind our own write, and whether what looks
//! like a difference is how the API server, or somebody's admission webhook, wants it: to apply that again and again
//! would never end.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::{Map, Value};

use crate::fingerprint;

/// A child, by the uid of its pipeline, its kind and its name.
type Place = (String, String, String);

/// What was written, of all pipelines.
#[derive(Debug, Default)]
pub struct Written(Mutex<BTreeMap<Place, Write>>);

/// One write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Write {
    /// Fingerprint of what was sent.
    pub(super) desired: String,
    /// The version that came of it.
    pub(super) version: Option<String>,
    /// Fingerprint of what the API server made of it.
    pub(super) kept: String,
}

impl Written {
    pub(super) fn get(&self, uid: &str, kind: &str, name: &str) -> Option<Write> {
        self.lock().get(&place(uid, kind, name)).cloned()
    }

    pub(super) fn note(&self, uid: &str, kind: &str, name: &str, write: Write) {
        self.lock().insert(place(uid, kind, name), write);
    }

    /// Forgets a pipeline that is gone.
    pub fn forget(&self, uid: &str) {
        self.lock().retain(|(owner, _, _), _| owner != uid);
    }

    #[cfg(test)]
    pub(crate) fn note_any(&self, uid: &str) {
        let write = Write { desired: String::new(), version: None, kept: String::new() };
        self.note(uid, "Deployment", "any", write);
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Place, Write>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write {
    /// Whether there is no need to send `desired`, although `live` differs from it.
    pub(super) fn is_enough(&self, desired: &str, live: &Value) -> bool {
        let version = live["metadata"]["resourceVersion"].as_str();
        self.desired == desired
            && (is_older(version, self.version.as_deref()) || self.kept == kept(live))
    }
}

/// Whether one version comes before another. They are numbers that grow, which Kubernetes promises since 1.35; what is
/// none is not older.
pub(crate) fn is_older(version: Option<&str>, than: Option<&str>) -> bool {
    let number = |text: Option<&str>| text.and_then(|it| it.parse::<u128>().ok());
    number(version).zip(number(than)).is_some_and(|(version, than)| version < than)
}

/// Fingerprint of all that somebody may want of an object, without what the API server notes for itself.
pub(super) fn kept(live: &Value) -> String {
    let mut object = live.as_object().cloned().unwrap_or_default();
    object.remove("status");
    let metadata = object.get("metadata").and_then(Value::as_object);
    let fields = ["labels", "annotations", "ownerReferences"];
    let metadata: Map<String, Value> = metadata
        .into_iter()
        .flatten()
        .filter(|(name, _)| fields.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    object.insert("metadata".to_owned(), metadata.into());
    fingerprint(&Value::Object(object))
}

/// A short text that differs when the value does.
pub(super) fn fingerprint(value: &Value) -> String {
    fingerprint::fingerprint(&value.to_string())
}

fn place(uid: &str, kind: &str, name: &str) -> Place {
    (uid.to_owned(), kind.to_owned(), name.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn write(live: &Value) -> Write {
        Write { desired: "d".to_owned(), version: Some("10".to_owned()), kept: kept(live) }
    }

    fn live(version: &str, image: &str) -> Value {
        json!({"metadata": {"resourceVersion": version, "labels": {"a": "b"}}, "spec": {"image": image}, "status": {}})
    }

    #[test]
    fn a_cache_that_lags_behind_our_write_does_not_make_us_write_again() {
        let write = write(&live("10", "new"));
        assert!(write.is_enough("d", &live("9", "old")));
        assert!(!write.is_enough("d", &live("11", "old")), "somebody has changed it since");
        assert!(!write.is_enough("other", &live("9", "old")), "something else is wanted now");
    }

    #[test]
    fn what_a_webhook_makes_of_our_write_is_not_fought() {
        let write = write(&live("10", "mirror/new"));
        let mut later = live("12", "mirror/new");
        later["status"]["ready"] = true.into();
        assert!(write.is_enough("d", &later));
        assert!(!write.is_enough("d", &live("12", "evil")));
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(is_older(Some("9"), Some("10")));
        assert!(!is_older(Some("10"), Some("10")));
        assert!(!is_older(None, Some("10")) && !is_older(Some("x"), Some("10")));
    }

    #[test]
    fn what_is_forgotten_is_gone() {
        let written = Written::default();
        written.note("u", "Deployment", "a", write(&live("1", "i")));
        written.note("v", "Deployment", "a", write(&live("1", "i")));
        written.forget("u");
        assert_eq!(written.get("u", "Deployment", "a"), None);
        assert!(written.get("v", "Deployment", "a").is_some());
    }

    #[test]
    fn fingerprints_stay_the_same_for_ever() {
        assert_eq!(fingerprint(&json!({"a": 1})), fingerprint(&json!({"a": 1})));
        assert_eq!(fingerprint(&json!("")), "07cc7607b4949e25");
    }
}
