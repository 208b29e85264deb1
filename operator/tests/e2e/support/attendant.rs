//! Stands in for a node: without one, pods stay pending for ever. It makes every pod of a pipeline ready, and answers
//! at their address as a workload does that has nothing to do. Everything else is the cluster's own.

use std::net::Ipv4Addr;

use axum::{Router, routing::get};
use batchpipe_api::report::{Accounting, PartitionLag, Rates, Report, Role, WorkloadState};
use batchpipe_operator::build::ADMIN_PORT;
use futures_util::StreamExt;
use k8s_openapi::{api::core::v1::Pod, jiff::Timestamp};
use kube::{
    Api, Client, ResourceExt,
    api::{Patch, PatchParams},
    runtime::{WatchStreamExt, watcher},
};
use serde_json::json;

use super::Server;

/// Where a side's pods answer; each control plane has a pair of its own.
#[derive(Clone, Copy)]
struct Addresses {
    producer: Ipv4Addr,
    consumer: Ipv4Addr,
}

/// Looks after all pods of pipelines until the test ends.
pub(crate) fn attend(server: &Server) {
    let (tell, told) = std::sync::mpsc::channel();
    Server::spawn(async move {
        let addresses = serve().await;
        tell.send(addresses).unwrap();
    });
    let (addresses, client) = (told.recv().unwrap(), server.client.clone());
    Server::spawn(follow(client, addresses));
}

/// The first addresses that nobody listens at.
async fn serve() -> Addresses {
    for third in 0..=u8::MAX {
        let addresses = Addresses {
            producer: Ipv4Addr::new(127, 77, third, 1),
            consumer: Ipv4Addr::new(127, 77, third, 2),
        };
        let listen = |address| tokio::net::TcpListener::bind((address, ADMIN_PORT));
        let both = (listen(addresses.producer).await, listen(addresses.consumer).await);
        if let (Ok(producer), Ok(consumer)) = both {
            for (listener, role) in [(producer, Role::Producer), (consumer, Role::Consumer)] {
                let app = Router::new().route(
                    "/status",
                    get(async move || serde_json::to_string(&report(role)).unwrap()),
                );
                tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
            }
            return addresses;
        }
    }
    panic!("port {ADMIN_PORT} is taken at all addresses of 127.77.0.0/16");
}

async fn follow(client: Client, addresses: Addresses) {
    let selector = "app.kubernetes.io/managed-by=batchpipe-operator";
    let config = watcher::Config::default().labels(selector);
    let pods = watcher(Api::<Pod>::all(client.clone()), config).default_backoff();
    let pods = pods.applied_objects().filter_map(async |pod| pod.ok());
    pods.for_each_concurrent(8, async |pod| make_ready(&client, &pod, addresses).await).await;
}

async fn make_ready(client: &Client, pod: &Pod, addresses: Addresses) {
    if pod.status.as_ref().is_some_and(|status| status.pod_ip.is_some()) {
        return;
    }
    let is_producer =
        pod.labels().get("app.kubernetes.io/component").is_some_and(|it| it == "producer");
    let ip = if is_producer { addresses.producer } else { addresses.consumer };
    let status = json!({"status": {
        "phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}],
        "conditions": [{"type": "Ready", "status": "True"}],
    }});
    let api: Api<Pod> = Api::namespaced(client.clone(), &pod.namespace().unwrap());
    // It may be gone already.
    let _ =
        api.patch_status(&pod.name_any(), &PatchParams::default(), &Patch::Merge(&status)).await;
}

/// Everything is delivered, and nothing more comes.
fn report(role: Role) -> Report {
    let now = Timestamp::now().as_millisecond();
    let lag = PartitionLag {
        partition: 0,
        asked_at_ms: Some(now),
        position: Some(5),
        committed: Some(5),
        end: Some(5),
        messages: Some(0),
        records: Some(0),
        seconds: Some(0.0),
    };
    let is_consumer = role == Role::Consumer;
    Report {
        role,
        version: "0.1.0".to_owned(),
        uptime_seconds: 60.0,
        begun_at_ms: now,
        state: WorkloadState::Running,
        ready: true,
        // As one that has not read its configuration yet: it counts for every pipeline.
        topic: String::new(),
        accounting: Accounting::default(),
        rates: Rates::default(),
        latency_ms: None,
        partitions: is_consumer.then_some(1),
        lag: if is_consumer { vec![lag] } else { Vec::new() },
        stalled: Vec::new(),
        last_error: None,
    }
}
