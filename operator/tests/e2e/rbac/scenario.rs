//! What users do, and what they see of an operator that may not do its part.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::strimzi;
use crate::support::{Namespace, Operator, Pair, manifest, wait_for};

/// What breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scenario {
    /// A pipeline gets no children.
    NothingIsMade,
    /// A pipeline has no status.
    NoStatus,
    /// A new pipeline's status says what was refused.
    SaidAtCreation,
    /// So does that of a pipeline one of whose sides is not wanted any more.
    SaidAtRemoval,
    /// So does that of a pipeline with a Strimzi cluster.
    SaidOfStrimzi,
    /// Nobody hears of it.
    NoEvent,
    /// Nobody hears of it a second time.
    NoRepeatedEvent,
    /// The operator does not lead, or not for long.
    NoLeader,
}

impl Scenario {
    pub(super) const ALL: [Self; 8] = [
        Self::NothingIsMade,
        Self::NoStatus,
        Self::SaidAtCreation,
        Self::SaidAtRemoval,
        Self::SaidOfStrimzi,
        Self::NoEvent,
        Self::NoRepeatedEvent,
        Self::NoLeader,
    ];

    /// What is seen when the right is missing.
    pub(super) const fn sentence(self) -> &'static str {
        match self {
            Self::NothingIsMade => "a new pipeline gets no children",
            Self::NoStatus => "a pipeline has no status",
            Self::SaidAtCreation => {
                "Ready=False Forbidden names the verb when a pipeline is created"
            }
            Self::SaidAtRemoval => "Ready=False Forbidden names the verb when a side is removed",
            Self::SaidOfStrimzi => "Ready=False Forbidden names the Strimzi object",
            Self::NoEvent => "a pipeline's transitions cause no events",
            Self::NoRepeatedEvent => "a transition that comes again is not counted",
            Self::NoLeader => "the operator does not lead",
        }
    }

    /// What a user does.
    pub(super) fn provoke(self, namespace: Namespace<'_>) {
        match self {
            Self::NoLeader => {}
            Self::SaidOfStrimzi => strimzi::provoke(namespace),
            Self::SaidAtRemoval => {
                namespace.apply(&with_http_source());
                namespace.await_children("demo");
                wait_for("the Service", || namespace.find("service/demo-producer"));
                let patch = r#"[{"op": "remove", "path": "/spec/producer"}]"#;
                namespace.kubectl(&["patch", PIPELINE, "--type=json", "--patch", patch]);
            }
            _ => namespace.apply(&with_http_source()),
        }
    }

    /// Does again what an operator with all rights answers.
    pub(super) fn nudge(self, namespace: Namespace<'_>) {
        if matches!(self, Self::NoEvent | Self::NoRepeatedEvent) {
            for state in ["Paused", "Running"] {
                let patch = format!(r#"{{"spec": {{"state": "{state}"}}}}"#);
                namespace.kubectl(&["patch", PIPELINE, "--type=merge", "--patch", &patch]);
                wait_for("the change to be seen", || is_seen(namespace));
            }
        }
    }

    /// Whether it is as it should be.
    pub(super) fn works(self, namespace: Namespace<'_>, operator: &Operator) -> bool {
        match self {
            Self::NothingIsMade => namespace.find("deployment/demo-consumer").is_some(),
            Self::NoStatus => is_seen(namespace).is_some(),
            Self::SaidAtCreation => is_content(namespace) && is_made(namespace, "producer"),
            Self::SaidAtRemoval => is_content(namespace) && !is_made(namespace, "producer"),
            Self::SaidOfStrimzi => is_content(namespace) && strimzi::has_topic(namespace),
            Self::NoEvent => !events(namespace).is_empty(),
            Self::NoRepeatedEvent => events(namespace).iter().any(|it| it["series"].is_object()),
            Self::NoLeader => operator.leads(),
        }
    }

    /// Waits until users see what is missing.
    pub(super) fn await_symptom(self, namespace: Namespace<'_>, operator: &Operator, pair: &Pair) {
        if let Some(words) = self.words(pair) {
            wait_for(&format!("{words:?} in the status"), || {
                let ready = namespace.condition("demo", "Ready")?;
                let says = ready["message"].as_str()?.contains(&words);
                (says && ready["reason"] == "Forbidden").then_some(())
            });
            return;
        }
        self.nudge_without_status(namespace);
        // It has tried again since, and what is awaited still is not there.
        let before = refusals(operator);
        wait_for(&format!("another try to {pair}"), || {
            self.nudge_without_status(namespace);
            (refusals(operator) > before).then_some(())
        });
        // What was begun before may still work for a moment; then it does not any more.
        wait_for(self.sentence(), || (!self.works(namespace, operator)).then_some(()));
        stays(self.sentence(), || !self.works(namespace, operator));
    }

    fn nudge_without_status(self, namespace: Namespace<'_>) {
        if self == Self::NoStatus {
            namespace.kubectl(&["annotate", PIPELINE, "--overwrite", "look=again"]);
        }
        self.nudge(namespace);
    }

    /// What the status says.
    fn words(self, pair: &Pair) -> Option<String> {
        let (resource, group) =
            pair.resource.split_once('.').unwrap_or((pair.resource.as_str(), ""));
        match (self, resource) {
            (Self::SaidOfStrimzi, "kafkas") => Some("may not get Kafka lab".to_owned()),
            (Self::SaidOfStrimzi, "kafkausers") => Some("may not get KafkaUser me".to_owned()),
            (Self::SaidAtCreation | Self::SaidAtRemoval | Self::SaidOfStrimzi, _) => {
                let verb = &pair.verb;
                Some(format!("cannot {verb} resource \"{resource}\" in API group \"{group}\""))
            }
            _ => None,
        }
    }
}

