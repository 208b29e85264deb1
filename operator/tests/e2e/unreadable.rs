//! A pipeline that this version cannot read, because a newer kind lets in more, says so and delays no other. Of a
//! status, which the operator alone writes, what cannot be read is written anew. A time that is too late to be read
//! delays nobody.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use serde_json::json;

use crate::support::{Fault, Faults, Namespace, Operator, cluster, install, manifest, wait_for};

/// A kind that lets in one more value of a field than this version knows.
fn widen(namespace: Namespace<'_>, field: &str, value: &str) {
    let path = format!("/spec/versions/0/schema/openAPIV3Schema/properties/{field}/enum/-");
    let change = json!([{"op": "add", "path": path, "value": value}]).to_string();
    let kind = "crd/batchpipelines.batchpipe.dev";
    namespace.kubectl(&["patch", kind, "--type=json", "--patch", &change]);
}

/// A kind with one more state than this version knows.
fn newer_kind(namespace: Namespace<'_>) {
    widen(namespace, "spec/properties/state", "Hibernated");
    let manifest = manifest("newer", "  state: Hibernated");
    let args = ["apply", "--namespace", namespace.name, "-f", "-"];
    wait_for("the newer kind to be served", || {
        namespace.cluster.kubectl_with_input(&args, &manifest).ok()
    });
}

#[test]
fn a_pipeline_that_cannot_be_read_says_so_and_delays_no_other() {
    // Not the cluster of the other tests, whose kind is not to be changed.
    let cluster = batchpipe_testbed::control_plane().unwrap();
    install(&cluster);
    let namespace = Namespace::new(&cluster, "newer");
    newer_kind(namespace);
    // That it cannot be read is said when it cannot be said at first, too.
    let failures = AtomicUsize::new(2);
    let faults = Faults::new(move |request| {
        let is_it = request.path.ends_with("/batchpipelines/newer/status");
        let take = |left: usize| left.checked_sub(1);
        let is_refused = is_it && failures.fetch_update(Relaxed, Relaxed, take).is_ok();
        if is_refused { Fault::Status(500) } else { Fault::None }
    });
    let operator = Operator::with(namespace, "operator", faults);
    namespace.pipeline("demo", "");
    namespace.await_children("demo");
    let message = namespace.await_reason("newer", "Stalled", "InvalidSpec");
    let tries = operator.faults.writes();
    let tries = tries.iter().filter(|it| it.path.ends_with("/batchpipelines/newer/status")).count();
    assert!((3..=5).contains(&tries), "{tries} tries");
    assert!(message.contains("Hibernated"), "{message}");
    // One that runs already keeps what it has.
    namespace.pipeline("demo", "  state: Hibernated");
    namespace.await_reason("demo", "Ready", "InvalidSpec");
    namespace.await_children("demo");
    namespace.pipeline("newer", "");
    namespace.await_children("newer");
    wait_for("it to be carried out", || {
        let stalled = namespace.condition("newer", "Stalled")?;
        (stalled["status"] == "False").then_some(())
    });
    let writes = operator.faults.writes();
    let said = writes.iter().filter(|it| it.path.ends_with("/batchpipelines/demo/status"));
    let before = said.count();
    namespace.kubectl(&["annotate", "batchpipeline/demo", "example.com/look=1"]);
    namespace.pipeline("third", "");
    namespace.await_children("third");
    let writes = operator.faults.writes();
    let said = writes.iter().filter(|it| it.path.ends_with("/batchpipelines/demo/status"));
    assert_eq!(said.count(), before, "it is said once");
    operator.stop();
}

#[test]
fn a_status_that_a_newer_version_wrote_stops_nothing() {
    let cluster = batchpipe_testbed::control_plane().unwrap();
    install(&cluster);
    let namespace = Namespace::new(&cluster, "downgraded");
    namespace.pipeline("demo", "");
    widen(namespace, "status/properties/phase", "Recovering");
    let status = json!({"status": {"phase": "Recovering", "data": {"deadLetters": 7}}}).to_string();
    let patch = ["patch", "bp", "demo", "--subresource=status", "--type=merge", "--patch", &status];
    wait_for("a phase that this version does not know", || namespace.try_kubectl(&patch).ok());
    let operator = Operator::start(namespace);
    namespace.await_children("demo");
    namespace.kubectl(&["scale", "bp", "demo", "--replicas=3"]);
    wait_for("three consumers, and a status of this version", || {
        let replicas = &namespace.get("deployment/demo-consumer")["spec"]["replicas"];
        let status = &namespace.get("batchpipeline/demo")["status"];
        (replicas == 3 && status["phase"] == "Pending" && status["data"]["deadLetters"] == 7)
            .then_some(())
    });
    operator.stop();
}

/// Notes on an object that somebody wrote into it at a time which the API server takes, and which is too late to be read.
fn write_too_late(namespace: Namespace<'_>, object: &str) {
    const LATE: &str = "9999-12-31T23:59:59Z";
    let version = namespace.get(object)["apiVersion"].clone();
    let entry = json!({"manager": "someone", "operation": "Update", "apiVersion": version, "time": LATE,
        "fieldsType": "FieldsV1", "fieldsV1": {"f:metadata": {"f:labels": {"f:foo": {}}}}});
    namespace.kubectl(&["label", object, "foo=bar"]);
    let change = json!([{"op": "add", "path": "/metadata/managedFields/-", "value": entry}]);
    namespace.kubectl(&["patch", object, "--type=json", "--patch", &change.to_string()]);
    let stored = namespace.get(object)["metadata"]["managedFields"].to_string();
    assert!(stored.contains(LATE), "{stored}");
}

#[test]
fn a_time_that_is_too_late_to_be_read_delays_nobody_whatever_it_is_a_part_of() {
    let namespace = Namespace::new(cluster(), "too-late");
    let operator = Operator::start(namespace);
    namespace.pipeline("demo", "");
    namespace.await_children("demo");
    let labels = json!({"app.kubernetes.io/managed-by": "batchpipe-operator"});
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "theirs", "labels": labels}});
    namespace.apply(&account.to_string());
    namespace.pipeline("late", "");
    namespace.await_children("late");
    for object in ["serviceaccount/theirs", "deployment/demo-consumer", "batchpipeline/late"] {
        write_too_late(namespace, object);
    }
    operator.stop();
    let operator = Operator::with(namespace, "next", Faults::none());
    for name in ["demo", "late"] {
        namespace.kubectl(&["scale", "bp", name, "--replicas=3"]);
        wait_for("three consumers, and a status that says so", || {
            let replicas =
                &namespace.get(&format!("deployment/{name}-consumer"))["spec"]["replicas"];
            let status = &namespace.get(&format!("batchpipeline/{name}"))["status"];
            (replicas == 3 && status["consumer"]["replicas"] == 3).then_some(())
        });
    }
    let metrics = operator.instruments.metrics.scrape().unwrap();
    assert!(!metrics.contains("reconcile_failures_total{"), "{metrics}");
    operator.stop();
}
