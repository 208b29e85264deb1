//! A pipeline and what is known of it, for tests: a settled one, to be changed by each test.

use batchpipe_api::{
    pipeline::BatchPipeline,
    report::{Accounting, Rates, Report, Role},
    status::BatchPipelineStatus,
};
use serde_json::json;

use super::{Facts, Outcome, summarize};
use crate::{
    apply::Applied,
    conflict::Conflict,
    decide::{Decision, Replicas},
    observe::{
        Observed, ObservedPod,
        testing::{consumer_pod, lag, moment, report, reporting, said, settled},
    },
};

/// Everything that a status follows from.
pub(super) struct Scene {
    pub(super) object: BatchPipeline,
    pub(super) outcome: Outcome,
    pub(super) stopped: Applied,
    pub(super) observed: Observed,
    pub(super) ended_at: Option<i64>,
    pub(super) second: i64,
}

impl Scene {
    /// One producer and two consumers, all well.
    pub(super) fn settled() -> Self {
        let object = json!({
            "apiVersion": "batchpipe.dev/v1alpha1", "kind": "BatchPipeline",
            "metadata": {"name": "telemetry", "generation": 2},
            "spec": {
                "kafka": {"bootstrapServers": "kafka:9093"},
                "producer": {"source": {"generator": {}}},
                "consumer": {"replicas": 2, "sink": {"stdout": {}}},
            },
        });
        let consumers = [consumer("c1", vec![lag(0, 5, 5)]), consumer("c2", vec![lag(1, 7, 7)])];
        Self {
            object: batchpipe_api::validate::check_value(object).unwrap(),
            outcome: decided(1, 2),
            stopped: Applied::default(),
            observed: Observed {
                producer: settled(vec![producer("p1")]),
                consumer: settled(consumers.into()),
            },
            ended_at: None,
            second: 0,
        }
    }

    pub(super) fn changed(change: impl FnOnce(&mut Self)) -> Self {
        let mut scene = Self::settled();
        change(&mut scene);
        scene
    }

    pub(super) fn summary(&self) -> BatchPipelineStatus {
        summarize(&Facts {
            object: &self.object,
            outcome: &self.outcome,
            stopped: &self.stopped,
            observed: &self.observed,
            dead_letters: None,
            ended_at: self.ended_at.map(moment),
            now: moment(self.second),
        })
    }

    /// Writes the status, as the operator would.
    pub(super) fn pass(&mut self) -> BatchPipelineStatus {
        let status = self.summary();
        self.object.status = Some(status.clone());
        status
    }
}

/// Everything was applied, with so many pods.
pub(super) fn decided(producer: i32, consumer: i32) -> Outcome {
    let replicas = Replicas { producer, consumer };
    Outcome::Applied(Applied::default(), Decision { replicas, ..Decision::default() })
}

/// Another pipeline, `other`, has what this one wants; in these words.
pub(super) fn taken(message: impl Into<String>) -> Outcome {
    let (winner, message) = ("other".to_owned(), message.into());
    Outcome::Conflict(Conflict { winner, message, ..Conflict::default() })
}

/// A producer that sent ten batches of 800 bytes as 100 each.
pub(super) fn producer(name: &str) -> ObservedPod {
    let accounting = Accounting { raw_bytes: 8000, wire_bytes: 1000, ..Accounting::default() };
    let rates = Rates { records_per_second: 120.4, ..Rates::default() };
    reporting(name, Report { accounting, rates, ..report(Role::Producer) })
}

/// A consumer of these two partitions' topic that delivers 60 records in a second.
pub(super) fn consumer(name: &str, lag: Vec<batchpipe_api::report::PartitionLag>) -> ObservedPod {
    let mut pod = consumer_pod(name, lag);
    let report = said(&mut pod);
    report.partitions = Some(2);
    report.rates.records_per_second = 60.0;
    report.accounting.raw_bytes = 300;
    report.accounting.wire_bytes = 100;
    pod
}
