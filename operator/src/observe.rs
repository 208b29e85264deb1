//! observe: what runs now, from the caches, and what the pods say of themselves at `/status`. Reads only.

mod blocked;
mod credible;
mod lag;
mod reports;
mod side;
#[cfg(test)]
pub(crate) mod testing;

use std::sync::Arc;

use batchpipe_api::report::{Report, Role, WorkloadState};
use k8s_openapi::jiff::Timestamp;

#[cfg(test)]
pub(crate) use self::blocked::blocked;
pub(crate) use self::{
    credible::MOST,
    side::{REVISION, has_ended},
};
pub use self::{
    lag::{Measured, Partitions},
    reports::{Answer, Answers, Reports},
    side::{Expected, made_by, observe_deployment, side},
};

/// One side of a pipeline as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ObservedSide {
    /// The Deployment; absent: there is none, or it cannot be seen.
    pub deployment: Option<ObservedDeployment>,
    /// Whether Deployments cannot be seen, so that the lack of one says nothing.
    pub is_hidden: bool,
    /// Pods whose owner is a `ReplicaSet` of our Deployment, sorted by name; labels alone do not count.
    pub pods: Vec<ObservedPod>,
    /// Names of other pods with the labels of this side that have not ended, such as what an earlier Deployment left
    /// behind. Nothing that they say counts, but draining waits until they are gone.
    pub strays: Vec<String>,
}

impl ObservedSide {
    /// The pods that were not asked to stop.
    pub fn staying(&self) -> impl Iterator<Item = &ObservedPod> {
        self.pods.iter().filter(|pod| !pod.is_terminating)
    }

    /// Whether every pod that stays, and there is one, says that its source has ended and everything was acknowledged.
    pub fn has_completed(&self) -> bool {
        let mut pods = self.staying().peekable();
        let is_completed = |report: &Report| report.state == WorkloadState::Completed;
        pods.peek().is_some() && pods.all(|pod| pod.report.as_deref().is_some_and(is_completed))
    }

    /// What pods say, of those that say anything.
    pub fn reports(&self) -> impl Iterator<Item = &Report> {
        self.pods.iter().filter_map(|pod| pod.report.as_deref())
    }
}

/// What a Deployment says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedDeployment {
    /// The replicas that it asks for.
    pub desired_replicas: i32,
    /// Pods that exist.
    pub replicas: i32,
    /// Pods of the newest template.
    pub updated_replicas: i32,
    /// Pods that were asked to stop and have not ended; 0 where the API server does not tell.
    pub terminating_replicas: i32,
    /// Pods that are ready.
    pub ready_replicas: i32,
    /// Whether its controller has seen the newest spec.
    pub is_current: bool,
    /// Whether the newest template was rolled out completely at some time.
    pub is_rolled_out: bool,
    /// The label selector of its pods, as text.
    pub selector: String,
    /// Why its controller gave up waiting for progress; absent while it has not.
    pub stuck: Option<String>,
    /// What its controller could not create (quota, Pod Security): condition `ReplicaFailure`.
    pub replica_failure: Option<String>,
}

/// One pod.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ObservedPod {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Where its admin server is; absent until it has an address.
    pub ip: Option<String>,
    /// Whether it is of the Deployment's newest `ReplicaSet`.
    pub is_updated: bool,
    /// Whether Kubernetes counts it as ready.
    pub is_ready: bool,
    /// Whether it was asked to stop.
    pub is_terminating: bool,
    /// Why it cannot be scheduled or started, for example `ImagePullBackOff`, with Kubernetes' message.
    pub blocked: Option<Blocked>,
    /// What it says at `/status`; absent: unknown.
    pub report: Option<Arc<Report>>,
    /// When it was asked for that report, by our clock.
    pub asked_at: Option<Timestamp>,
}

/// Why a pod does not run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blocked {
    /// Kubernetes' word for it.
    pub reason: String,
    /// Kubernetes' explanation.
    pub message: String,
    /// Whether it will hardly pass unless somebody acts.
    pub needs_somebody: bool,
}

/// Both sides.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// The producer.
    pub producer: ObservedSide,
    /// The consumer.
    pub consumer: ObservedSide,
}

impl Observed {
    /// One of the sides.
    pub const fn side(&self, role: Role) -> &ObservedSide {
        match role {
            Role::Producer => &self.producer,
            Role::Consumer => &self.consumer,
        }
    }

    /// One of the sides, to be corrected.
    pub const fn side_mut(&mut self, role: Role) -> &mut ObservedSide {
        match role {
            Role::Producer => &mut self.producer,
            Role::Consumer => &mut self.consumer,
        }
    }
}
