//! A pipeline on the node: applied, changed and looked at by kubectl.

use serde_json::Value;

use super::{Bed, Manifest, PATIENCE, Pod, bed, try_within, wait_for};

/// A side of a pipeline, as its children's names end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Producer,
    Consumer,
}

impl Side {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        }
    }
}

/// A pipeline that was applied.
pub(crate) struct Pipeline {
    pub(crate) bed: &'static Bed,
    pub(crate) name: String,
}

impl Pipeline {
    /// Applies it.
    pub(crate) fn apply(bed: &'static Bed, manifest: &Manifest) -> Self {
        bed.apply(&manifest.0.to_string()).unwrap();
        Self { bed, name: manifest.name().to_owned() }
    }

    /// Applies the usual one, and waits until records arrive; none where no node can run.
    pub(crate) fn flowing(manifest: &Manifest) -> Option<Self> {
        let pipeline = Self::apply(bed()?, manifest);
        pipeline.await_ready();
        pipeline.await_more();
        Some(pipeline)
    }

    pub(crate) fn object(&self) -> String {
        format!("batchpipeline/{}", self.name)
    }

    pub(crate) fn get(&self) -> Value {
        self.bed.find(&self.object()).unwrap()
    }

    /// A merge patch of the spec.
    pub(crate) fn patch(&self, spec: &Value) {
        let patch = serde_json::json!({"spec": spec}).to_string();
        self.bed.kubectl(&["patch", &self.object(), "--type=merge", "--patch", &patch]);
    }

    /// Waits until what the spec asks for now is there.
    #[track_caller]
    pub(crate) fn await_ready(&self) {
        let is_ready = |object: &Value| {
            let is = |type_| condition(object, type_).is_some_and(|it| it["status"] == "True");
            let is_current =
                object["status"]["observedGeneration"] == object["metadata"]["generation"];
            is_current && is("Ready") && !is("Reconciling")
        };
        let ready = try_within(PATIENCE, || is_ready(&self.get()).then_some(()));
        assert!(ready.is_some(), "{} is not ready: {:#}", self.name, self.get()["status"]);
    }

    /// Waits until a condition has a status and one of its texts contains something, and gives its reason and message.
    #[track_caller]
    pub(crate) fn await_condition(&self, type_: &str, status: &str, text: &str) -> String {
        wait_for(&format!("{type_} of {} to be {status}: {text}", self.name), || {
            let object = self.get();
            let found = condition(&object, type_).filter(|it| it["status"] == status)?;
            let said = format!("{}: {}", found["reason"], found["message"]);
            said.contains(text).then_some(said)
        })
    }

    #[track_caller]
    pub(crate) fn await_phase(&self, phase: &str) {
        let path = format!("--for=jsonpath={{.status.phase}}={phase}");
        if let Err(error) = self.bed.try_kubectl(&["wait", &path, "--timeout=5m", &self.object()]) {
            panic!("{} is not {phase}: {error}: {:#}", self.name, self.get()["status"]);
        }
    }

    /// Waits until its consumers have printed more than now.
    #[track_caller]
    pub(crate) fn await_more(&self) {
        let before = self.bed.printed.count(&self.name).lines;
        wait_for(&format!("more records of {}", self.name), || {
            (self.bed.printed.count(&self.name).lines > before).then_some(())
        });
    }

    /// The pods of a side that are not going.
    pub(crate) fn pods(&self, side: Side) -> Vec<Pod> {
        let all = self.all_pods(side).into_iter();
        let staying = all.filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
        staying.map(|pod| Pod::new(self.bed, pod)).collect()
    }

    /// The pods of a side, also those that are going.
    pub(crate) fn all_pods(&self, side: Side) -> Vec<Value> {
        let selector = format!(
            "app.kubernetes.io/instance={},app.kubernetes.io/component={}",
            self.name,
            side.name()
        );
        self.bed.list("pods", &selector)
    }

    /// The uids of the pods of a side, in order.
    pub(crate) fn uids(&self, side: Side) -> Vec<String> {
        let mut uids: Vec<_> = self.pods(side).iter().map(|pod| pod.uid().to_owned()).collect();
        uids.sort();
        uids
    }

    /// The uids of the pods of both sides, and how often each pod's container was started again.
    pub(crate) fn lives(&self) -> [(Vec<String>, Vec<i64>); 2] {
        [Side::Producer, Side::Consumer]
            .map(|side| (self.uids(side), self.pods(side).iter().map(Pod::restarts).collect()))
    }

    /// The Deployment of a side.
    pub(crate) fn deployment(&self, side: Side) -> Value {
        self.bed.find(&format!("deployment/{}-{}", self.name, side.name())).unwrap()
    }

    /// How many pods of a side are ready.
    pub(crate) fn ready_pods(&self, side: Side) -> i64 {
        self.deployment(side)["status"]["readyReplicas"].as_i64().unwrap_or_default()
    }
}

/// A condition of an object.
pub(crate) fn condition<'a>(object: &'a Value, type_: &str) -> Option<&'a Value> {
    let conditions = object["status"]["conditions"].as_array();
    conditions.into_iter().flatten().find(|it| it["type"] == type_)
}
