//! Ten thousand clients that say little or nothing: what they take is what is charged for them, and others are served
//! meanwhile.

use std::{
    io::{ErrorKind, Write as _},
    net::TcpStream,
};

use batchpipe_testbed::{Kafka, shared_kafka};
use rustix::process::{Resource, getrlimit};

use super::stage::{Stage, memory_kib, metric};
use crate::faults::support::{Child, until};

const WANTED: u64 = 10_000;
/// What this process needs for other tests.
const RESERVE: u64 = 600;
/// What a connection is charged from the start, and what is added when it has sent something, in KiB.
const SILENT_KIB: u64 = 2;
const TALKER_KIB: u64 = 32;
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

/// How many connections a producer takes, and how many of them may have sent something.
fn places(producer: &Child, allowed: u64) -> (u64, u64) {
    let budget_kib = metric(producer, "batchpipe_memory_limit_bytes") / 1024;
    let connections = (budget_kib / 12 / SILENT_KIB).min(allowed / 4 * 3).min(WANTED);
    (connections, (budget_kib / 6 / TALKER_KIB).min(connections))
}

/// Has clients do this, and checks what they cost and that others are served meanwhile. Clients that send something are
/// charged for that, and for what `talks` says. Memory is compared with what is
/// charged, so whatever the budget is, connections never take more than their part of it.
fn check(kafka: &Kafka, name: &str, talks: Option<u64>, act: fn(&Stage) -> TcpStream) {
    let stage = Stage::new(kafka, &format!("http-idle-{name}"));
    let producer = stage.produce();
    let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let (connections, talkers) = places(&producer, allowed);
    let (count, held, each_kib) = if let Some(more_kib) = talks {
        let count = talkers - SPARE;
        (count, count, SILENT_KIB + TALKER_KIB + more_kib)
    } else {
        let count = WANTED.min(allowed.saturating_sub(RESERVE));
        (count, count.min(connections), SILENT_KIB)
    };
    let before = Usage::of(&producer);
    let clients: Vec<_> = (0..count).map(|_| act(&stage)).collect();
    let grown = || Usage::of(&producer).since(before);
    until("all of them are charged for", || grown().charged + each_kib >= held * each_kib);
    let grown = grown();
    println!(
        "http, idle: {count} clients {name}, {held} of them kept: {:.1} KiB each, charged {each_kib} KiB each",
        grown.resident as f64 / held as f64
    );
    assert!(grown.resident <= grown.charged + SLACK_KIB, "{name}: {grown:?}");
    assert!(grown.charged <= held * each_kib + SLACK_KIB, "{name}: {grown:?}");
    for _ in 0..20 {
        assert_eq!(stage.client().post("", b"1").unwrap().status, 200, "{name}");
    }
    let newest = clients.last().unwrap();
    newest.set_nonblocking(true).unwrap();
    let peeked = newest.peek(&mut [0]);
    assert!(
        peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock),
        "{name}: it was closed"
    );
    assert!(producer.is_ready(), "{name}");
    assert_eq!(producer.terminate().well().accepted, 20, "{name}");
}

#[test]
fn clients_that_say_nothing_are_kept_for_what_they_are_charged() {
    let kafka = shared_kafka().unwrap();
    check(kafka, "silent", None, |stage| TcpStream::connect(stage.address).unwrap());
}

#[test]
fn clients_that_were_answered_are_kept_for_what_they_are_charged() {
    let kafka = shared_kafka().unwrap();
    check(kafka, "answered", Some(0), |stage| {
        let mut client = stage.client();
        assert_eq!(client.post("", b"").unwrap().status, 200);
        client.into_stream()
    });
}

#[test]
fn clients_in_the_middle_of_a_body_are_kept_for_what_they_are_charged() {
    let kafka = shared_kafka().unwrap();
    check(kafka, "unfinished", Some(REQUEST_KIB), |stage| {
        let mut client = stage.client();
        let more = format!("X: {}\r\nContent-Length: 100000", "y".repeat(7_900));
        let head = format!("POST /v1/records HTTP/1.1\r\nHost: x\r\n{more}\r\n\r\n1");
        client.stream().write_all(head.as_bytes()).unwrap();
        client.into_stream()
    });
}
