//! What tests have in common: a cluster, operators to run against it, and waiting.

mod answering;
mod attendant;
mod faults;
mod namespace;
mod operator;
mod place;
mod rights;
mod server;
mod strimzi;

use std::{
    sync::LazyLock,
    thread::sleep,
    time::{Duration, Instant},
};

use batchpipe_testbed::{ControlPlane, shared_control_plane};

pub(crate) use self::{
    answering::{answer_at, give_address},
    attendant::attend,
    faults::{Fault, Faults, Request},
    namespace::{CHILDREN, Namespace, manifest},
    operator::{IMAGE, Operator, lasting, options},
    place::Place,
    rights::{Pair, Rights, kubeconfig},
    server::Server,
    strimzi::{complaint, install_strimzi, kafka, kafka_status, user, user_status},
};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// The cluster that all tests share; the kind is installed.
pub(crate) fn cluster() -> &'static ControlPlane {
    static INSTALLED: std::sync::Once = std::sync::Once::new();
    let cluster = shared_control_plane().unwrap();
    INSTALLED.call_once(|| install(cluster));
    cluster
}

/// Installs the kind as people do, and waits until it is served.
pub(crate) fn install(cluster: &ControlPlane) {
    let crd = batchpipe_api::schema::crd_yaml();
    cluster.kubectl_with_input(&["apply", "--server-side", "-f", "-"], &crd).unwrap();
    let established = ["wait", "--for=condition=Established", "crd/batchpipelines.batchpipe.dev"];
    // kubectl gives up when it asks before the first condition is there.
    wait_for("the kind", || cluster.kubectl(&established).ok());
}

/// Another cluster, with Strimzi's kinds and with somebody who makes pods ready.
pub(crate) fn attended() -> (&'static ControlPlane, Server) {
    static ATTENDED: LazyLock<(ControlPlane, Server)> = LazyLock::new(|| {
        let cluster = batchpipe_testbed::control_plane().unwrap();
        install(&cluster);
        install_strimzi(&cluster);
        let server = Server::of(&cluster);
        attend(&server);
        (cluster, server)
    });
    (&ATTENDED.0, ATTENDED.1.clone())
}

/// Waits until `found` gives something; says what was awaited when it does not.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, found: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, what, found)
}

/// The same with a patience of its own.
#[track_caller]
pub(crate) fn within<T>(patience: Duration, what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(begun.elapsed() < patience, "not within {patience:?}: {what}");
        sleep(Duration::from_millis(50));
    }
}
