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
use kube::{Resource, ResourceExt, core::DeserializeGuard};

use super::{
    Conflict, Left, World,
    claim::{Claim, claims_of},
    conflict,
    held::{self, Held},
};
use crate::{
    apply::{Written, belongs_to, is_made_by_us},
    build::{
        Resources,
        labels::{COMPONENT, INSTANCE, PIPELINE_UID},
        names,
    },
    caches::{CacheSet, Key},
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
    let pods = exists.pods(object);
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
        newest.filter(|it| is_made_by_us(&**it) && belongs_to(&**it) == uid)
    }

    /// A pipeline's pods.
    fn pods(&self, object: &BatchPipeline) -> Vec<Arc<Pod>> {
        let uid = object.metadata.uid.as_deref();
        let mut pods = self.set.children.pods.made_for(&Key::of(object), uid.unwrap_or_default());
        pods.retain(|pod| held::is_made_for(pod, uid));
        pods
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
        // A pod may have outlived the Deployment on which that is noted.
        let is_such =
            |pod: &Pod| pod.metadata.namespace.as_ref() == here && held::names(pod, &texts);
        let pods = self.exists.set.children.pods.store().state_filter(is_such);
        let worked_with =
            pods.iter().filter_map(|pod| pod.annotations().get(PIPELINE_UID).cloned());
        heard.chain(written).chain(granted).chain(worked_with).collect()
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
        for pod in self.exists.pods(object) {
            held.add_pod(&pod);
        }
        held
    }

    fn left(&self, object: &BatchPipeline, claims: &[Claim]) -> Vec<Left> {
        let texts = held::texts(claims);
        let deployments = self.deployments_left(object, &texts).into_iter();
        let mut left: Vec<_> = deployments.chain(self.pods_left(&texts)).collect();
        left.retain(|it| claims.contains(&it.claim));
        left
    }
}

impl Known<'_> {
    /// What the Deployments have whose pipeline is gone, or cannot be read. Those of its own name are in the object's way
    /// in any case: its children have the same names.
    fn deployments_left(&self, object: &BatchPipeline, texts: &[String]) -> Vec<Left> {
        let is_readable =
            |uid: &str| self.pipelines().iter().any(|it| it.metadata.uid.as_deref() == Some(uid));
        let here = self.namespace();
        let is_left = |it: &Deployment| {
            it.metadata.namespace.as_ref() == here
                && held::may_name(it, texts)
                && held::may_have_pods(it)
                && is_made_by_us(it)
                && belongs_to(it).is_some_and(|uid| !is_readable(uid))
                && it.labels().get(INSTANCE).is_none_or(|name| name != object.name())
        };
        let left = self.exists.set.children.deployments.store().state_filter(is_left);
        left.iter().flat_map(|it| all_of(&**it, held::noted(&**it))).collect()
    }

    /// What the pods have whose pipeline is gone, or cannot be read: they outlive their Deployment.
    fn pods_left(&self, texts: &[String]) -> Vec<Left> {
        let here = self.namespace();
        let pipelines = self.exists.set.pipelines.store();
        let is_one_s = |pod: &Pod| {
            let name = pod.labels().get(INSTANCE).cloned().unwrap_or_default();
            let key = Key { namespace: pod.namespace().unwrap_or_default(), name };
            let pipeline = pipelines.get(&key.object()).filter(|it| it.0.is_ok());
            pipeline.is_some_and(|it| held::is_made_for(pod, it.meta().uid.as_deref()))
        };
        let is_left = |pod: &Pod| {
            pod.metadata.namespace.as_ref() == here && held::names(pod, texts) && !is_one_s(pod)
        };
        let left = self.exists.set.children.pods.store().state_filter(is_left);
        left.iter().flat_map(|it| all_of(&**it, Some(held::in_use(it)))).collect()
    }

    /// That of all pipelines here.
    fn namespace(&self) -> Option<&String> {
        self.pipelines.first().and_then(|it| it.meta().namespace.as_ref())
    }
}

/// All that an object has which is left.
fn all_of(object: &impl Resource, claims: Option<Vec<Claim>>) -> Vec<Left> {
    let name = object.labels().get(INSTANCE).cloned().unwrap_or_else(|| object.name_any());
    let is_ending = object.meta().deletion_timestamp.is_some();
    let left = |claim| Left { is_ending, name: name.clone(), claim };
    claims.into_iter().flatten().map(left).collect()
}
