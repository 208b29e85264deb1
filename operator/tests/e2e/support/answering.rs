//! Stands in for one pod: it has an address, and says there what a test wants it to.

use std::net::Ipv4Addr;

use axum::{Router, routing::get};
use batchpipe_operator::build::ADMIN_PORT;
use serde_json::{Value, json};

use super::{Namespace, Server, wait_for};

/// Answers at the address as a workload does, each time with what is to be said then. Nobody else may have the address.
pub(crate) fn answer_at(
    address: Ipv4Addr,
    say: impl Fn() -> Value + Clone + Send + Sync + 'static,
) {
    let (tell, told) = std::sync::mpsc::channel();
    Server::spawn(async move {
        let listener = tokio::net::TcpListener::bind((address, ADMIN_PORT)).await.unwrap();
        tell.send(()).unwrap();
        let answer = get(async move || say().to_string());
        axum::serve(listener, Router::new().route("/status", answer)).await.unwrap();
    });
    told.recv().unwrap();
}

/// Gives the consumer's pod the address.
pub(crate) fn give_address(namespace: Namespace<'_>, address: Ipv4Addr) {
    let select = "app.kubernetes.io/component=consumer";
    let pod = wait_for("the consumer's pod", || {
        let names = namespace.kubectl(&["get", "pods", "--selector", select, "--output", "name"]);
        names.lines().next().map(str::to_owned)
    });
    let status =
        json!({"status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}});
    let patch = ["--subresource=status", "--type=merge", "--patch", &status.to_string()];
    namespace.kubectl(&[&["patch", &pod], patch.as_slice()].concat());
}
