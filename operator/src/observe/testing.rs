//! Pods and reports for tests.

use std::sync::Arc;

use batchpipe_api::report::{Accounting, PartitionLag, Rates, Report, Role, Stall, WorkloadState};
use k8s_openapi::jiff::Timestamp;

use super::{ObservedDeployment, ObservedPod, ObservedSide};

/// So many seconds after the beginning of the tests' time.
pub(crate) fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

/// A report of a workload at rest.
pub(crate) fn report(role: Role) -> Report {
    Report {
        role,
        version: "0.1.0".to_owned(),
        uptime_seconds: 60.0,
        begun_at_ms: moment(0).as_millisecond(),
        state: WorkloadState::Running,
        ready: true,
        topic: "telemetry".to_owned(),
        accounting: Accounting::default(),
        rates: Rates::default(),
        latency_ms: None,
        partitions: None,
        lag: Vec::new(),
        stalled: Vec::new(),
        last_error: None,
    }
}

/// A partition, worked off to `position` and committed there.
pub(crate) fn lag(partition: i32, position: i64, end: i64) -> PartitionLag {
    let messages = (end - position).unsigned_abs();
    PartitionLag {
        partition,
        asked_at_ms: Some(moment(0).as_millisecond()),
        position: Some(position),
        committed: Some(position),
        end: Some(end),
        messages: Some(messages),
        records: Some(messages * 10),
        seconds: Some(if messages == 0 { 0.0 } else { 7.0 }),
    }
}

/// Something that a pod has waited for, for so many seconds.
pub(crate) fn stall(reason: &str, what: &str, seconds: i64) -> Stall {
    Stall {
        reason: reason.to_owned(),
        what: what.to_owned(),
        since_ms: moment(-seconds).as_millisecond(),
    }
}

/// A pod that is ready and says nothing.
pub(crate) fn pod(name: &str) -> ObservedPod {
    ObservedPod {
        name: name.to_owned(),
        uid: format!("uid-{name}"),
        ip: Some("10.0.0.1".to_owned()),
        is_updated: true,
        is_ready: true,
        ..ObservedPod::default()
    }
}

/// What a pod says, to be changed.
pub(crate) fn said(pod: &mut ObservedPod) -> &mut Report {
    Arc::make_mut(pod.report.as_mut().unwrap())
}

/// A pod that says this.
pub(crate) fn reporting(name: &str, report: Report) -> ObservedPod {
    ObservedPod { report: Some(Arc::new(report)), asked_at: Some(moment(0)), ..pod(name) }
}

/// A consumer that has these partitions, which are all that there are.
pub(crate) fn consumer_pod(name: &str, lag: Vec<PartitionLag>) -> ObservedPod {
    let count = lag.iter().map(|lag| lag.partition + 1).max();
    reporting(name, Report { lag, partitions: count, ..report(Role::Consumer) })
}

/// A Deployment with so many pods, all of them as they should be.
pub(crate) fn deployment(replicas: i32) -> ObservedDeployment {
    ObservedDeployment {
        desired_replicas: replicas,
        replicas,
        updated_replicas: replicas,
        terminating_replicas: 0,
        ready_replicas: replicas,
        is_current: true,
        is_rolled_out: true,
        selector: "app=telemetry".to_owned(),
        stuck: None,
        replica_failure: None,
    }
}

/// A side whose pods are as they should be.
pub(crate) fn settled(pods: Vec<ObservedPod>) -> ObservedSide {
    let count = i32::try_from(pods.len()).unwrap();
    ObservedSide { deployment: Some(deployment(count)), pods, ..ObservedSide::default() }
}
