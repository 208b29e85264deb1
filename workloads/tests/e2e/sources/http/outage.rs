//! The broker goes away while requests wait: they wait within the memory that is there, and are answered when it is
//! back.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use batchpipe_testbed::{Kafka, kafka};

use super::{
    client::Client,
    stage::{Stage, lines, memory_kib, metric},
};
use crate::faults::support::{read_topic, until};

const MIB: u64 = 1024 * 1024;
/// What a process may take beside its budget.
const MARGIN: u64 = 32 * MIB;
/// Records of about 14 MiB in each request, hard to compress.
const EACH: usize = 36_000;
const PADDING: usize = 384;
/// More than ever find memory.
const MOST: usize = 100;
/// How long a refusal may take; what is not refused by then is waiting.
const PAUSE: Duration = Duration::from_secs(1);
/// The start of every record, before its number.
const START: &str = "{\"seq\":\"";
/// The digits of its number.
const DIGITS: usize = 9;

/// The records of all requests, but for their numbers.
fn template() -> Vec<u8> {
    let mut body = Vec::new();
    let mut noise = 1_u64;
    for _ in 0..EACH {
        body.extend_from_slice(format!("{START}{:0DIGITS$}\",\"n\":\"", 0).as_bytes());
        for _ in 0..PADDING / 16 {
            noise = noise
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            body.extend_from_slice(format!("{noise:016x}").as_bytes());
        }
        body.extend_from_slice(b"\"}\n");
    }
    body
}

/// The request with this number; every record tells its own.
fn request(template: &[u8], number: usize) -> Vec<u8> {
    let mut body = template.to_vec();
    let length = body.len() / EACH;
    for (record, line) in body.chunks_mut(length).enumerate() {
        let digits = format!("{:0DIGITS$}", number * EACH + record);
        line[START.len()..][..DIGITS].copy_from_slice(digits.as_bytes());
    }
    body
}

/// Counts the records in these lines.
fn count(found: &mut [u8], text: &[u8]) {
    for line in lines(text) {
        if let Some(rest) = line.strip_prefix(START.as_bytes()) {
            let digits = std::str::from_utf8(&rest[..DIGITS]).unwrap();
            found[digits.parse::<usize>().unwrap()] += 1;
        }
    }
}

/// What was answered with 200 is in the topic once, and nothing of the rest.
fn check_topic(kafka: &Kafka, topic: &str, statuses: &[u16]) {
    let mut found = vec![0; statuses.len() * EACH];
    for message in read_topic(kafka, topic) {
        count(&mut found, &message.open().1);
    }
    for (number, status) in statuses.iter().enumerate() {
        let expected = u8::from(*status == 200);
        let of_request = &found[number * EACH..(number + 1) * EACH];
        assert!(of_request.iter().all(|count| *count == expected), "request {number}");
    }
}

#[test]
fn requests_wait_for_the_broker_within_the_memory_that_is_there() {
    let mut kafka = kafka().unwrap();
    let stage = Stage::new(&kafka, "http-outage");
    let producer = stage.produce();
    assert_eq!(stage.client().post("", b"{\"first\":1}").unwrap().status, 200);
    kafka.stop().unwrap();
    let (template, refused) = (template(), AtomicUsize::new(0));
    let statuses: Vec<u16> = thread::scope(|scope| {
        let mut clients = Vec::new();
        let mut in_a_row = 0;
        while in_a_row < 3 {
            assert!(clients.len() < MOST, "memory is never spent");
            let before = refused.load(Ordering::Relaxed);
            let (stage, template, refused, number) = (&stage, &template, &refused, clients.len());
            clients.push(scope.spawn(move || {
                let mut client = Client::connect(stage.address).unwrap();
                let answer = client.post("", &request(template, number)).unwrap();
                if answer.status == 429 {
                    assert!(answer.head.contains("retry-after: 1"), "{answer:?}");
                    refused.fetch_add(1, Ordering::Relaxed);
                }
                answer.status
            }));
            let begun = Instant::now();
            while refused.load(Ordering::Relaxed) == before && begun.elapsed() < PAUSE {
                thread::sleep(Duration::from_millis(10));
            }
            in_a_row = if refused.load(Ordering::Relaxed) > before { in_a_row + 1 } else { 0 };
        }
        producer.await_unready("no broker answers");
        let bad = stage.client().post("", b"x").unwrap().status;
        assert!(
            matches!(bad, 400 | 429),
            "{bad}: what is wrong is told at once, if there is room for it"
        );
        kafka.start_again().unwrap();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let (budget, peak) =
        (metric(&producer, "batchpipe_memory_limit_bytes"), memory_kib(&producer, "VmHWM") * 1024);
    let accepted = statuses.iter().filter(|status| **status == 200).count();
    println!(
        "http, outage: {} requests of 14 MiB, {accepted} waited, {} were told to come again; budget {} MiB, peak {} MiB",
        statuses.len(),
        refused.load(Ordering::Relaxed),
        budget / MIB,
        peak / MIB
    );
    assert!(statuses.iter().all(|status| matches!(status, 200 | 429)), "{statuses:?}");
    assert!(accepted > 3 && peak <= budget + MARGIN);
    // Whoever was told to come again is welcome now.
    until("the process is ready again", || producer.is_ready());
    let late = stage.client().post("", b"{\"late\":1}").unwrap();
    assert_eq!(late.status, 200, "{late:?}");
    let report = producer.terminate().well();
    assert_eq!(report.delivered, (accepted * EACH) as u64 + 2);
    check_topic(&kafka, &stage.scene.topic, &statuses);
}
