//! What is counted. Labels are bounded; nothing here is named after a pipeline.

use std::{fmt, sync::Arc, time::Duration};

use batchpipe_api::status::Phase;
use prometheus_client::{
    encoding::text,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
        info::Info,
    },
    registry::{Registry, Unit},
};

/// What the answer is.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Labels = Vec<(&'static str, String)>;

/// All metrics of one process.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    duration: Histogram,
    reconciliations: Family<Labels, Counter>,
    failures: Family<Labels, Counter>,
    pipelines: Family<Labels, Gauge>,
    watch_restarts: Family<Labels, Counter>,
    requests: Family<Labels, Counter>,
    leader: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("batchpipe");
        let version = vec![("version", env!("CARGO_PKG_VERSION"))];
        registry.register("build", "The build of this process", Info::new(version));
        let registry_of_operator = registry.sub_registry_with_prefix("operator");
        let mut inner = Inner::register(registry_of_operator);
        inner.registry = registry;
        Self(Arc::new(inner))
    }
}

impl Inner {
    fn register(registry: &mut Registry) -> Self {
        let inner = Self {
            registry: Registry::default(),
            duration: Histogram::new(exponential_buckets(0.001, 2.0, 16)),
            reconciliations: Family::default(),
            failures: Family::default(),
            pipelines: Family::default(),
            watch_restarts: Family::default(),
            requests: Family::default(),
            leader: Gauge::default(),
        };
        let help = "Time that one reconciliation took";
        let duration = inner.duration.clone();
        registry.register_with_unit("reconcile_duration", help, Unit::Seconds, duration);
        let mut counter = |name, help, family: &Family<_, Counter>| {
            registry.register(name, help, family.clone());
        };
        counter("reconciliations", "Reconciliations by how they ended", &inner.reconciliations);
        counter("reconcile_failures", "What failed in reconciliations, by reason", &inner.failures);
        counter(
            "watch_restarts",
            "Watches that ended with an error, by kind",
            &inner.watch_restarts,
        );
        counter("api_requests", "Requests to the API server by verb and answer", &inner.requests);
        registry.register("pipelines", "Pipelines by phase", inner.pipelines.clone());
        registry.register("leader", "Whether this process leads", inner.leader.clone());
        inner
    }
}

impl Metrics {
    /// A reconciliation came to its end.
    pub fn reconciled(&self, outcome: &'static str, took: Duration) {
        self.0.duration.observe(took.as_secs_f64());
        self.0.reconciliations.get_or_create(&labels([("outcome", outcome)])).inc();
    }

    /// Something failed in a reconciliation.
    pub fn failed(&self, error: &str) {
        self.0.failures.get_or_create(&labels([("error", error)])).inc();
    }

    /// The phase of a pipeline changed; absent: there is no pipeline.
    pub fn phase(&self, before: Option<Phase>, after: Option<Phase>) {
        let gauge =
            |phase: Phase| self.0.pipelines.get_or_create_owned(&labels([("phase", phase.name())]));
        if let Some(before) = before {
            gauge(before).dec();
        }
        if let Some(after) = after {
            gauge(after).inc();
        }
    }

    /// A watch ended with an error.
    pub fn watch_restarted(&self, kind: &str) {
        self.0.watch_restarts.get_or_create(&labels([("kind", kind)])).inc();
    }

    /// A request to the API server was answered or given up.
    pub fn request(&self, verb: &str, code: &str) {
        self.0.requests.get_or_create(&labels([("verb", verb), ("code", code)])).inc();
    }

    /// Whether this process leads.
    pub fn leads(&self, is_leader: bool) {
        self.0.leader.set(i64::from(is_leader));
    }

    /// The text of a scrape.
    pub fn scrape(&self) -> Result<String, fmt::Error> {
        let mut answer = String::new();
        text::encode(&mut answer, &self.0.registry)?;
        Ok(answer)
    }
}

fn labels<const N: usize>(pairs: [(&'static str, &str); N]) -> Labels {
    pairs.map(|(name, value)| (name, value.to_owned())).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrape_has_every_name_of_the_contract() {
        let metrics = Metrics::default();
        metrics.reconciled("ok", Duration::from_millis(5));
        metrics.failed("Forbidden");
        metrics.phase(None, Some(Phase::Running));
        metrics.watch_restarted("Deployment");
        metrics.request("patch", "200");
        metrics.leads(true);
        let text = metrics.scrape().unwrap();
        for line in [
            "batchpipe_operator_reconcile_duration_seconds_count 1",
            "batchpipe_operator_reconciliations_total{outcome=\"ok\"} 1",
            "batchpipe_operator_reconcile_failures_total{error=\"Forbidden\"} 1",
            "batchpipe_operator_pipelines{phase=\"Running\"} 1",
            "batchpipe_operator_watch_restarts_total{kind=\"Deployment\"} 1",
            "batchpipe_operator_api_requests_total{verb=\"patch\",code=\"200\"} 1",
            "batchpipe_operator_leader 1",
        ] {
            assert!(text.contains(line), "{line} is missing from\n{text}");
        }
        assert!(text.contains("batchpipe_build_info{version="), "{text}");
    }

    #[test]
    fn a_pipeline_counts_in_one_phase_only() {
        let metrics = Metrics::default();
        metrics.phase(None, Some(Phase::Pending));
        metrics.phase(Some(Phase::Pending), Some(Phase::Running));
        metrics.phase(Some(Phase::Running), None);
        let text = metrics.scrape().unwrap();
        assert!(text.contains("batchpipe_operator_pipelines{phase=\"Pending\"} 0"), "{text}");
        assert!(text.contains("batchpipe_operator_pipelines{phase=\"Running\"} 0"), "{text}");
    }
}
