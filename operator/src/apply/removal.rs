//! Children that are no longer wanted are deleted, by their uid.

use kube::{
    Resource, ResourceExt,
    api::{DeleteParams, Preconditions},
};

use super::{
    child::Writer,
    kinds::Child,
    ownership::{Standing, standing},
};

impl Writer<'_> {
    /// Deletes what the cache shows.
    pub(super) async fn remove_unwanted<K: Child>(&mut self, desired: &[K]) {
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
    pub(super) async fn remove_unseen<K: Child>(&mut self, desired: &[K]) {
        let (kind, owner) = (K::kind(&()), &self.pipeline.uid);
        let names: Vec<_> = desired.iter().map(ResourceExt::name_any).collect();
        for live in self.ctx.written.unseen(owner, &kind) {
            let name = live.name_any();
            let cached = K::cached(&self.set.children).store().get(&self.here(&name));
            if names.contains(&name) || cached.is_some() {
                continue;
            }
            match self.api::<K>().delete(&name, &deletion(&*live)).await {
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
