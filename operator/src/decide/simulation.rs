//! A small world for scaling: records arrive, pods deliver so many in a second, and the decision of each 15 s is
//! carried out 10 s later. Only numbers; what scaling sees is what reports would say.

use batchpipe_api::report::PartitionLag;
use k8s_openapi::jiff::Timestamp;

use super::scaling::{Scale, ScalingMemory, load, scale};
use crate::observe::{
    ObservedPod, ObservedSide,
    testing::{consumer_pod, lag, moment, pod, said, settled},
};

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
    /// So many pods can run; others are made and never start.
    pub(super) room: i32,
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
            room: i32::MAX,
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
        let able = self.capacity * f64::from(self.working());
        let delivered = able.min(self.lag + arriving);
        self.lag += arriving - delivered;
        self.delivered.push(delivered);
    }

    /// Pods that run.
    fn running(&self) -> i32 {
        self.scale.current.min(self.room)
    }

    /// Pods that have a partition.
    fn working(&self) -> i32 {
        self.running().min(self.partitions)
    }

    /// What the pods that run report, and those that do not.
    fn side(&self, arriving: f64) -> ObservedSide {
        let recent = &self.delivered[self.delivered.len().saturating_sub(30)..];
        let seconds = i32::try_from(recent.len()).unwrap();
        let rate = recent.iter().sum::<f64>() / f64::from(seconds);
        let lag_seconds = if self.lag < 1.0 { 0.0 } else { self.lag / arriving.max(1.0) };
        let pods = (0..self.scale.current).map(|number| {
            if number >= self.running() {
                return ObservedPod { is_ready: false, ..pod(&format!("pod-{number}")) };
            }
            let is_its = |partition: &i32| partition % self.running() == number;
            let lags = (0..self.partitions).filter(is_its).map(|partition| PartitionLag {
                records: Some(self.share()),
                seconds: Some(lag_seconds),
                ..lag(partition, 0, 0)
            });
            let mut pod = consumer_pod(&format!("pod-{number}"), lags.collect());
            pod.asked_at = Some(self.now());
            let report = said(&mut pod);
            report.partitions = Some(self.partitions);
            if number < self.working() {
                report.rates.records_per_second = rate / f64::from(self.working());
            }
            pod
        });
        settled(pods.collect())
    }

    /// What is left of one partition, in records.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a lag is small")]
    fn share(&self) -> u64 {
        (self.lag / f64::from(self.partitions)) as u64
    }

    fn decide(&mut self, arriving: f64) -> Step {
        self.scale.load =
            self.starting.is_none().then(|| self.side(arriving)).and_then(|side| load(&side));
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
