//! Children that somebody keeps changing: they are put back, but not without end, and the pipeline says who it is.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::support::{
    Faults, IMAGE, Namespace, Operator, Rights, Server, cluster, manifest, options, wait_for,
    within,
};

fn generation(namespace: Namespace<'_>) -> i64 {
    namespace.get("deployment/demo-producer")["metadata"]["generation"].as_i64().unwrap()
}

fn image(namespace: Namespace<'_>) -> serde_json::Value {
    let pod = namespace.get("deployment/demo-producer")["spec"]["template"]["spec"].clone();
    pod["containers"][0]["image"].clone()
}

#[test]
fn two_operators_of_one_namespace_do_not_write_without_end_and_say_so() {
    let namespace = Namespace::new(cluster(), "two-releases");
    let first = Operator::start(namespace);
    namespace.pipeline("demo", "");
    namespace.await_children("demo");
    // A release in a namespace of its own that was told to look after this one too, with what the chart gives it.
    let home = Namespace::new(cluster(), "another-release");
    let watched = format!("watchNamespaces={{{}}}", namespace.name);
    let rights = Rights::of_release(home.name, &[&watched, "rbac.aggregate=false"]);
    let mut options = options(home.name, "second");
    options.settings.watch_namespaces = vec![namespace.name.to_owned()];
    options.settings.workload_image = "example.com/batchpipe:another".to_owned();
    let second = Operator::at(&rights.give(cluster(), home.name), options, Faults::none());
    let message = namespace.await_reason("demo", "Stalled", "Conflict");
    assert!(message.contains("another operator"), "{message}");
    let statuses = || {
        let writes = [&first, &second].map(|it| it.faults.writes()).concat();
        writes.iter().filter(|it| it.path.ends_with("/status")).count()
    };
    let (before, said, begun) = (generation(namespace), statuses(), Instant::now());
    sleep(Duration::from_secs(30));
    let more = generation(namespace) - before;
    assert!(more <= 40, "{more} changes in {:?}", begun.elapsed());
    let more = statuses() - said;
    assert!(more <= 60, "{more} writes of the status in {:?}", begun.elapsed());
    second.stop();
    first.stop();
}

#[test]
fn who_edits_a_child_again_and_again_is_named_and_the_first_edit_is_undone_at_once() {
    let namespace = Namespace::new(cluster(), "stubborn");
    let operator = Operator::start(namespace);
    namespace.pipeline("demo", "");
    namespace.await_children("demo");
    let edit = || {
        let args = ["set", "image", "deployment/demo-producer", "*=evil:1"];
        namespace.kubectl(&args);
    };
    edit();
    within(Duration::from_secs(30), "the image", || (image(namespace) == IMAGE).then_some(()));
    assert_ne!(namespace.condition("demo", "Ready").unwrap()["reason"], "Conflict");
    let message = wait_for("the name of who it is", || {
        edit();
        let stalled = namespace.condition("demo", "Stalled")?;
        let message = stalled["message"].as_str()?.to_owned();
        message.contains("kubectl-set").then_some(message)
    });
    assert!(message.contains("Deployment demo-producer"), "{message}");
    within(Duration::from_secs(90), "the image", || (image(namespace) == IMAGE).then_some(()));
    operator.stop();
}

#[test]
fn who_gives_pods_to_what_is_stopped_again_and_again_is_named_and_answered_seldom() {
    let namespace = Namespace::new(cluster(), "unstoppable");
    let operator = Operator::start(namespace);
    namespace.pipeline("demo", "");
    namespace.await_children("demo");
    // Nothing can be applied any more, for nobody knows where Kafka is.
    let strimzi = "strimzi: {cluster: none, listener: plain}";
    let paused = manifest("demo", "  state: Paused\n");
    namespace.apply(&paused.replace("bootstrapServers: 'kafka:9093'", strimzi));
    let (server, name) = (Server::of(namespace.cluster), "demo-producer");
    let path = format!("/apis/apps/v1/namespaces/{}/deployments/{name}", namespace.name);
    let replicas = || server.find(&path).unwrap()["spec"]["replicas"].clone();
    wait_for("the pause", || (replicas() == 0).then_some(()));
    let (before, begun) = (operator.faults.writes().len(), Instant::now());
    while begun.elapsed() < Duration::from_secs(20) {
        if replicas() == 0 {
            server.merge(&path, &json!({"spec": {"replicas": 1}}));
        }
        sleep(Duration::from_millis(20));
    }
    let writes = operator.faults.writes()[before..].to_vec();
    let of = |end: &str| writes.iter().filter(|it| it.path.ends_with(end)).count();
    assert!((4..=12).contains(&of(name)), "{} stops", of(name));
    assert!(of("/status") <= 20, "{} writes of the status", of("/status"));
    let message = namespace.await_reason("demo", "Stalled", "Conflict");
    assert!(
        message.contains("Deployment demo-producer is changed again and again by"),
        "{message}"
    );
    within(Duration::from_secs(90), "the pause", || (replicas() == 0).then_some(()));
    operator.stop();
}
