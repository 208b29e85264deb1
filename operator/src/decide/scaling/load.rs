//! What the consumers have to do, and do, from their reports. Pure.

use k8s_openapi::jiff::Timestamp;

use crate::observe::{ObservedPod, ObservedSide, Partitions};

/// What the consumers have to do, and do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::decide) struct Load {
    /// Records that are not delivered yet.
    pub(in crate::decide) lag_records: f64,
    /// Age of the oldest of them, in seconds.
    pub(in crate::decide) lag_seconds: f64,
    /// Records that all pods deliver in a second.
    pub(in crate::decide) delivered_per_second: f64,
    /// Records that one of the pods that are behind delivers in a second; absent: none is behind, or it waits for
    /// something outside.
    pub(in crate::decide) busy_per_second: Option<f64>,
    /// Pods.
    pub(in crate::decide) pods: i32,
    /// When this was measured.
    pub(in crate::decide) at: Timestamp,
}

/// The load of a side; absent when a ready pod or a partition says nothing. A pod that cannot start says nothing, and
/// has nothing to do.
pub(in crate::decide) fn load(side: &ObservedSide) -> Option<Load> {
    let partitions = Partitions::of(side);
    let all = partitions.all()?;
    let at = all.iter().map(|measured| measured.at).max()?;
    let (mut lag_records, mut lag_seconds) = (0.0, 0.0_f64);
    for measured in all {
        lag_records += count(measured.lag.records?);
        lag_seconds = lag_seconds.max(measured.lag.seconds?);
    }
    let (mut delivered_per_second, mut busy, mut pods) = (0.0, Vec::new(), 0);
    for pod in side.staying().filter(|pod| pod.is_ready || pod.report.is_some()) {
        let report = pod.report.as_ref()?;
        pods += 1;
        delivered_per_second += report.rates.records_per_second;
        if is_busy(pod) {
            busy.push(report.rates.records_per_second);
        }
    }
    let busy_per_second =
        (!busy.is_empty()).then(|| busy.iter().sum::<f64>() / count(busy.len() as u64));
    Some(Load { lag_records, lag_seconds, delivered_per_second, busy_per_second, pods, at })
}

/// Behind, and by its own fault.
fn is_busy(pod: &ObservedPod) -> bool {
    let Some(report) = &pod.report else { return false };
    let is_behind = report.lag.iter().any(|lag| lag.seconds.is_some_and(|seconds| seconds >= 1.0));
    is_behind && report.stalled.is_empty() && report.rates.records_per_second > 0.0
}

/// Records as a number to reckon with.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
const fn count(records: u64) -> f64 {
    records as f64
}
