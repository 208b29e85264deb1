//! A small world for scaling: records arrive, pods deliver so many in a second, and the decision of each 15 s is
//! carried out 10 s later. Only numbers; what scaling sees is what reports would say.

use k8s_openapi::jiff::Timestamp;

use super::scaling::{Load, Scale, ScalingMemory, scale};
use crate::observe::testing::moment;

/// How often is decided, in seconds.
const PERIOD: i64 = 15;
/// How long a pod needs to start, in seconds.
const START: i64 = 10;

/// A world.
#[derive(Debug)]
pub(super) struct World {
    pub(super) scale: Scale,
    /// Records that one pod can deliver in a second.
    pub(super) capacity: f64,
    pub(super) partitions: i32,
    pub(super) lag: f64,
    pub(super) memory: ScalingMemory,
    second: i64,
    starting: Option<(i64, i32)>,
    delivered: Vec<f64>,
}

/// What happened in one second of interest.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) second: i64,
    pub(super) pods: i32,
    pub(super) reason: String,
}

impl World {
    pub(super) fn new(scale: Scale, capacity: f64, partitions: i32) -> Self {
        Self {
            scale,
            capacity,
            partitions,
            lag: 0.0,
            memory: ScalingMemory::default(),
            second: 0,
            starting: None,
            delivered: Vec::new(),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        moment(self.second)
    }

    /// Lets time pass; a step for each decision.
    pub(super) fn run(&mut self, seconds: i64, mut arriving: impl FnMut(i64) -> f64) -> Vec<Step> {
        let mut steps = Vec::new();
        for _ in 0..seconds {
            self.second += 1;
            let rate = arriving(self.second);
            self.deliver(rate);
            if self.second % PERIOD == 0 {
                steps.push(self.decide(rate));
            }
        }
        steps
    }

    fn deliver(&mut self, arriving: f64) {
        if let Some((_, pods)) = self.starting.filter(|(ready, _)| *ready <= self.second) {
            self.scale.current = pods;
            self.starting = None;
        }
        let able = self.capacity * f64::from(self.scale.current.min(self.partitions));
        let delivered = able.min(self.lag + arriving);
        self.lag += arriving - delivered;
        self.delivered.push(delivered);
    }

    fn load(&self, arriving: f64) -> Load {
        let recent = &self.delivered[self.delivered.len().saturating_sub(30)..];
        let seconds = i32::try_from(recent.len()).unwrap();
        let rate = recent.iter().sum::<f64>() / f64::from(seconds);
        let lag_seconds = if self.lag < 1.0 { 0.0 } else { self.lag / arriving.max(1.0) };
        Load {
            lag_records: self.lag,
            lag_seconds,
            delivered_per_second: rate,
            busy_per_second: (lag_seconds >= 1.0).then(|| rate / f64::from(self.scale.current)),
            pods: self.scale.current,
            at: self.now(),
        }
    }

    fn decide(&mut self, arriving: f64) -> Step {
        self.scale.load = self.starting.is_none().then(|| self.load(arriving));
        self.scale.partitions = Some(self.partitions);
        let asked = self.starting.map_or(self.scale.current, |(_, pods)| pods);
        let asking = Scale { current: asked, ..self.scale };
        let (pods, reason, memory) = scale(&asking, &self.memory, self.now());
        self.memory = memory;
        if pods != asked {
            self.starting = Some((self.second + START, pods));
        }
        Step { second: self.second, pods, reason }
    }
}
