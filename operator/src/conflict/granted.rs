//! Who may have what, decided by one look after the other. Reads caches; nothing is sent.
//!
//! Looks run beside each other, and what one of them is about to make is in no cache yet. So what it was granted is
//! noted before it makes anything, under the same lock as the decision, and for as long as it may be made.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use batchpipe_api::{pipeline::BatchPipeline, report::Role};
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Pod};
use kube::{Resource as _, ResourceExt, core::DeserializeGuard};

use super::{
    Conflict, World,
    claim::{Claim, claims_of},
    conflict,
    held::{self, Held},
};
use crate::{
    apply::{Written, belongs_to},
    build::{
        Resources,
        labels::{COMPONENT, INSTANCE},
        names,
    },
    caches::{CacheSet, Key, is_applied_by_us},
};

/// What was granted and may not exist yet, by the uid of the pipeline.
type Grants = BTreeMap<String, Vec<(Role, Claim)>>;

/// What pipelines were granted and are about to make.
#[derive(Debug, Default)]
pub struct Granted(Mutex<Grants>);

/// What exists.
#[derive(Clone, Copy)]
pub struct Exists<'a> {
    /// As last heard.
    pub set: &'a CacheSet,
    /// As last written.
    pub written: &'a Written,
}

impl Granted {
    /// Grants the object all that it wants, until [`Self::release`]; or says who has it.
    pub fn grant(&self, object: &BatchPipeline, exists: Exists<'_>) -> Result<(), Conflict> {
        let mut grants = self.lock();
        let here = |other: &DeserializeGuard<BatchPipeline>| {
            other.meta().namespace == object.metadata.namespace
        };
        let pipelines = exists.set.pipelines.store().state_filter(here);
        let uid = object.uid().unwrap_or_default();
        if let Some(conflict) = conflict(object, &Known { exists, pipelines, grants: &grants }) {
            grants.remove(&uid);
            return Err(conflict);
        }
        let of = |role| claims_of(object, role).into_iter().map(move |claim| (role, claim));
        grants.insert(uid, Role::ALL.into_iter().flat_map(of).collect());
        Ok(())
    }

    /// What the pipeline has from now on is what exists.
    pub fn release(&self, uid: &str) {
        self.lock().remove(uid);
    }

    /// Nobody makes anything any more.
    pub fn release_all(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, Grants> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes on the Deployments that are to be written, and on their pods, what the pods may have.
pub fn note(resources: &mut Resources, object: &BatchPipeline, exists: Exists<'_>) {
    let pods = exists.pods(&Key::of(object));
    for desired in &mut resources.deployments {
        let name = desired.name_any();
        let role = Role::ALL.into_iter().find(|role| names::side(object.name(), *role) == name);
        let wants = role.map(|role| claims_of(object, role)).unwrap_or_default();
        let side = desired.labels().get(COMPONENT);
        let pods: Vec<_> =
            pods.iter().filter(|pod| pod.labels().get(COMPONENT) == side).cloned().collect();
        held::note(desired, exists.deployment(object, &name).as_deref(), &pods, &wants);
    }
}

impl Exists<'_> {
    /// The newest of a pipeline's Deployment that is known, if it is the pipeline's; also one that is being deleted, for
    /// its pods go on until then.
    fn deployment(&self, object: &BatchPipeline, name: &str) -> Option<Arc<Deployment>> {
        let newest = self.written.newest_of(self.set, object, name);
        let uid = object.metadata.uid.as_deref();
        newest.filter(|it| is_applied_by_us(&**it) && belongs_to(&**it) == uid)
    }

    /// The pods that have the label of a pipeline.
    fn pods(&self, key: &Key) -> Vec<Arc<Pod>> {
        self.set.children.pods.of(key)
    }
}

/// What is known at the moment of a decision.
struct Known<'a> {
    exists: Exists<'a>,
    /// Those of one namespace, also such as cannot be read.
    pipelines: Vec<Arc<DeserializeGuard<BatchPipeline>>>,
    grants: &'a Grants,
}

