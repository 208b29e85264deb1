//! Scaling: from lag and rates to a number of consumers that works the lag off within the target. Pure.
//!
//! What is unknown changes nothing. What a pod can do is learned while it is behind, because a pod that keeps up
//! shows only what arrives.

use batchpipe_api::spec::consumer::Scaling;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use crate::observe::{ObservedPod, ObservedSide, Partitions};

/// After a change, rates (means over 30 s) and the group need so long to show its effect.
const SETTLING: SignedDuration = SignedDuration::from_secs(60);
/// So long fewer pods must have been enough.
const QUIET: SignedDuration = SignedDuration::from_mins(5);
/// A longer time without numbers is no quiet time.
const LONGEST_GAP: SignedDuration = SignedDuration::from_secs(60);
/// Pods are taken away only if the others stay below this share of what they can do.
const HEADROOM: f64 = 0.8;
/// So much over what the pods can do is within what is not known exactly.
const TOLERANCE: f64 = 1.1;
/// Weight of a new measurement of what a pod can do.
const LEARNING: f64 = 0.3;

/// What the consumers have to do, and do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Load {
    /// Records that are not delivered yet.
    pub(super) lag_records: f64,
    /// Age of the oldest of them, in seconds.
    pub(super) lag_seconds: f64,
    /// Records that all pods deliver in a second.
    pub(super) delivered_per_second: f64,
    /// Records that one of the pods that are behind delivers in a second; absent: none is behind, or it waits for
    /// something outside.
    pub(super) busy_per_second: Option<f64>,
    /// Pods.
    pub(super) pods: i32,
    /// When this was measured.
    pub(super) at: Timestamp,
}

/// All that is decided from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    pub(super) limits: Scaling,
    /// The number that the Deployment asks for.
    pub(super) current: i32,
    /// Absent: some of it is unknown.
    pub(super) load: Option<Load>,
    /// Absent: unknown.
    pub(super) partitions: Option<i32>,
    /// How many the spec says that there are, which may be wrong.
    pub(super) assumed_partitions: i32,
}

/// What was learned of a pipeline.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScalingMemory {
    /// Records per second that one pod can deliver.
    capacity: Option<f64>,
    /// The last measurement.
    last: Option<Sample>,
    /// When the number was changed last, and why.
    changed: Option<(Timestamp, String)>,
    /// Since when fewer pods would have been enough, and the most that were needed since.
    quiet: Option<(Timestamp, i32)>,
    /// The last known number of partitions.
    partitions: Option<i32>,
}

/// The lag at one time.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Sample {
    at: Timestamp,
    lag_records: f64,
    /// Records by which it grew in a second.
    growth: f64,
}

