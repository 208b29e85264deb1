//! One child: is it there, is it ours, is it as wanted; and the one request that makes it so.

use std::time::Instant;

use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams},
    runtime::reflector::ObjectRef,
};
use serde_json::{Value, json};

use super::{
    Applied, Failure,
    contest::Rival,
    covers::missing,
    failure::{Attempt, is_refusal},
    kinds::Child,
    ownership::{APPLIED, Standing, standing},
    put_back::put_back,
    reclaim::{Refused, reclaim},
    written::{Place, Write, fingerprint, kept, place},
};
use crate::{
    caches::{CacheSet, is_applied_by_us},
    context::Context,
    pipeline::Pipeline,
    readable::Readable,
    settings::FIELD_MANAGER,
};

/// A version that no object has: etcd begins to count above it. An apply that carries it creates, or fails with a
/// conflict; without it, an apply would take over what somebody else made a moment before.
pub(super) const NO_VERSION: &str = "1";
/// Where the API server notes who has applied what.
const MANAGED: &str = "metadata.managedFields";

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
        let done = self.ensure::<K>(&wanted).await;
        if matches!(done, Ok(true)) {
            self.applied.written.push(format!("{kind} {}", wanted.name));
        }
        let rival = self.ctx.written.contests.rival(&self.place::<K>(&wanted), Instant::now());
        let contested = rival.map(|Rival { name }| {
            self.about::<K>("patch", &wanted.name, |attempt| attempt.contested(name.as_deref()))
        });
        self.applied.failures.extend(done.err().or(contested));
    }

    /// Whether something had to be written.
    async fn ensure<K: Child>(&self, wanted: &Wanted) -> Result<bool, Failure> {
        let api = self.api::<K>();
        if let Some(live) = K::cached(&self.set.children).store().get(&self.here(&wanted.name)) {
            return self.change(&api, &*live, wanted).await;
        }
        // The cache holds only what carries our label: this may be relabelled, somebody else's, or not seen yet.
        let found = api.get_opt(&wanted.name).await;
        let found = found.map_err(|error| self.failed::<K>("get", &wanted.name, &error))?;
        let Some(Readable(live)) = found else {
            let sent = self.send(&api, wanted, &json!({"resourceVersion": NO_VERSION})).await;
            return sent.map_err(|error| self.failed::<K>("patch", &wanted.name, &error));
        };
        if let Some(deployment) = live.deployment() {
            let is_ours = standing(&live, &self.pipeline.uid) == Standing::Ours;
            let answer = Some(deployment).filter(|_| is_ours);
            self.ctx.written.found(&self.pipeline.uid, &wanted.name, answer);
        }
        self.change(&api, &live, wanted).await
    }

    async fn change<K: Child>(
        &self,
        api: &Api<Readable<K>>,
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
        let write = write.as_ref();
        let is_enough = || write.is_some_and(|it| it.is_enough(&wanted.fingerprint, &found));
        // Without our entry nothing that is no longer wanted would ever be removed.
        let is_lost = || !is_applied_by_us(live) && !write.is_some_and(|it| it.is_newer(&found));
        let differs = missing(&found, &wanted.object).filter(|_| !is_enough());
        let Some(field) = differs.or_else(|| is_lost().then(|| MANAGED.to_owned())) else {
            return Ok(false);
        };
        tracing::debug!(kind = %K::kind(&()), name, field, "differs from what is wanted");
        let sent = if write.is_some_and(|it| it.desired == wanted.fingerprint) {
            self.put_back(api, live, wanted).await
        } else {
            self.put(api, live, wanted).await
        };
        sent.map_err(|error| self.failed::<K>("patch", name, &error))
    }

    /// Applies once more what was applied already: somebody has changed it since.
    async fn put_back<K: Child>(
        &self,
        api: &Api<Readable<K>>,
        live: &K,
        wanted: &Wanted,
    ) -> Result<bool, kube::Error> {
        let contests = &self.ctx.written.contests;
        let write = Box::pin(self.put(api, live, wanted));
        let written = put_back(contests, api, self.place::<K>(wanted), write).await?;
        Ok(written.unwrap_or(false))
    }

    /// Applies to what exists. What others made of it may make it impossible, and then nothing of their spec is kept.
    async fn put<K: Child>(
        &self,
        api: &Api<Readable<K>>,
        live: &K,
        wanted: &Wanted,
    ) -> Result<bool, kube::Error> {
        let uid = live.uid();
        let precondition = json!({"uid": uid});
        let sent = self.send(api, wanted, &precondition).await;
        let Err(kube::Error::Api(refusal)) = &sent else { return sent };
        let (name, uid) = (wanted.name.as_str(), uid.as_deref());
        let refused = Refused { name, uid, wanted: &wanted.object, refusal };
        if is_refusal(refusal) && reclaim(api, refused).await? {
            return self.send(api, wanted, &precondition).await;
        }
        sent
    }

    /// Applies; `precondition` are fields of the metadata that say which object, or that there must be none.
    async fn send<K: Child>(
        &self,
        api: &Api<Readable<K>>,
        wanted: &Wanted,
        precondition: &Value,
    ) -> Result<bool, kube::Error> {
        let mut object = wanted.object.clone();
        let conditions = precondition.as_object().into_iter().flatten();
        for (field, value) in conditions {
            object["metadata"][field] = value.clone();
        }
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let Readable(live) = api.patch(&wanted.name, &params, &Patch::Apply(&object)).await?;
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

    /// The place of a child in its cache.
    pub(super) fn here<K: Child>(&self, name: &str) -> ObjectRef<K> {
        ObjectRef::new(name).within(&self.pipeline.namespace)
    }

    fn place<K: Child>(&self, wanted: &Wanted) -> Place {
        place(&self.pipeline.uid, &K::kind(&()), &wanted.name)
    }

    pub(super) fn api<K: Child>(&self) -> Api<Readable<K>> {
        Api::namespaced(self.ctx.client.clone(), &self.pipeline.namespace)
    }

    pub(super) fn failed<K: Child>(
        &self,
        verb: &'static str,
        name: &str,
        error: &kube::Error,
    ) -> Failure {
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
