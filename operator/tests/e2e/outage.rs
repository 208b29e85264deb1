//! The API server is killed, or stops answering without a word, and comes back: the operator goes on by itself.

use batchpipe_testbed::ControlPlane;

use crate::support::{Namespace, Operator, install, wait_for};

/// A control plane of its own, because other tests need theirs running.
fn own() -> ControlPlane {
    let cluster = batchpipe_testbed::control_plane().unwrap();
    install(&cluster);
    cluster
}

fn after(outage: impl FnOnce(&mut ControlPlane)) {
    let mut cluster = own();
    let name = {
        let namespace = Namespace::new(&cluster, "outage");
        namespace.name
    };
    let operator = Operator::start(Namespace { cluster: &cluster, name });
    {
        let namespace = Namespace { cluster: &cluster, name };
        namespace.pipeline("demo", "");
        namespace.await_children("demo");
    }
    outage(&mut cluster);
    let namespace = Namespace { cluster: &cluster, name };
    wait_for("kubectl to work again", || namespace.try_kubectl(&["get", "pods"]).ok());
    namespace.kubectl(&["delete", "deployment/demo-producer"]);
    wait_for("the child to be restored", || namespace.find("deployment/demo-producer"));
    operator.stop();
}

#[test]
fn an_api_server_that_was_killed_is_found_again() {
    after(|cluster| {
        cluster.kill().unwrap();
        // Longer than the lease: the operator has to step down and to lead again.
        std::thread::sleep(std::time::Duration::from_secs(5));
        cluster.start_again().unwrap();
    });
}

#[test]
fn an_api_server_that_stops_answering_without_a_word_is_found_again() {
    after(|cluster| {
        cluster.pause().unwrap();
        std::thread::sleep(std::time::Duration::from_secs(20));
        cluster.resume().unwrap();
    });
}

#[test]
fn an_operator_that_comes_before_its_kind_waits_for_it() {
    let cluster = batchpipe_testbed::control_plane().unwrap();
    let namespace = Namespace::new(&cluster, "early");
    let operator = Operator::start(namespace);
    wait_for("a first look", || (!operator.faults.seen().is_empty()).then_some(()));
    install(&cluster);
    namespace.pipeline("demo", "");
    namespace.await_children("demo");
    operator.stop();
}
