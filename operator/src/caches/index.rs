//! Which objects of a cache belong to which pipeline: with a thousand pipelines, to go through all pods of all of them
//! in every look would cost more than everything else.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use kube::{Resource, ResourceExt, runtime::watcher::Event};

use super::Key;
use crate::build::labels::{INSTANCE, PIPELINE_UID};

/// The names of objects by the pipeline that their label names, and by the one that their annotation does. Clones are the
/// same index.
#[derive(Clone, Debug, Default)]
pub(super) struct Index(Arc<RwLock<Names>>);

#[derive(Debug, Default)]
struct Names {
    /// Of each pipeline.
    by_pipeline: HashMap<Trace, BTreeSet<String>>,
    /// What each object was noted under, by namespace and name: its label may change.
    noted: BTreeMap<(String, String), Vec<Trace>>,
    /// The objects of a list that is not whole yet.
    listed: BTreeMap<(String, String), Vec<Trace>>,
}

/// What of an object leads to its pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Trace {
    /// Its label, with the name.
    Name(Key),
    /// Its annotation, with the uid.
    Uid(String),
}

impl Index {
    /// The names of the objects whose label names this pipeline.
    pub(super) fn names(&self, key: &Key) -> Vec<String> {
        self.names_by(&Trace::Name(key.clone()))
    }

    /// The names of the objects whose annotation has this uid, whatever their label is; they may be of any namespace.
    pub(super) fn names_by_uid(&self, uid: &str) -> Vec<String> {
        self.names_by(&Trace::Uid(uid.to_owned()))
    }

    fn names_by(&self, trace: &Trace) -> Vec<String> {
        self.read().by_pipeline.get(trace).into_iter().flatten().cloned().collect()
    }

    /// Takes what a watch says, as the cache does: a list counts when it is whole.
    pub(super) fn take<K: Resource<DynamicType = ()>>(&self, event: &Event<K>) {
        let mut all = self.write();
        match event {
            Event::Apply(object) => {
                all.remove(&place(object));
                all.insert(place(object), traces(object));
            }
            Event::Delete(object) => all.remove(&place(object)),
            Event::Init => all.listed.clear(),
            Event::InitApply(object) => {
                all.listed.insert(place(object), traces(object));
            }
            Event::InitDone => all.replace(),
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Names> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Names> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Names {
    fn insert(&mut self, place: (String, String), traces: Vec<Trace>) {
        for trace in &traces {
            self.by_pipeline.entry(trace.clone()).or_default().insert(place.1.clone());
        }
        if !traces.is_empty() {
            self.noted.insert(place, traces);
        }
    }

    fn remove(&mut self, place: &(String, String)) {
        for trace in self.noted.remove(place).unwrap_or_default() {
            let Some(names) = self.by_pipeline.get_mut(&trace) else { continue };
            names.remove(&place.1);
            if names.is_empty() {
                self.by_pipeline.remove(&trace);
            }
        }
    }

    fn replace(&mut self) {
        let listed = std::mem::take(&mut self.listed);
        self.by_pipeline.clear();
        self.noted.clear();
        for (place, traces) in listed {
            self.insert(place, traces);
        }
    }
}

fn place(object: &impl Resource) -> (String, String) {
    let meta = object.meta();
    (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
}

fn traces(object: &impl Resource) -> Vec<Trace> {
    let by_name = || {
        let name = object.labels().get(INSTANCE)?.clone();
        Some(Trace::Name(Key { namespace: object.meta().namespace.clone()?, name }))
    };
    let by_uid = object.annotations().get(PIPELINE_UID).cloned().map(Trace::Uid);
    by_name().into_iter().chain(by_uid).collect()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Pod;

    use super::*;

    fn pod(name: &str, pipeline: &str) -> Pod {
        let mut pod = Pod::default();
        pod.metadata.namespace = Some("a".to_owned());
        pod.metadata.name = Some(name.to_owned());
        pod.labels_mut().insert(INSTANCE.to_owned(), pipeline.to_owned());
        pod
    }

    fn names(index: &Index, pipeline: &str) -> Vec<String> {
        index.names(&Key { namespace: "a".to_owned(), name: pipeline.to_owned() })
    }

    #[test]
    fn objects_are_found_by_their_pipeline_until_they_are_deleted() {
        let index = Index::default();
        for name in ["one", "two"] {
            index.take(&Event::Apply(pod(name, "x")));
        }
        index.take(&Event::Apply(pod("three", "y")));
        assert_eq!(names(&index, "x"), ["one", "two"]);
        index.take(&Event::Delete(pod("one", "x")));
        assert_eq!(names(&index, "x"), ["two"]);
    }

    #[test]
    fn an_object_whose_label_changes_is_no_longer_found_by_the_former_one() {
        let index = Index::default();
        index.take(&Event::Apply(pod("one", "x")));
        index.take(&Event::Apply(pod("one", "y")));
        assert_eq!((names(&index, "x").len(), names(&index, "y").len()), (0, 1));
        index.take(&Event::Delete(pod("one", "z")));
        assert!(names(&index, "y").is_empty());
    }

    #[test]
    fn an_object_that_has_lost_its_label_is_found_by_its_annotation() {
        let index = Index::default();
        let mut apart = pod("one", "x");
        apart.annotations_mut().insert(PIPELINE_UID.to_owned(), "u".to_owned());
        index.take(&Event::Apply(apart.clone()));
        assert_eq!(
            (names(&index, "x"), index.names_by_uid("u")),
            (vec!["one".to_owned()], vec!["one".to_owned()])
        );
        apart.labels_mut().clear();
        index.take(&Event::Apply(apart.clone()));
        assert_eq!((names(&index, "x"), index.names_by_uid("u")), (vec![], vec!["one".to_owned()]));
        index.take(&Event::Delete(apart));
        assert!(index.names_by_uid("u").is_empty() && index.read().noted.is_empty());
    }

    #[test]
    fn a_new_list_counts_when_it_is_whole() {
        let index = Index::default();
        index.take(&Event::Apply(pod("old", "x")));
        index.take::<Pod>(&Event::Init);
        index.take(&Event::InitApply(pod("new", "x")));
        assert_eq!(names(&index, "x"), ["old"]);
        index.take::<Pod>(&Event::InitDone);
        assert_eq!(names(&index, "x"), ["new"]);
    }

    #[test]
    fn nothing_is_kept_of_pipelines_without_objects() {
        let index = Index::default();
        index.take(&Event::Apply(pod("one", "x")));
        index.take(&Event::Delete(pod("one", "x")));
        assert!(index.read().by_pipeline.is_empty() && index.read().noted.is_empty());
    }
}