/// The load of a side; absent when a pod or a partition says nothing.
pub(super) fn load(side: &ObservedSide) -> Option<Load> {
    let partitions = Partitions::of(side);
    let all = partitions.all()?;
    let at = all.iter().map(|measured| measured.at).max()?;
    let (mut lag_records, mut lag_seconds) = (0.0, 0.0_f64);
    for measured in all {
        lag_records += count(measured.lag.records?);
        lag_seconds = lag_seconds.max(measured.lag.seconds?);
    }
    let (mut delivered_per_second, mut busy, mut pods) = (0.0, Vec::new(), 0);
    for pod in side.staying() {
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

/// The number of pods, why, and what was learned.
pub(super) fn scale(
    scale: &Scale,
    memory: &ScalingMemory,
    now: Timestamp,
) -> (i32, String, ScalingMemory) {
    let mut memory = memory.clone();
    memory.partitions = scale.partitions.or(memory.partitions);
    let (fewest, most) = bounds(scale, &memory);
    let current = scale.current.clamp(fewest, most);
    let keep = |text: &str| text.to_owned();
    let Some(load) = scale.load else {
        if memory.last.is_none_or(|last| now.duration_since(last.at) > LONGEST_GAP) {
            memory.quiet = None;
        }
        return (current, keep("lag or rates are unknown, the number is kept"), memory);
    };
    let need = Need::learn(scale, &load, &mut memory);
    if current != scale.current {
        memory.quiet = None;
        return (
            current,
            keep("within minReplicas, maxReplicas and the number of partitions"),
            memory,
        );
    }
    if let Some((_, why)) =
        memory.changed.as_ref().filter(|(then, _)| now.duration_since(*then) < SETTLING)
    {
        return (current, why.clone(), memory);
    }
    if let Some((more, why)) = need.more(current, most) {
        memory.changed = (more != current).then(|| (now, why.clone())).or(memory.changed);
        memory.quiet = None;
        return (more, why, memory);
    }
    if let Some((fewer, why)) = need.fewer(current.min(most), fewest, &mut memory.quiet, now) {
        memory.changed = Some((now, why.clone()));
        return (fewer, why, memory);
    }
    (current, need.steady(), memory)
}

/// The fewest and the most pods. A minimum above the number of partitions would be idle pods.
fn bounds(scale: &Scale, memory: &ScalingMemory) -> (i32, i32) {
    let most = memory
        .partitions
        .map_or(scale.limits.max_replicas, |known| scale.limits.max_replicas.min(known));
    let most = most.max(1);
    let useful = memory.partitions.unwrap_or(scale.assumed_partitions).max(1);
    (scale.limits.min_replicas.min(useful).min(most).max(1), most)
}

impl ScalingMemory {
    /// Takes in a new measurement.
    fn learn(&mut self, load: &Load) {
        let growth = self.last.map_or(0.0, |last| {
            let seconds = load.at.duration_since(last.at).as_secs_f64();
            (load.lag_records - last.lag_records) / seconds
        });
        self.last = Some(Sample { at: load.at, lag_records: load.lag_records, growth });
        let per_pod = load.delivered_per_second / f64::from(load.pods.max(1));
        self.capacity = match (self.capacity, load.busy_per_second) {
            (Some(known), Some(busy)) => Some(known + LEARNING * (busy - known)),
            (None, Some(busy)) => Some(busy),
            // Whoever keeps up can do at least what it does.
            (Some(known), None) => Some(known.max(per_pod)),
            (None, None) => None,
        };
    }
}

/// What the load asks for.
struct Need {
    load: Load,
    target_seconds: f64,
    /// Records that arrive in a second.
    arriving: f64,
    capacity: Option<f64>,
}

impl Need {
    fn learn(scale: &Scale, load: &Load, memory: &mut ScalingMemory) -> Self {
        let is_new = memory.last.is_none_or(|last| load.at > last.at);
        if is_new {
            memory.learn(load);
        }
        let growth = memory.last.map_or(0.0, |last| last.growth);
        Self {
            load: *load,
            target_seconds: scale.limits.target_lag.as_duration().as_secs_f64(),
            arriving: (load.delivered_per_second + growth).max(0.0),
            capacity: memory.capacity.filter(|capacity| *capacity > 0.0),
        }
    }

    /// More pods, when the lag is over the target and more pods would help.
    fn more(&self, current: i32, most: i32) -> Option<(i32, String)> {
        let load = &self.load;
        if load.lag_seconds <= self.target_seconds {
            return None;
        }
        let over = format!(
            "lag {:.0} s over the target of {:.0} s",
            load.lag_seconds, self.target_seconds
        );
        let (Some(capacity), Some(_)) = (self.capacity, load.busy_per_second) else {
            return Some((
                current,
                format!("{over}, but the pods wait for something else: more would not help"),
            ));
        };
        let share = (self.arriving + load.lag_records / self.target_seconds) / capacity;
        if share <= f64::from(current) * TOLERANCE {
            return None; // it is being worked off
        }
        let needed = pods(share);
        let delivering = format!(
            "{} deliver {} records/s",
            plural(load.pods),
            thousands(load.delivered_per_second)
        );
        if current >= most {
            return Some((
                most,
                format!("{over}: {needed} pods are needed, {most} are the most that may be"),
            ));
        }
        let more = needed.min(most);
        Some((more, format!("{over}: {delivering}, {needed} are needed")))
    }

    /// Fewer pods, when fewer have been enough for long.
    fn fewer(
        &self,
        current: i32,
        fewest: i32,
        quiet: &mut Option<(Timestamp, i32)>,
        now: Timestamp,
    ) -> Option<(i32, String)> {
        let enough = self.enough(current).max(fewest);
        if enough >= current || self.load.lag_seconds * 2.0 > self.target_seconds {
            *quiet = None;
            return None;
        }
        let (since, most) = quiet.map_or((now, enough), |(since, most)| (since, most.max(enough)));
        *quiet = Some((since, most));
        if most >= current || now.duration_since(since) < QUIET {
            return None;
        }
        *quiet = None;
        let arriving = thousands(self.arriving);
        Some((
            most,
            format!(
                "quiet for {} minutes: {arriving} records/s arrive, {} enough",
                QUIET.as_mins(),
                are(most)
            ),
        ))
    }

    /// How many pods would be enough for what arrives. While nobody was ever behind, it is not known what a pod can
    /// do: then one fewer is tried.
    fn enough(&self, current: i32) -> i32 {
        match self.capacity {
            Some(capacity) => pods(self.arriving / (capacity * HEADROOM)),
            None => current - 1,
        }
    }

    fn steady(&self) -> String {
        let target = self.target_seconds;
        if self.load.lag_seconds > target {
            format!("lag over the target of {target:.0} s is being worked off")
        } else {
            format!("lag within the target of {target:.0} s")
        }
    }
}

/// Records as a number to reckon with.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
const fn count(records: u64) -> f64 {
    records as f64
}

/// A number of pods from a share of work; limits are applied later.
#[expect(clippy::cast_possible_truncation, reason = "bounded before")]
fn pods(share: f64) -> i32 {
    share.ceil().clamp(1.0, 1_000_000.0) as i32
}

fn plural(pods: i32) -> String {
    if pods == 1 { "1 pod".to_owned() } else { format!("{pods} pods") }
}

fn are(pods: i32) -> String {
    if pods == 1 { "1 is".to_owned() } else { format!("{pods} are") }
}

/// A rate with its thousands set apart.
pub(super) fn thousands(rate: f64) -> String {
    let digits = format!("{rate:.0}");
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests;
