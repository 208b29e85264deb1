//! What is not ours is never touched: foreign objects with our children's names, and older pipelines.

use std::sync::atomic::{AtomicBool, Ordering};

use batchpipe_operator::client::Verb;

use crate::support::{Fault, Faults, Namespace, Operator, cluster, manifest, wait_for};

#[test]
fn a_foreign_object_with_a_childs_name_is_not_touched_and_the_others_are_made() {
    let namespace = Namespace::new(cluster(), "foreign");
    namespace.kubectl(&["create", "deployment", "demo-producer", "--image=theirs:1"]);
    let before = namespace.get("deployment/demo-producer")["metadata"]["generation"].clone();
    let operator = Operator::start(namespace);
    namespace.pipeline("demo", "");
    wait_for("the other side", || namespace.find("deployment/demo-consumer"));
    let message = namespace.await_reason("demo", "Ready", "Conflict");
    assert!(message.contains("demo-producer"), "{message}");
    let after = namespace.get("deployment/demo-producer");
    assert_eq!(before, after["metadata"]["generation"]);
    assert_is_theirs(&after);
    operator.stop();
}

#[test]
fn no_pods_are_made_with_somebody_elses_identity() {
    let namespace = Namespace::new(cluster(), "identity");
    namespace.kubectl(&["create", "serviceaccount", "demo-batchpipe"]);
    // Whose it is cannot be found out at first.
    let is_first = AtomicBool::new(true);
    let faults = Faults::new(move |request| {
        let is_it = request.path.ends_with("/serviceaccounts/demo-batchpipe");
        let is_refused = is_it && is_first.swap(false, Ordering::Relaxed);
        if is_refused { Fault::Status(500) } else { Fault::None }
    });
    let operator = Operator::with(namespace, "operator", faults);
    namespace.pipeline("demo", "");
    let message = namespace.await_reason("demo", "Ready", "Conflict");
    assert!(message.contains("demo-batchpipe"), "{message}");
    let asked = operator.faults.seen();
    // Whether the API server would take a template may be asked; nothing may be made.
    let is_made = asked
        .iter()
        .any(|it| it.path.contains("/deployments/") && it.verb != Verb::Get && !it.is_trial);
    assert!(!is_made, "{asked:?}");
    wait_for("the others", || namespace.find("poddisruptionbudget/demo-consumer"));
    wait_for("a second look", || (operator.looks() >= 2).then_some(()));
    for side in ["producer", "consumer"] {
        assert!(namespace.find(&format!("deployment/demo-{side}")).is_none(), "{side}");
    }
    assert_is_theirs(&namespace.get("serviceaccount/demo-batchpipe"));
    operator.stop();
}

#[test]
fn what_runs_can_be_paused_also_when_its_identity_was_taken() {
    let namespace = Namespace::new(cluster(), "paused");
    let operator = Operator::start(namespace);
    namespace.pipeline("demo", "");
    namespace.await_children("demo");
    // As if somebody had made it anew: nothing says any more that it is ours.
    operator.stop();
    namespace.kubectl(&["delete", "serviceaccount", "demo-batchpipe"]);
    namespace.kubectl(&["create", "serviceaccount", "demo-batchpipe"]);
    let operator = Operator::start(namespace);
    namespace.await_reason("demo", "Ready", "Conflict");
    namespace.pipeline("demo", "  state: Paused");
    wait_for("no pods", || {
        let replicas =
            |side| namespace.get(&format!("deployment/demo-{side}"))["spec"]["replicas"].as_i64();
        (replicas("producer") == Some(0) && replicas("consumer") == Some(0)).then_some(())
    });
    operator.stop();
}

fn assert_is_theirs(object: &serde_json::Value) {
    let managers = object["metadata"]["managedFields"].to_string();
    assert!(!managers.contains("batchpipe-operator"), "{managers}");
    assert!(object["metadata"]["ownerReferences"].is_null(), "{object}");
}

#[test]
fn what_a_foreign_object_took_is_made_when_it_is_gone() {
    let namespace = Namespace::new(cluster(), "freed");
    namespace.kubectl(&["create", "serviceaccount", "demo-batchpipe"]);
    let operator = Operator::start(namespace);
    namespace.pipeline("demo", "");
    namespace.await_reason("demo", "Ready", "Conflict");
    namespace.kubectl(&["delete", "serviceaccount", "demo-batchpipe"]);
    namespace.await_children("demo");
    operator.stop();
}

