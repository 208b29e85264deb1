//! From the objects of the caches to one side as it is. Pure; what is not ours is left out.

use std::{borrow::Borrow, sync::Arc};

use batchpipe_api::report::{Report, Role};
use k8s_openapi::{
    api::{
        apps::v1::{Deployment, DeploymentCondition, ReplicaSet},
        core::v1::Pod,
    },
    apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference},
};
use kube::core::PartialObjectMeta;

use super::{
    Answers, ObservedDeployment, ObservedPod, ObservedSide, blocked::blocked, credible::is_credible,
};

/// Where a Deployment's controller numbers its `ReplicaSet`s.
pub(crate) const REVISION: &str = "deployment.kubernetes.io/revision";

/// What a report must say of itself to count.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The side.
    pub role: Role,
    /// The topic of batches.
    pub topic: &'a str,
}

impl Expected<'_> {
    /// A workload that does not know its configuration yet says no topic.
    fn accepts(self, report: &Report) -> bool {
        report.role == self.role
            && (report.topic == self.topic || report.topic.is_empty())
            && is_credible(report)
    }
}

/// One side, from its Deployment, the `ReplicaSet`s of the namespace, the pods with the side's labels, and what pods
/// answered.
pub fn side(
    expected: Expected<'_>,
    deployment: Option<&Deployment>,
    replica_sets: &[impl Borrow<PartialObjectMeta<ReplicaSet>>],
    pods: &[impl Borrow<Pod>],
    answers: &Answers,
) -> ObservedSide {
    let sets = OurSets::new(deployment, replica_sets);
    let mut side =
        ObservedSide { deployment: deployment.map(observe_deployment), ..ObservedSide::default() };
    for pod in pods.iter().map(Borrow::borrow).filter(|pod| !has_ended(pod)) {
        match sets.is_newest(pod) {
            Some(is_updated) => {
                side.pods.push(observe_pod(expected, pod, is_updated, answers));
            }
            None => side.strays.push(pod.metadata.name.clone().unwrap_or_default()),
        }
    }
    side.pods.sort_by(|a, b| a.name.cmp(&b.name));
    side.strays.sort();
    side
}

/// The pods that this Deployment has made: what others say counts for nothing, so they are not even asked.
pub fn made_by<P: Borrow<Pod> + Clone>(
    deployment: Option<&Deployment>,
    replica_sets: &[impl Borrow<PartialObjectMeta<ReplicaSet>>],
    pods: &[P],
) -> Vec<P> {
    let sets = OurSets::new(deployment, replica_sets);
    pods.iter()
        .filter(|pod| sets.is_newest(Borrow::<Pod>::borrow(*pod)).is_some())
        .cloned()
        .collect()
}

/// The uids of the `ReplicaSet`s of one Deployment.
struct OurSets<'a> {
    all: Vec<&'a str>,
    newest: Option<&'a str>,
}

impl<'a> OurSets<'a> {
    fn new(
        deployment: Option<&Deployment>,
        replica_sets: &'a [impl Borrow<PartialObjectMeta<ReplicaSet>>],
    ) -> Self {
        let owner = deployment.and_then(|it| it.metadata.uid.as_deref());
        let ours = |set: &&'a ObjectMeta| {
            let controller = controller(set).filter(|it| it.kind == "Deployment");
            owner.is_some() && controller.map(|it| it.uid.as_str()) == owner
        };
        let ours: Vec<_> =
            replica_sets.iter().map(|set| &set.borrow().metadata).filter(ours).collect();
        // The Deployment may be known to have a newer set than any that is: then all of these are earlier ones.
        let current = deployment.and_then(|it| revision(&it.metadata));
        let newest = ours.iter().max_by_key(|set| revision(set));
        let newest = newest.filter(|set| revision(set) >= current);
        let newest = newest.and_then(|set| set.uid.as_deref());
        Self { all: ours.iter().filter_map(|set| set.uid.as_deref()).collect(), newest }
    }

    /// Whether a pod is of the newest set; nothing when it is of none.
    fn is_newest(&self, pod: &Pod) -> Option<bool> {
        let owner = controller(&pod.metadata).filter(|it| it.kind == "ReplicaSet")?.uid.as_str();
        self.all.contains(&owner).then_some(self.newest == Some(owner))
    }
}

fn controller(metadata: &ObjectMeta) -> Option<&OwnerReference> {
    let owners = metadata.owner_references.as_deref().unwrap_or_default();
    owners.iter().find(|owner| owner.controller == Some(true))
}

fn revision(metadata: &ObjectMeta) -> Option<i64> {
    metadata.annotations.as_ref()?.get(REVISION)?.parse().ok()
}

/// A pod that has ended does nothing any more, and its address may already be another's.
pub(crate) fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

/// What a Deployment says of itself.
pub fn observe_deployment(deployment: &Deployment) -> ObservedDeployment {
    let status = deployment.status.clone().unwrap_or_default();
    let is_current = status.observed_generation >= deployment.metadata.generation;
    let conditions = status.conditions.unwrap_or_default();
    let find = |type_: &str, status: &str| {
        conditions.iter().find(|condition| {
            condition.type_.as_deref() == Some(type_) && condition.status.as_deref() == Some(status)
        })
    };
    let has = |condition: &&DeploymentCondition, reason: &str| {
        condition.reason.as_deref() == Some(reason)
    };
    ObservedDeployment {
        desired_replicas: deployment.spec.replicas.unwrap_or(1),
        replicas: status.replicas.unwrap_or(0),
        updated_replicas: status.updated_replicas.unwrap_or(0),
        terminating_replicas: status.terminating_replicas.unwrap_or(0),
        ready_replicas: status.ready_replicas.unwrap_or(0),
        is_current,
        is_rolled_out: find("Progressing", "True")
            .is_some_and(|condition| has(&condition, "NewReplicaSetAvailable")),
        selector: selector(&deployment.spec.selector),
        // What is said of an earlier spec says nothing of this one.
        stuck: find("Progressing", "False")
            .filter(|condition| is_current && has(condition, "ProgressDeadlineExceeded"))
            .map(|condition| condition.message.clone().unwrap_or_default()),
        replica_failure: find("ReplicaFailure", "True")
            .filter(|_| is_current)
            .map(|condition| condition.message.clone().unwrap_or_default()),
    }
}

/// As `kubectl get -l` takes it. Our selectors have labels only.
fn selector(selector: &LabelSelector) -> String {
    let labels = selector.match_labels.iter().flatten();
    labels.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

fn observe_pod(
    expected: Expected<'_>,
    pod: &Pod,
    is_updated: bool,
    answers: &Answers,
) -> ObservedPod {
    let uid = pod.metadata.uid.clone().unwrap_or_default();
    let answer = answers.get(&uid).filter(|answer| expected.accepts(&answer.report));
    ObservedPod {
        name: pod.metadata.name.clone().unwrap_or_default(),
        ip: pod.status.as_ref().and_then(|status| status.pod_ip.clone()),
        is_updated,
        is_ready: is_ready(pod),
        is_terminating: pod.metadata.deletion_timestamp.is_some(),
        blocked: blocked(pod),
        report: answer.map(|answer| Arc::clone(&answer.report)),
        asked_at: answer.map(|answer| answer.asked_at),
        uid,
    }
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_deref());
    conditions
        .unwrap_or_default()
        .iter()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

#[cfg(test)]
mod tests;
