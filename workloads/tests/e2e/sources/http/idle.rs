//! Ten thousand clients that say nothing.

use std::net::TcpStream;

use batchpipe_testbed::shared_kafka;
use rustix::process::{Resource, getrlimit};

use super::stage::{Stage, memory_kib, metric};

const WANTED: u64 = 10_000;
/// What this process needs for other tests.
const RESERVE: u64 = 600;

/// How many files a process has open.
fn descriptors(process: u32) -> usize {
    std::fs::read_dir(format!("/proc/{process}/fd")).unwrap().count()
}

#[test]
fn idle_connections_exhaust_neither_memory_nor_descriptors() {
    let kafka = shared_kafka().unwrap();
    let stage = Stage::new(kafka, "http-idle");
    let producer = stage.produce();
    let before = memory_kib(&producer, "VmRSS");
    let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let count = WANTED.min(allowed.saturating_sub(RESERVE));
    let mut idle: Vec<_> = (0..count).map(|_| TcpStream::connect(stage.address).unwrap()).collect();
    // Others are served meanwhile.
    for _ in 0..20 {
        assert_eq!(stage.client().post("", b"1").unwrap().status, 200);
    }
    let (after, open) = (memory_kib(&producer, "VmRSS"), descriptors(producer.id()));
    let charged = metric(&producer, "batchpipe_memory_used_bytes") / 1024;
    println!(
        "http, idle: {count} of {WANTED} connections made, {open} files open, {before} -> {after} KiB, {charged} KiB \
         charged; this process may open {allowed} files"
    );
    assert!(after - before < 32 * 1024, "{before} -> {after} KiB");
    assert!((open as u64) < allowed.max(WANTED) && producer.is_ready());
    // The newest of them is still there.
    let newest = idle.pop().unwrap();
    newest.set_nonblocking(true).unwrap();
    let read = newest.peek(&mut [0]);
    assert!(read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock));
    drop(idle);
    assert_eq!(producer.terminate().well().accepted, 20);
}
