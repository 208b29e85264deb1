//! What is refused is refused whole, and costs others nothing.

use std::{
    io::Write as _,
    thread,
    time::{Duration, Instant},
};

use batchpipe_api::codec::Codec;
use batchpipe_testbed::shared_kafka;

use super::{
    client::{encode, encoding},
    stage::{Stage, memory_kib},
};
use crate::faults::support::{PATIENCE, read_topic};

const MIB: usize = 1024 * 1024;

#[test]
fn of_a_request_that_is_refused_nothing_arrives() {
    let kafka = shared_kafka().unwrap();
    let stage = Stage::new(kafka, "http-refused");
    let producer = stage.produce();
    let mut client = stage.client();
    let good = "{\"a\":1}\n".repeat(500);
    for (body, line) in [
        (format!("bad\n{good}{good}"), 1),
        (format!("{good}{{\"a\":}}\n{good}"), 501),
        (format!("{good}{good}\u{1}"), 1001),
    ] {
        let answer = client.post("", body.as_bytes()).unwrap();
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(answer.body.contains(&format!("\"line\":{line}}}")), "{answer:?}");
    }
    for codec in [Codec::Gzip, Codec::Zlib, Codec::Zstd] {
        let (used, bomb) = encode(codec, &b"1\n".repeat(300 * MIB / 2));
        let headers = encoding(used);
        let answer = client.post(&headers, &bomb).unwrap();
        assert_eq!(answer.status, 413, "{codec}: {answer:?}");
        let answer = client.post(&headers, &bomb[..bomb.len() / 2]).unwrap();
        assert!(matches!(answer.status, 400 | 413), "{codec}: {answer:?}");
    }
    assert_eq!(stage.client().post("", &vec![b' '; 17 * MIB]).unwrap().status, 413);
    let huge = format!("POST /v1/records HTTP/1.1\r\nX: {}\r\n\r\n", "y".repeat(100_000));
    let mut client = stage.client();
    let _ = client.stream().write_all(huge.as_bytes()); // it need not read all of that
    assert!(client.answer().is_ok_and(|answer| answer.status == 431));
    assert_eq!(stage.client().post("", b"\"good\"").unwrap().status, 200);
    let peak = memory_kib(&producer, "VmHWM") / 1024;
    println!("http, refused: 3 bombs of 300 MiB, peak {peak} MiB");
    assert!(peak < 150, "{peak} MiB");
    let report = producer.terminate().well();
    assert_eq!((report.accepted, report.dead_lettered), (1, 0));
    let found = read_topic(kafka, &stage.scene.topic);
    let found: Vec<_> = found.iter().map(|message| message.open().1).collect();
    assert_eq!(found, [b"\"good\""]);
}

/// Sends a byte every second until there is an answer or an end; how long that took.
fn trickle(stage: &Stage, start: &str) -> (Duration, Option<u16>) {
    let mut client = stage.client();
    client.stream().write_all(start.as_bytes()).unwrap();
    let begun = Instant::now();
    client.stream().set_nonblocking(true).unwrap();
    while let Err(error) = client.stream().peek(&mut [0]) {
        if error.kind() != std::io::ErrorKind::WouldBlock || begun.elapsed() > PATIENCE {
            break;
        }
        let _ = client.stream().write_all(b"1");
        thread::sleep(Duration::from_secs(1));
    }
    client.stream().set_nonblocking(false).unwrap();
    (begun.elapsed(), client.answer().ok().map(|answer| answer.status))
}

#[test]
fn slow_clients_are_given_up_and_hold_nobody_up() {
    let stage = Stage::new(shared_kafka().unwrap(), "http-slow");
    let producer = stage.produce();
    let head = "POST /v1/records HTTP/1.1\r\nHost: x\r\n";
    thread::scope(|scope| {
        let in_head = scope.spawn(|| trickle(&stage, head));
        let with_body = format!("{head}Content-Length: 100000\r\n\r\n");
        let stage = &stage;
        let in_body = scope.spawn(move || trickle(stage, &with_body));
        for _ in 0..50 {
            assert_eq!(stage.client().post("", b"1").unwrap().status, 200);
        }
        let (head_time, status) = in_head.join().unwrap();
        assert_eq!(status, None);
        assert!((9..25).contains(&head_time.as_secs()), "{head_time:?}");
        let (body_time, status) = in_body.join().unwrap();
        assert_eq!(status, Some(408));
        assert!((29..50).contains(&body_time.as_secs()), "{body_time:?}");
    });
    assert_eq!(producer.terminate().well().accepted, 50);
}