#[test]
fn the_younger_of_two_pipelines_with_one_topic_waits_for_the_older_to_go() {
    let namespace = Namespace::new(cluster(), "younger");
    let operator = Operator::start(namespace);
    namespace.pipeline("first", "  topic: {name: shared}");
    namespace.await_children("first");
    // Creation times have whole seconds: without this, neither is older.
    let created = |name: &str| namespace.get(name)["metadata"]["creationTimestamp"].clone();
    wait_for("a later second", || {
        let probe = namespace.kubectl(&["create", "configmap", "probe"]);
        let later = created("configmap/probe") != created("batchpipeline/first");
        namespace.kubectl(&["delete", "configmap", "probe"]);
        (later && !probe.is_empty()).then_some(())
    });
    namespace.apply(
        &manifest("second", "  topic: {name: shared}")
            .replace("consumer: {", "consumer: {group: first, "),
    );
    let message = namespace.await_reason("second", "Ready", "Conflict");
    assert!(message.contains("first"), "{message}");
    assert!(namespace.find("deployment/second-consumer").is_none());
    namespace.kubectl(&["delete", "batchpipeline/first"]);
    namespace.await_children("second");
    operator.stop();
}

/// A pipeline that consumes the group `shared` of the topic `shared`.
pub(crate) fn sharing(name: &str, address: &str) -> String {
    manifest(name, "  topic: {name: shared}")
        .replace("consumer: {", "consumer: {group: shared, ")
        .replace("kafka:9093", address)
}

#[test]
fn of_two_pipelines_created_at_once_one_works_and_the_other_creates_nothing() {
    let namespace = Namespace::new(cluster(), "at-once");
    let operator = Operator::start(namespace);
    // Which of a pair is seen first, and which has the lesser uid, is left to chance.
    let pairs: Vec<_> = (0..6).map(|pair| [format!("one-{pair}"), format!("two-{pair}")]).collect();
    let of_pair = |(pair, names): (usize, &[String; 2])| {
        let names = names.each_ref();
        names.map(|name| sharing(name, "kafka:9093").replace("shared", &format!("shared-{pair}")))
    };
    let all: Vec<_> = pairs.iter().enumerate().flat_map(of_pair).collect();
    namespace.apply(&all.join("\n---\n"));
    for names in &pairs {
        let loser = wait_for("one that waits", || {
            let waits = |name: &&String| {
                !namespace.get(&format!("batchpipeline/{name}"))["status"]["waitsFor"].is_null()
            };
            names.iter().find(waits)
        });
        let winner = names.iter().find(|name| *name != loser).unwrap();
        namespace.await_children(winner);
        namespace.await_reason(loser, "Ready", "Conflict");
        for side in ["producer", "consumer"] {
            assert!(namespace.find(&format!("deployment/{loser}-{side}")).is_none(), "{loser}");
        }
        let status = &namespace.get(&format!("batchpipeline/{loser}"))["status"];
        assert_eq!(status["waitsFor"], winner.as_str());
    }
    operator.stop();
}

#[test]
fn a_foreign_object_with_a_childs_name_takes_no_topic_from_who_works_with_it() {
    let namespace = Namespace::new(cluster(), "robbed");
    let pdb = ["create", "pdb", "first-consumer", "--selector=app=theirs", "--min-available=1"];
    namespace.kubectl(&pdb);
    let operator = Operator::start(namespace);
    namespace.apply(&sharing("first", "kafka:9093"));
    namespace.await_reason("first", "Stalled", "Conflict");
    wait_for("its consumer", || namespace.find("deployment/first-consumer"));
    namespace.apply(&sharing("second", "kafka:9093"));
    let message = namespace.await_reason("second", "Ready", "Conflict");
    assert!(message.contains("pipeline first"), "{message}");
    assert!(namespace.find("deployment/second-consumer").is_none());
    assert!(namespace.get("batchpipeline/first")["status"]["waitsFor"].is_null());
    operator.stop();
}

#[test]
fn what_runs_is_kept_while_the_spec_wants_something_else_that_cannot_be_carried_out() {
    let namespace = Namespace::new(cluster(), "kept");
    let operator = Operator::start(namespace);
    namespace.apply(&sharing("first", "kafka:9093"));
    namespace.await_children("first");
    namespace.apply(&sharing("first", "other:9093").replace("generator", "stdin"));
    namespace.await_reason("first", "Ready", "InvalidSpec");
    namespace.apply(&sharing("second", "kafka:9093"));
    let message = namespace.await_reason("second", "Ready", "Conflict");
    assert!(message.contains("pipeline first"), "{message}");
    assert!(namespace.find("deployment/second-consumer").is_none());
    // No pod is ever ready here: a rollout would never be complete, and its earlier pods would go on.
    namespace.apply(&format!("{}\n  state: Paused\n", sharing("first", "other:9093")));
    namespace.await_children("second");
    operator.stop();
}

