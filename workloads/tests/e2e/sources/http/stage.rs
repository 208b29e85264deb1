//! A pipeline with an HTTP source, and its producer.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
};

use batchpipe_testbed::Kafka;
use serde_json::json;

use super::client::Client;
use crate::faults::support::{Child, Records, Scene};

/// A pipeline whose producer listens here.
pub(super) struct Stage {
    pub(super) scene: Scene,
    pub(super) address: SocketAddr,
}

impl Stage {
    pub(super) fn new(kafka: &Kafka, topic: &str) -> Self {
        let mut scene = Scene::new(kafka, topic);
        // A port that was free a moment ago.
        let probe = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = probe.local_addr().unwrap();
        scene.spec["producer"]["source"] = json!({"http": {"port": address.port()}});
        Self { scene, address }
    }

    /// Starts the producer, and waits until it has begun.
    pub(super) fn produce(&self) -> Child {
        let producer = self.scene.produce();
        producer.await_ready();
        producer
    }

    pub(super) fn client(&self) -> Client {
        Client::connect(self.address).unwrap()
    }

    /// Records, and their lines in pieces.
    pub(super) fn records(&self, total: usize) -> (Records, Vec<u8>) {
        let records = self.scene.write_input(total);
        (records, fs::read(self.scene.input()).unwrap())
    }
}

/// The lines of a text without their ends.
pub(super) fn lines(text: &[u8]) -> Vec<&[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect()
}

/// A number of `/proc/PID/status`, in KiB.
pub(super) fn memory_kib(child: &Child, key: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = text.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// A metric without labels, or with the producer's alone.
pub(super) fn metric(child: &Child, name: &str) -> u64 {
    let (_, page) = child.get("/metrics");
    let line = page.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}
