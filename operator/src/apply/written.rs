//! What this process wrote last, and how the API server keeps it.
//!
//! Three things follow that the cache alone cannot tell: whether it lags behind our own write; what a Deployment is
//! until the cache has caught up; and whether what looks like a difference is how the API server, or somebody's
//! admission webhook, wants it: to apply that again and again would never end.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use batchpipe_api::pipeline::BatchPipeline;
use k8s_openapi::api::apps::v1::Deployment;
use kube::{Resource, ResourceExt, runtime::reflector::ObjectRef};
use serde_json::{Map, Value};

use super::{contest::Contests, trial::Trials};
use crate::{caches::CacheSet, fingerprint};

/// A child, by the uid of its pipeline, its kind and its name.
pub(super) type Place = (String, String, String);

/// What was written, of all pipelines.
#[derive(Debug, Default)]
pub struct Written {
    writes: Mutex<BTreeMap<Place, Write>>,
    /// Children that others keep changing.
    pub(super) contests: Contests,
    /// What was tried before it is written.
    pub(super) trials: Trials,
}

/// One write.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Write {
    /// Fingerprint of what was sent.
    pub(super) desired: String,
    /// The version that came of it.
    pub(super) version: Option<String>,
    /// Fingerprint of what the API server made of it.
    pub(super) kept: String,
    /// The API server's answer, as long as the cache is not known to have it.
    pub(super) answer: Option<Arc<Deployment>>,
}

impl Written {
    pub(super) fn get(&self, uid: &str, kind: &str, name: &str) -> Option<Write> {
        self.lock().get(&place(uid, kind, name)).cloned()
    }

    pub(super) fn note(&self, uid: &str, kind: &str, name: &str, write: Write) {
        self.lock().insert(place(uid, kind, name), write);
    }

    /// The newest that is known of a pipeline's Deployment of this name, whoever's it is.
    pub fn newest_of(
        &self,
        set: &CacheSet,
        object: &BatchPipeline,
        name: &str,
    ) -> Option<Arc<Deployment>> {
        let namespace = object.namespace().unwrap_or_default();
        self.newest_at(set, &namespace, &object.uid().unwrap_or_default(), name)
    }

    /// The same by namespace and uid of the pipeline.
    pub(super) fn newest_at(
        &self,
        set: &CacheSet,
        namespace: &str,
        uid: &str,
        name: &str,
    ) -> Option<Arc<Deployment>> {
        let here = ObjectRef::new(name).within(namespace);
        self.newest(uid, name, set.children.deployments.store().get(&here))
    }

    /// The API server's answer to our write, until the cache has caught up with it.
    fn newest(
        &self,
        uid: &str,
        name: &str,
        cached: Option<Arc<Deployment>>,
    ) -> Option<Arc<Deployment>> {
        let mut all = self.lock();
        let Some(write) = all.get_mut(&place(uid, &Deployment::kind(&()), name)) else {
            return cached;
        };
        let version = cached.as_ref().and_then(|it| it.resource_version());
        if cached.is_some() && !is_older(version.as_deref(), write.version.as_deref()) {
            write.answer = None;
        }
        write.answer.clone().or(cached)
    }

    /// The Deployments of a pipeline that the cache was not known to have.
    pub(super) fn unseen(&self, uid: &str, kind: &str) -> Vec<Arc<Deployment>> {
        let all = self.lock();
        let ours = all.iter().filter(|((owner, of, _), _)| owner == uid && of == kind);
        ours.filter_map(|(_, write)| write.answer.clone()).collect()
    }

    /// The pipelines of which the newest known of some Deployment is our write's answer, and such a one.
    pub(crate) fn owners(&self, is_such: impl Fn(&Deployment) -> bool) -> Vec<String> {
        let all = self.lock();
        let such = all.iter().filter(|(_, write)| write.answer.as_deref().is_some_and(&is_such));
        such.map(|((owner, _, _), _)| owner.clone()).collect()
    }

    /// What was read of a Deployment that the cache does not have; absent: it is not ours any more.
    pub(super) fn found(&self, uid: &str, name: &str, answer: Option<Arc<Deployment>>) {
        if let Some(write) = self.lock().get_mut(&place(uid, &Deployment::kind(&()), name)) {
            if let Some(found) = &answer {
                write.version = found.resource_version();
            }
            write.answer = answer;
        }
    }

    /// Forgets one write.
    pub(super) fn remove(&self, uid: &str, kind: &str, name: &str) {
        self.lock().remove(&place(uid, kind, name));
    }

    /// Forgets a pipeline that is gone.
    pub fn forget(&self, uid: &str) {
        self.lock().retain(|(owner, _, _), _| owner != uid);
        self.contests.forget(uid);
        self.trials.forget(uid);
    }

    #[cfg(test)]
    pub(crate) fn note_any(&self, uid: &str) {
        let write =
            Write { desired: String::new(), version: None, kept: String::new(), answer: None };
        self.note(uid, "Deployment", "any", write);
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Place, Write>> {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write {
    /// Whether there is no need to send `desired`, although `live` differs from it.
    pub(super) fn is_enough(&self, desired: &str, live: &Value) -> bool {
        self.desired == desired && (self.is_newer(live) || self.kept == kept(live))
    }

    /// Whether `live` is of a time before this write.
    pub(super) fn is_newer(&self, live: &Value) -> bool {
        is_older(live["metadata"]["resourceVersion"].as_str(), self.version.as_deref())
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

pub(super) fn place(uid: &str, kind: &str, name: &str) -> Place {
    (uid.to_owned(), kind.to_owned(), name.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn write(live: &Value) -> Write {
        let (desired, version) = ("d".to_owned(), Some("10".to_owned()));
        Write { desired, version, kept: kept(live), answer: None }
    }

    fn deployment(version: &str) -> Arc<Deployment> {
        let mut deployment = Deployment::default();
        deployment.metadata.resource_version = Some(version.to_owned());
        Arc::new(deployment)
    }

    fn newest(written: &Written, cached: Option<&str>) -> Option<String> {
        written.newest("u", "a", cached.map(deployment))?.resource_version()
    }

    #[test]
    fn what_the_api_server_answered_counts_until_the_cache_has_caught_up() {
        let written = Written::default();
        assert_eq!(newest(&written, Some("9")).as_deref(), Some("9"));
        let version = Some("10".to_owned());
        let write = Write { version, answer: Some(deployment("10")), ..Write::default() };
        written.note("u", "Deployment", "a", write);
        assert_eq!(newest(&written, Some("9")).as_deref(), Some("10"));
        assert_eq!(newest(&written, None).as_deref(), Some("10"), "not seen yet");
        assert_eq!(newest(&written, Some("11")).as_deref(), Some("11"));
        assert_eq!(newest(&written, None), None, "seen, and gone since");
    }

    #[test]
    fn what_was_read_counts_until_the_cache_has_caught_up_with_that() {
        let written = Written::default();
        let version = Some("10".to_owned());
        let write = Write { version, answer: Some(deployment("10")), ..Write::default() };
        written.note("u", "Deployment", "a", write);
        written.found("u", "a", Some(deployment("12")));
        assert_eq!(newest(&written, Some("11")).as_deref(), Some("12"), "ours, and changed since");
        assert_eq!(newest(&written, Some("12")).as_deref(), Some("12"));
        assert_eq!(newest(&written, Some("13")).as_deref(), Some("13"));
        written.found("u", "a", None);
        assert_eq!(newest(&written, None), None, "not ours any more");
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
