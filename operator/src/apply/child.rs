//! One child: is it there, is it ours, is it as wanted; and the one request that makes it so.

use kube::{
    Api, Resource, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, Preconditions},
    runtime::reflector::ObjectRef,
};
use serde_json::{Value, json};

use super::{
    Applied, Failure,
    covers::missing,
    failure::Attempt,
    kinds::Child,
    ownership::{APPLIED, Standing, standing},
    written::{Write, fingerprint, kept},
};
use crate::{caches::CacheSet, context::Context, pipeline::Pipeline, settings::FIELD_MANAGER};

/// A version that no object has: etcd begins to count above it. An apply that carries it creates, or fails with a
/// conflict; without it, an apply would take over what somebody else made a moment before.
const NO_VERSION: &str = "1";

/// Writes the children of one pipeline.
pub(super) struct Writer<'a> {
    pub(super) ctx: &'a Context,
    pub(super) pipeline: &'a Pipeline,
    pub(super) set: &'a CacheSet,
    pub(super) applied: &'a mut Applied,
}

/// A child as it should be, ready to be sent.
struct Wanted {
    name: String,
    object: Value,
    fingerprint: String,
}

impl Writer<'_> {
    /// Applies all children of a kind, and deletes those that are no longer wanted.
    pub(super) async fn kind<K: Child>(&mut self, desired: &[K]) {
        self.kind_only(desired, |_| true).await;
    }

    /// The same, but what may not be written now stays as it is.
    pub(super) async fn kind_only<K: Child>(&mut self, desired: &[K], may: fn(&K) -> bool) {
        let cached = K::cached(&self.set.children);
        if let Some(why) = cached.refused() {
            for object in desired {
                let failure = self.about::<K>("watch", &object.name_any(), |it| it.unseen(&why));
                self.applied.failures.push(failure);
            }
            return;
        }
        for object in desired.iter().filter(|it| may(*it)) {
            match Wanted::of(object) {
                Ok(wanted) => self.one::<K>(wanted).await,
                Err(error) => {
                    let failure = self.failed::<K>(
                        "patch",
                        &object.name_any(),
                        &kube::Error::SerdeError(error),
                    );
                    self.applied.failures.push(failure);
                }
            }
        }
        self.remove_unwanted(desired).await;
        self.remove_unseen(desired).await;
    }

    /// Whether these, which were the first to be written, are known to be ours. One that could not be read or written may
    /// be somebody else's, unless it was seen to be ours before.
    pub(super) fn are_ours<K: Child>(&self, objects: &[K]) -> bool {
        let is_seen = |object: &K| {
            let live = K::cached(&self.set.children).store().get(&self.here(&object.name_any()));
            live.is_some_and(|live| standing(&*live, &self.pipeline.uid) == Standing::Ours)
        };
        self.applied.failures.is_empty() || objects.iter().all(is_seen)
    }

    async fn one<K: Child>(&mut self, wanted: Wanted) {
        let kind = K::kind(&()).into_owned();
        match self.ensure::<K>(&wanted).await {
            Ok(true) => self.applied.written.push(format!("{kind} {}", wanted.name)),
            Ok(false) => {}
            Err(failure) => self.applied.failures.push(failure),
        }
    }

    /// Whether something had to be written.
    async fn ensure<K: Child>(&self, wanted: &Wanted) -> Result<bool, Failure> {
        let api = self.api::<K>();
        if let Some(live) = K::cached(&self.set.children).store().get(&self.here(&wanted.name)) {
            return self.change(&api, &*live, wanted).await;
        }
        // The cache holds only what carries our label: this may be relabelled, somebody else's, or not seen yet.
        let found = api.get_opt(&wanted.name).await;
        match found.map_err(|error| self.failed::<K>("get", &wanted.name, &error))? {
            Some(live) => {
                if let Some(deployment) = live.deployment() {
                    let is_ours = standing(&live, &self.pipeline.uid) == Standing::Ours;
                    let answer = Some(deployment).filter(|_| is_ours);
                    self.ctx.written.found(&self.pipeline.uid, &wanted.name, answer);
                }
                self.change(&api, &live, wanted).await
            }
            None => self.send(&api, wanted, json!({"resourceVersion": NO_VERSION})).await,
        }
    }

    async fn change<K: Child>(
        &self,
        api: &Api<K>,
        live: &K,
        wanted: &Wanted,
    ) -> Result<bool, Failure> {
        let name = &wanted.name;
        match standing(live, &self.pipeline.uid) {
            Standing::Ours => {}
            Standing::Leaving(why) => {
                return Err(self.about::<K>("patch", name, |it| it.leaving(why)));
            }
            Standing::Foreign(why) => {
                return Err(self.about::<K>("patch", name, |it| it.taken(&why)));
            }
        }
        let found = serde_json::to_value(live)
            .map_err(|error| self.failed::<K>("patch", name, &kube::Error::SerdeError(error)))?;
        let write = self.ctx.written.get(&self.pipeline.uid, &K::kind(&()), &wanted.name);
        let is_enough = || write.is_some_and(|it| it.is_enough(&wanted.fingerprint, &found));
        let Some(field) = missing(&found, &wanted.object).filter(|_| !is_enough()) else {
            return Ok(false);
        };
        tracing::debug!(kind = %K::kind(&()), name, field, "differs from what is wanted");
        self.send(api, wanted, json!({"uid": live.uid()})).await
    }

    /// Applies; `precondition` are fields of the metadata that say which object, or that there must be none.
    async fn send<K: Child>(
        &self,
        api: &Api<K>,
        wanted: &Wanted,
        precondition: Value,
    ) -> Result<bool, Failure> {
        let mut object = wanted.object.clone();
        let conditions = precondition.as_object().into_iter().flatten();
        for (field, value) in conditions {
            object["metadata"][field] = value.clone();
        }
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let answer = api.patch(&wanted.name, &params, &Patch::Apply(&object)).await;
        let live = answer.map_err(|error| self.failed::<K>("patch", &wanted.name, &error))?;
        let value = serde_json::to_value(&live).unwrap_or_default();
        let write = Write {
            desired: wanted.fingerprint.clone(),
            version: live.resource_version(),
            kept: kept(&value),
            answer: live.deployment(),
        };
        self.ctx.written.note(&self.pipeline.uid, &K::kind(&()), &wanted.name, write);
        Ok(true)
    }

    async fn remove_unwanted<K: Child>(&mut self, desired: &[K]) {
        let is_wanted =
            |name: &str| desired.iter().any(|it| it.meta().name.as_deref() == Some(name));
        let is_unwanted = |live: &K| {
            live.namespace().as_deref() == Some(&self.pipeline.namespace)
                && standing(live, &self.pipeline.uid) == Standing::Ours
                && !is_wanted(&live.name_any())
        };
        for live in K::cached(&self.set.children).store().state_filter(is_unwanted) {
            let name = live.name_any();
            match self.api::<K>().delete(&name, &deletion(&*live)).await {
                Ok(_) => self.applied.deleted.push(format!("{} {name}", K::kind(&()))),
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                Err(error) => {
                    let failure = self.failed::<K>("delete", &name, &error);
                    self.applied.failures.push(failure);
                }
            }
        }
    }

    /// Deletes what was made and is no longer wanted before the cache has shown it.
    async fn remove_unseen<K: Child>(&mut self, desired: &[K]) {
        let (kind, owner) = (K::kind(&()), &self.pipeline.uid);
        let names: Vec<_> = desired.iter().map(ResourceExt::name_any).collect();
        for live in self.ctx.written.unseen(owner, &kind) {
            let name = live.name_any();
            let cached = K::cached(&self.set.children).store().get(&self.here(&name));
            if names.contains(&name) || cached.is_some() {
                continue;
            }
            let preconditions = Preconditions { uid: live.uid(), resource_version: None };
            let params = DeleteParams::background().preconditions(preconditions);
            match self.api::<K>().delete(&name, &params).await {
                Ok(_) => self.applied.deleted.push(format!("{kind} {name}")),
                // It is gone, or another one has its name by now, which the cache will show.
                Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {
                    self.ctx.written.remove(owner, &kind, &name);
                }
                Err(error) => {
                    let failure = self.failed::<K>("delete", &name, &error);
                    self.applied.failures.push(failure);
                }
            }
        }
    }

    /// The place of a child in its cache.
    fn here<K: Child>(&self, name: &str) -> ObjectRef<K> {
        ObjectRef::new(name).within(&self.pipeline.namespace)
    }

    fn api<K: Child>(&self) -> Api<K> {
        Api::namespaced(self.ctx.client.clone(), &self.pipeline.namespace)
    }

    fn failed<K: Child>(&self, verb: &'static str, name: &str, error: &kube::Error) -> Failure {
        self.about::<K>(verb, name, |attempt| attempt.failed(error))
    }

    fn about<K: Child>(
        &self,
        verb: &'static str,
        name: &str,
        say: impl FnOnce(&Attempt<'_>) -> Failure,
    ) -> Failure {
        let (kind, plural, group) = (K::kind(&()), K::plural(&()), K::group(&()));
        let resource =
            if group.is_empty() { plural.into_owned() } else { format!("{plural}.{group}") };
        let namespace = &self.pipeline.namespace;
        say(&Attempt { verb, kind: &kind, resource: &resource, namespace, name })
    }
}

impl Wanted {
    fn of<K: Child>(object: &K) -> Result<Self, serde_json::Error> {
        let mut value = serde_json::to_value(object)?;
        let fingerprint = fingerprint(&value);
        value["metadata"]["annotations"][APPLIED] = fingerprint.clone().into();
        Ok(Self { name: object.name_any(), object: value, fingerprint })
    }
}

/// Of this object and no other of its name. Not of this version: the status of a Deployment whose pods come and go is
/// written again and again, and then no deletion would ever be in time.
fn deletion(live: &impl Resource) -> DeleteParams {
    let preconditions = Preconditions { uid: live.meta().uid.clone(), resource_version: None };
    DeleteParams::background().preconditions(preconditions)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::Deployment;

    use super::*;

    #[test]
    fn a_deletion_is_about_one_object_whatever_happened_to_it_since() {
        let mut live = Deployment::default();
        live.metadata.uid = Some("u".to_owned());
        live.metadata.resource_version = Some("7".to_owned());
        let conditions = deletion(&live).preconditions.unwrap();
        assert_eq!((conditions.uid.as_deref(), conditions.resource_version), (Some("u"), None));
    }
}