#[test]
fn of_two_that_work_with_one_group_the_younger_is_stopped_until_the_other_goes() {
    let namespace = Namespace::new(cluster(), "intruder");
    let operator = Operator::start(namespace);
    namespace.apply(&sharing("older", "kafka:9093"));
    namespace.await_children("older");
    namespace.apply(&sharing("younger", "other:9093"));
    namespace.await_children("younger");
    operator.stop();
    // As two operators would have left it that did not know of each other's work.
    let claims = &namespace.get("deployment/older-consumer")["metadata"]["annotations"];
    let claims =
        format!("batchpipe.dev/claims={}", claims["batchpipe.dev/claims"].as_str().unwrap());
    namespace.kubectl(&["annotate", "--overwrite", "deployment/younger-consumer", &claims]);
    namespace.apply(&sharing("younger", "kafka:9093"));
    let (older, younger) = age_and_uid(namespace, ["older", "younger"]);
    let operator = Operator::start(namespace);
    namespace.await_reason(younger, "Ready", "Conflict");
    let consumer = |name: &str| replicas(namespace, &format!("deployment/{name}-consumer"));
    wait_for("its consumer to be stopped", || (consumer(younger) == 0).then_some(()));
    assert_eq!(consumer(older), 1);
    assert_eq!(replicas(namespace, &format!("deployment/{younger}-producer")), 1, "it may share");
    namespace.kubectl(&["delete", &format!("batchpipeline/{older}")]);
    wait_for("its consumer again", || (consumer(younger) == 1).then_some(()));
    operator.stop();
}

/// Two pipelines, the one that comes first before the other.
fn age_and_uid<'a>(namespace: Namespace<'_>, names: [&'a str; 2]) -> (&'a str, &'a str) {
    let age = |name: &str| {
        let metadata = namespace.get(&format!("batchpipeline/{name}"))["metadata"].clone();
        ["creationTimestamp", "uid"].map(|field| metadata[field].to_string())
    };
    let [one, other] = names;
    if age(one) < age(other) { (one, other) } else { (other, one) }
}

#[test]
fn an_object_that_appears_between_looking_and_creating_is_not_taken_over() {
    let namespace = Namespace::new(cluster(), "race");
    let is_made = AtomicBool::new(false);
    let faults = Faults::new(move |request| {
        let is_creation =
            request.is_write() && request.path.ends_with("/serviceaccounts/demo-batchpipe");
        if is_creation && !is_made.swap(true, Ordering::Relaxed) {
            namespace.kubectl(&["create", "serviceaccount", "demo-batchpipe"]);
        }
        Fault::None
    });
    let operator = Operator::with(namespace, "operator", faults);
    namespace.pipeline("demo", "");
    namespace.await_reason("demo", "Ready", "Conflict");
    let account = namespace.get("serviceaccount/demo-batchpipe");
    assert!(!account.to_string().contains("batchpipe-operator"), "{account}");
    operator.stop();
}

/// The number of pods that a Deployment asks for.
fn replicas(namespace: Namespace<'_>, deployment: &str) -> serde_json::Value {
    namespace.get(deployment)["spec"]["replicas"].clone()
}

#[test]
fn an_older_pipeline_that_wants_what_a_younger_one_has_waits_and_can_still_be_paused() {
    let namespace = Namespace::new(cluster(), "wanting");
    let operator = Operator::start(namespace);
    namespace.apply(&sharing("older", "other:9093"));
    namespace.await_children("older");
    namespace.apply(&sharing("younger", "kafka:9093"));
    namespace.await_children("younger");
    namespace.await_reason("younger", "Stalled", "AsDesired");
    namespace.apply(&sharing("older", "kafka:9093"));
    let message = namespace.await_reason("older", "Ready", "Conflict");
    assert!(message.contains("younger"), "{message}");
    let consumer = namespace.get("deployment/older-consumer");
    assert!(consumer.to_string().contains("other:9093"), "{consumer}");
    assert_ne!(namespace.condition("younger", "Ready").unwrap()["reason"], "Conflict");
    let paused = r#"{"spec": {"state": "Paused"}}"#;
    namespace.kubectl(&["patch", "bp", "older", "--type=merge", "--patch", paused]);
    for side in ["producer", "consumer"] {
        let deployment = format!("deployment/older-{side}");
        wait_for("no pods", || (replicas(namespace, &deployment) == 0).then_some(()));
    }
    let again = r#"{"spec": {"state": "Running", "kafka": {"bootstrapServers": "other:9093"}}}"#;
    namespace.kubectl(&["patch", "bp", "older", "--type=merge", "--patch", again]);
    wait_for("its pods again", || {
        (replicas(namespace, "deployment/older-consumer") == 1).then_some(())
    });
    operator.stop();
}
