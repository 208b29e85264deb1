//! From a load and what a pod can do to the number of pods that is needed, and the words for it. Pure.

use batchpipe_api::spec::consumer::Scaling;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::{Load, ScalingMemory};

/// So long fewer pods must have been enough.
const QUIET: SignedDuration = SignedDuration::from_mins(5);
/// Pods are taken away only if the others stay below this share of what they can do.
const HEADROOM: f64 = 0.8;
/// So much over what the pods can do is within what is not known exactly.
const TOLERANCE: f64 = 1.1;

/// What the load asks for.
pub(super) struct Need {
    load: Load,
    target_seconds: f64,
    /// Records that arrive in a second.
    arriving: f64,
    capacity: Option<f64>,
}

impl Need {
    pub(super) fn new(limits: &Scaling, load: &Load, memory: &ScalingMemory) -> Self {
        let growth = memory.last.map_or(0.0, |last| last.growth);
        Self {
            load: *load,
            target_seconds: limits.target_lag.as_duration().as_secs_f64(),
            arriving: (load.delivered_per_second + growth).max(0.0),
            capacity: memory.capacity.filter(|capacity| *capacity > 0.0),
        }
    }

    /// More pods, when the lag is over the target and more pods would help.
    pub(super) fn more(&self, current: i32, most: i32) -> Option<(i32, String)> {
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
    pub(super) fn fewer(
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

    pub(super) fn steady(&self) -> String {
        let target = self.target_seconds;
        if self.load.lag_seconds > target {
            format!("lag over the target of {target:.0} s is being worked off")
        } else {
            format!("lag within the target of {target:.0} s")
        }
    }
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
