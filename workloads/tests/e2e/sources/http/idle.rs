//! Ten thousand clients that say little or nothing: what they take is what is charged for them, and others are served
//! meanwhile.

use std::{
    fs,
    io::{ErrorKind, Write as _},
    net::TcpStream,
};

use batchpipe_testbed::shared_kafka;
use rustix::process::{Resource, getrlimit};

use super::{
    access,
    stage::{Stage, memory_kib, metric},
};
use crate::faults::support::{Child, until};

const WANTED: u64 = 10_000;
/// What this process needs for other tests.
const RESERVE: u64 = 600;
/// What a connection is charged from the start, and what is added when it has sent something, in KiB.
const SILENT_KIB: u64 = 2;
const TALKER_KIB: u64 = 32;
const ENCRYPTED_TALKER_KIB: u64 = 64;
/// What is charged for a request of which one byte has come.
const REQUEST_KIB: u64 = 8;
/// Places that are left to others, where all would be busy.
const SPARE: u64 = 20;
/// What memory may grow by beside that: what is made once, and what the allocator keeps.
const SLACK_KIB: u64 = 8 * 1024;

/// Memory of the process, and what is charged to its budget, in KiB.
#[derive(Clone, Copy, Debug)]
struct Usage {
    resident: u64,
    charged: u64,
}

impl Usage {
    fn of(producer: &Child) -> Self {
        let charged = metric(producer, "batchpipe_memory_used_bytes") / 1024;
        Self { resident: memory_kib(producer, "VmRSS"), charged }
    }

    /// How much both have grown since.
    fn since(self, before: Self) -> Self {
        let resident = self.resident.saturating_sub(before.resident);
        Self { resident, charged: self.charged.saturating_sub(before.charged) }
    }
}

/// Clients of a kind.
struct Clients<'a> {
    name: &'a str,
    /// What each is charged when it has sent something, if it has: for its place, and for its request.
    charged_kib: Option<(u64, u64)>,
    /// Makes one.
    make: &'a dyn Fn() -> TcpStream,
    /// Sends a record meanwhile; the status of the answer.
    post: &'a dyn Fn() -> u16,
}

impl Clients<'_> {
    /// How many are to be made, how many of them are kept, and what each of these is charged, in KiB.
    fn count(&self, producer: &Child) -> (u64, u64, u64) {
        let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let budget_kib = metric(producer, "batchpipe_memory_limit_bytes") / 1024;
        let connections = (budget_kib / 12 / SILENT_KIB).min(allowed / 4 * 3).min(WANTED);
        if let Some((place, request)) = self.charged_kib {
            let count = (budget_kib / 6 / place).min(connections) - SPARE;
            (count, count, SILENT_KIB + place + request)
        } else {
            let count = WANTED.min(allowed.saturating_sub(RESERVE));
            (count, count.min(connections), SILENT_KIB)
        }
    }

    /// Makes as many as there may be, and checks what they cost and that others are served meanwhile. Memory is compared
    /// with what is charged: whatever the budget is, connections never take more than their part of it.
    fn check(&self, producer: Child) {
        assert_eq!((self.post)(), 200, "{}: what is made once is made", self.name);
        let name = self.name;
        let (count, held, each_kib) = self.count(&producer);
        let before = Usage::of(&producer);
        let clients: Vec<_> = (0..count).map(|_| (self.make)()).collect();
        let grown = || Usage::of(&producer).since(before);
        // The connection of the first record may have been charged for when that was looked at.
        let enough = held * each_kib - 2 * ENCRYPTED_TALKER_KIB;
        until("all of them are charged for", || grown().charged >= enough);
        let grown = grown();
        println!(
            "http, idle: {count} clients {name}, {held} of them kept: {} bytes each, {each_kib} KiB charged for each",
            grown.resident * 1024 / held
        );
        assert!(grown.resident <= grown.charged + SLACK_KIB, "{name}: {grown:?}");
        assert!(grown.charged <= held * each_kib + SLACK_KIB, "{name}: {grown:?}");
        for _ in 0..20 {
            assert_eq!((self.post)(), 200, "{name}");
        }
        let newest = clients.last().unwrap();
        newest.set_nonblocking(true).unwrap();
        // What TLS says of its own accord may be there.
        let peeked = newest.peek(&mut [0]);
        let is_open =
            peeked.map_or_else(|error| error.kind() == ErrorKind::WouldBlock, |read| read > 0);
        assert!(is_open && producer.is_ready(), "{name}");
        assert_eq!(producer.terminate().well().accepted, 21, "{name}");
    }
}

fn post(stage: &Stage) -> u16 {
    stage.client().post("", b"1").unwrap().status
}

#[test]
fn clients_that_say_nothing_are_kept_for_what_they_are_charged() {
    let stage = Stage::new(shared_kafka().unwrap(), "http-idle-silent");
    let clients = Clients {
        name: "that say nothing",
        charged_kib: None,
        make: &|| TcpStream::connect(stage.address).unwrap(),
        post: &|| post(&stage),
    };
    clients.check(stage.produce());
}

#[test]
fn clients_that_were_answered_are_kept_for_what_they_are_charged() {
    let stage = Stage::new(shared_kafka().unwrap(), "http-idle-answered");
    let make = || {
        let mut client = stage.client();
        assert_eq!(client.post("", b"").unwrap().status, 200);
        client.into_stream()
    };
    let clients = Clients {
        name: "that were answered",
        charged_kib: Some((TALKER_KIB, 0)),
        make: &make,
        post: &|| post(&stage),
    };
    clients.check(stage.produce());
}

#[test]
fn clients_that_were_answered_by_https_are_kept_for_what_they_are_charged() {
    let mut stage = Stage::new(shared_kafka().unwrap(), "http-idle-encrypted");
    let secrets = stage.scene.folder.path().join("secrets");
    fs::create_dir_all(secrets.join("mine")).unwrap();
    let (trust, _) = access::renew(&secrets.join("mine"));
    stage.scene.environment.push(("BATCHPIPE_SECRETS", secrets));
    stage.scene.spec["producer"]["source"]["http"]["tls"] = serde_json::json!({"secret": "mine"});
    let clients = Clients {
        name: "that were answered by HTTPS",
        charged_kib: Some((ENCRYPTED_TALKER_KIB, 0)),
        make: &|| access::open(&stage, &trust),
        post: &|| access::send(&stage, &trust, "").unwrap(),
    };
    clients.check(stage.produce());
}

#[test]
fn clients_in_the_middle_of_a_body_are_kept_for_what_they_are_charged() {
    let stage = Stage::new(shared_kafka().unwrap(), "http-idle-unfinished");
    let make = || {
        let mut client = stage.client();
        let more = format!("X: {}\r\nContent-Length: 100000", "y".repeat(7_900));
        let head = format!("POST /v1/records HTTP/1.1\r\nHost: x\r\n{more}\r\n\r\n1");
        client.stream().write_all(head.as_bytes()).unwrap();
        client.into_stream()
    };
    let clients = Clients {
        name: "in the middle of a body",
        charged_kib: Some((TALKER_KIB, REQUEST_KIB)),
        make: &make,
        post: &|| post(&stage),
    };
    clients.check(stage.produce());
}
