//! One fact each about states and numbers.

use serde_json::{Value, json};

use super::*;
use crate::observe::testing::{consumer_pod, deployment, lag, moment, pod, settled};

fn object(state: &str, consumer: &Value) -> BatchPipeline {
    batchpipe_api::validate::check_value(json!({
        "apiVersion": "batchpipe.dev/v1alpha1", "kind": "BatchPipeline",
        "metadata": {"name": "telemetry", "generation": 1},
        "spec": {
            "state": state, "kafka": {"bootstrapServers": "kafka:9093"},
            "producer": {"replicas": 3, "source": {"generator": {}}}, "consumer": consumer,
        },
    }))
    .unwrap()
}

fn of(object: &BatchPipeline, observed: &Observed) -> Decision {
    decide(&DecideInput { object, observed, memory: &Memory::default(), now: moment(0) })
}

#[test]
fn running_pipelines_have_the_pods_that_the_spec_asks_for() {
    let object = object("Running", &json!({"replicas": 2, "sink": {"stdout": {}}}));
    let decision = of(&object, &Observed::default());
    assert_eq!(decision.replicas, Replicas { producer: 3, consumer: 2 });
    assert_eq!((decision.scaling, decision.drain), (None, None));
}

#[test]
fn paused_pipelines_have_none_and_scaling_says_why() {
    let scaling = json!({"sink": {"stdout": {}}, "scaling": {"maxReplicas": 4}});
    let decision = of(&object("Paused", &scaling), &Observed::default());
    assert_eq!(decision.replicas, Replicas::default());
    assert_eq!(decision.scaling.unwrap().reason, "the state is Paused");
}

#[test]
fn a_side_that_is_not_asked_for_has_no_pods() {
    let mut object = object("Running", &json!({"sink": {"stdout": {}}}));
    object.spec.producer = None;
    assert_eq!(of(&object, &Observed::default()).replicas, Replicas { producer: 0, consumer: 1 });
    object.spec.consumer = None;
    assert_eq!(of(&object, &Observed::default()).replicas, Replicas::default());
}

#[test]
fn scaling_overrides_replicas_and_says_so() {
    let spec = json!({"replicas": 5, "sink": {"stdout": {}}, "scaling": {"maxReplicas": 4}});
    let observed = Observed {
        consumer: settled(vec![consumer_pod("a", vec![lag(0, 5, 5)])]),
        ..Observed::default()
    };
    let decision = of(&object("Running", &spec), &observed);
    assert_eq!(decision.replicas.consumer, 1);
    let scaling = decision.scaling.unwrap();
    assert_eq!(scaling.desired_replicas, 1);
    let text =
        "lag within the target of 30 s; consumer.replicas: 5 is overridden by consumer.scaling";
    assert_eq!(scaling.reason, text);
}

#[test]
fn what_was_seen_of_the_producer_is_remembered_in_every_state() {
    let object = object("Running", &json!({"sink": {"stdout": {}}}));
    let observed = Observed { producer: settled(vec![pod("p")]), ..Observed::default() };
    assert_eq!(of(&object, &observed).memory.producer_seen_at, Some(moment(0)));
    let mut none = Observed::default();
    none.producer.deployment = Some(deployment(0));
    assert_eq!(of(&object, &none).memory.producer_seen_at, None);
}

#[test]
fn a_new_leader_with_an_old_cache_takes_no_pods_away() {
    let spec = json!({"sink": {"stdout": {}}, "scaling": {"maxReplicas": 8}});
    let mut object = object("Running", &spec);
    let mut observed =
        Observed { consumer: settled(vec![pod("a"), pod("b")]), ..Observed::default() };
    let said = ScalingStatus { desired_replicas: 5, reason: String::new() };
    object.status = Some(batchpipe_api::status::BatchPipelineStatus {
        scaling: Some(said),
        ..Default::default()
    });
    assert_eq!(of(&object, &observed).replicas.consumer, 5);
    observed.consumer.deployment = Some(deployment(6));
    assert_eq!(of(&object, &observed).replicas.consumer, 6, "what it asks for may be newer");
}
