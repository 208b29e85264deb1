//! Scaling: from lag and rates to a number of consumers that works the lag off within the target. Pure.
//!
//! What is unknown changes nothing. What a pod can do is learned while it is behind, because a pod that keeps up
//! shows only what arrives.

mod load;
mod need;

use batchpipe_api::spec::consumer::Scaling;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

pub(super) use self::load::{Load, load};
use self::need::Need;

/// After a change, rates (means over 30 s) and the group need so long to show its effect.
const SETTLING: SignedDuration = SignedDuration::from_secs(60);
/// A longer time without numbers is no quiet time.
const LONGEST_GAP: SignedDuration = SignedDuration::from_secs(60);
/// Pods are not asked at the same moment: over a shorter time, what they say together grows by what was asked later.
const SHORTEST_SPAN: SignedDuration = SignedDuration::from_secs(8);
/// Weight of a new measurement of what a pod can do.
const LEARNING: f64 = 0.3;

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
    /// Whether anything was ever measured.
    has_measured: bool,
    /// The last measurement, if it is not long ago.
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
    memory.set_back(now);
    memory.forget_after_gap(now);
    if let Some(load) = &scale.load {
        memory.take_in(load);
    }
    let (pods, why) = match &scale.load {
        // New pods say nothing at first; why there are more is still the better answer.
        None => {
            let unknown = || "lag or rates are unknown, the number is kept".to_owned();
            (current, memory.recent(now).unwrap_or_else(unknown))
        }
        Some(_) if current != scale.current => {
            memory.quiet = None;
            (current, "within minReplicas, maxReplicas and the number of partitions".to_owned())
        }
        Some(load) => {
            let need = Need::new(&scale.limits, load, &memory);
            by_need(&need, &mut memory, Bounds { current, fewest, most }, now)
        }
    };
    (pods, why, memory)
}

/// A number that is within its bounds, and those.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    current: i32,
    fewest: i32,
    most: i32,
}

/// The number that the load asks for, once an earlier change shows its effect.
fn by_need(
    need: &Need,
    memory: &mut ScalingMemory,
    bounds: Bounds,
    now: Timestamp,
) -> (i32, String) {
    let Bounds { current, fewest, most } = bounds;
    if let Some(why) = memory.recent(now) {
        return (current, why);
    }
    let more = need.more(current, most);
    if more.is_some() {
        memory.quiet = None;
    }
    let change = more.or_else(|| need.fewer(current, fewest, &mut memory.quiet, now));
    let Some((pods, why)) = change else { return (current, need.steady()) };
    if pods != current {
        memory.changed = Some((now, why.clone()));
    }
    (pods, why)
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
    /// Whether anything was measured yet.
    pub(super) const fn has_measured(&self) -> bool {
        self.has_measured
    }

    /// Nobody knows what was in a time without measurements: it was no quiet one, and the lag in it did not grow evenly.
    fn forget_after_gap(&mut self, now: Timestamp) {
        if self.last.is_none_or(|last| now.duration_since(last.at) > LONGEST_GAP) {
            (self.quiet, self.last) = (None, None);
        }
    }

    /// When the clock was set back, what was noted lies ahead, and nothing would be done until the clock gets there.
    fn set_back(&mut self, now: Timestamp) {
        if let Some((changed, _)) = &mut self.changed {
            *changed = now.min(*changed);
        }
        let is_ahead = |at: Timestamp| at > now;
        if self.last.is_some_and(|last| is_ahead(last.at))
            || self.quiet.is_some_and(|(since, _)| is_ahead(since))
        {
            (self.quiet, self.last) = (None, None);
        }
    }

    /// Why the number was changed, as long as that does not show its effect.
    fn recent(&self, now: Timestamp) -> Option<String> {
        let changed = self.changed.as_ref();
        changed.filter(|(then, _)| now.duration_since(*then) < SETTLING).map(|(_, why)| why.clone())
    }

    /// Takes in a measurement, unless it is the last one once more or hardly a later one.
    fn take_in(&mut self, load: &Load) {
        if self.last.is_none_or(|last| load.at.duration_since(last.at) >= SHORTEST_SPAN) {
            self.learn(load);
        }
    }

    fn learn(&mut self, load: &Load) {
        let growth = self.last.map_or(0.0, |last| {
            let seconds = load.at.duration_since(last.at).as_secs_f64();
            (load.lag_records - last.lag_records) / seconds
        });
        self.has_measured = true;
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

#[cfg(test)]
mod tests;