impl World for Known<'_> {
    fn pipelines(&self) -> Vec<&BatchPipeline> {
        self.pipelines.iter().filter_map(|it| it.0.as_ref().ok()).collect()
    }

    fn suspects(&self, claims: &[Claim]) -> BTreeSet<String> {
        let texts = held::texts(claims);
        let here = self.namespace();
        let may_name =
            |it: &Deployment| it.metadata.namespace.as_ref() == here && held::may_name(it, &texts);
        let heard = self.exists.set.children.deployments.store().state_filter(may_name);
        let heard = heard.iter().filter_map(|it| belongs_to(&**it)).map(str::to_owned);
        let written = self.exists.written.owners(may_name);
        let has = |grant: &Vec<(Role, Claim)>| grant.iter().any(|(_, it)| claims.contains(it));
        let granted =
            self.grants.iter().filter(|(_, grant)| has(grant)).map(|(uid, _)| uid.clone());
        heard.chain(written).chain(granted).collect()
    }

    fn held(&self, object: &BatchPipeline) -> Held {
        let mut held = Held::default();
        held.grant(self.grants.get(object.metadata.uid.as_deref().unwrap_or_default()));
        for role in Role::ALL {
            let name = names::side(object.name(), role);
            if let Some(deployment) = self.exists.deployment(object, &name) {
                held.add(role, &deployment, claims_of(object, role));
            }
        }
        for pod in self.exists.pods(&Key::of(object)) {
            held.add_pod(&pod);
        }
        held
    }

    fn left(&self, claims: &[Claim]) -> Vec<(String, Claim)> {
        let deployments = self.deployments_left(claims).into_iter();
        let mut left: Vec<_> = deployments.chain(self.pods_left()).collect();
        left.retain(|(_, claim)| claims.contains(claim));
        left.sort();
        left
    }
}

impl Known<'_> {
    /// What the Deployments have whose pipeline is gone, or cannot be read.
    fn deployments_left(&self, claims: &[Claim]) -> Vec<(String, Claim)> {
        let texts = held::texts(claims);
        let is_readable =
            |uid: &str| self.pipelines().iter().any(|it| it.metadata.uid.as_deref() == Some(uid));
        let here = self.namespace();
        let is_left = |it: &Deployment| {
            it.metadata.namespace.as_ref() == here
                && held::may_name(it, &texts)
                && held::may_have_pods(it)
                && is_applied_by_us(it)
                && belongs_to(it).is_some_and(|uid| !is_readable(uid))
        };
        let left = self.exists.set.children.deployments.store().state_filter(is_left);
        let of = |it: &Arc<Deployment>| {
            let name = it.labels().get(INSTANCE).cloned().unwrap_or_else(|| it.name_any());
            let claims = held::noted(&**it).unwrap_or_default();
            claims.into_iter().map(move |claim| (name.clone(), claim)).collect::<Vec<_>>()
        };
        left.iter().flat_map(of).collect()
    }

    /// What the pods have whose pipeline is gone, or cannot be read: they outlive their Deployment.
    fn pods_left(&self) -> Vec<(String, Claim)> {
        let Some(namespace) = self.namespace() else { return Vec::new() };
        let pipelines = self.exists.set.pipelines.store();
        let is_readable = |key: &Key| pipelines.get(&key.object()).is_some_and(|it| it.0.is_ok());
        let keys = self.exists.set.children.pods.keys(namespace).into_iter();
        let left = keys.filter(|key| !is_readable(key));
        let of = |key: Key| {
            let pods = self.exists.pods(&key);
            let claims: Vec<_> = pods.iter().flat_map(|pod| held::in_use(pod)).collect();
            claims.into_iter().map(move |claim| (key.name.clone(), claim))
        };
        left.flat_map(of).collect()
    }

    /// That of all pipelines here.
    fn namespace(&self) -> Option<&String> {
        self.pipelines.first().and_then(|it| it.meta().namespace.as_ref())
    }
}