const PIPELINE: &str = "batchpipeline/demo";
/// What would work after all has had the time to, with an operator that tries again after one second and two.
const LASTS: Duration = Duration::from_secs(4);

/// Looks again and again that something is so.
#[track_caller]
fn stays(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while begun.elapsed() < LASTS {
        assert!(is_so(), "no longer after {:?}: {what}", begun.elapsed());
        sleep(Duration::from_millis(100));
    }
}

/// A pipeline with a child of every kind.
fn with_http_source() -> String {
    manifest("demo", "").replace("generator: {}", "http: {}")
}

/// How often the API server has refused.
pub(super) fn refusals(operator: &Operator) -> u64 {
    let text = operator.instruments.metrics.scrape().unwrap();
    let lines = text.lines().filter(|line| {
        line.starts_with("batchpipe_operator_api_requests_total{") && line.contains("code=\"403\"")
    });
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

/// Whether the status is about the newest spec.
fn is_seen(namespace: Namespace<'_>) -> Option<()> {
    let object = namespace.get(PIPELINE);
    let observed = &object["status"]["observedGeneration"];
    (*observed == object["metadata"]["generation"]).then_some(())
}

/// Whether the operator sees nothing in its way.
fn is_content(namespace: Namespace<'_>) -> bool {
    let ready = namespace.condition("demo", "Ready");
    is_seen(namespace).is_some() && ready.is_some_and(|it| it["reason"] != "Forbidden")
}

fn is_made(namespace: Namespace<'_>, side: &str) -> bool {
    let kinds = ["deployment", "service", "networkpolicy", "poddisruptionbudget"];
    let found =
        kinds.iter().filter(|kind| namespace.find(&format!("{kind}/demo-{side}")).is_some());
    match found.count() {
        0 => false,
        4 => true,
        some => panic!("{some} of the children of {side} are there"),
    }
}

fn events(namespace: Namespace<'_>) -> Vec<Value> {
    let text = namespace.kubectl(&["get", "events.events.k8s.io", "--output", "json"]);
    let all: Value = serde_json::from_str(&text).unwrap();
    let all = all["items"].as_array().unwrap().iter();
    all.filter(|it| it["regarding"]["kind"] == "BatchPipeline").cloned().collect()
}
