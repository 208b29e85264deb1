//! The broker goes away while requests wait: they wait within the memory that is there, and are answered when it is
//! back.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use batchpipe_testbed::kafka;

use super::{
    client::Client,
    stage::{Stage, lines, memory_kib, metric},
};
use crate::faults::support::until;

const MIB: u64 = 1024 * 1024;
/// What a process may take beside its budget.
const MARGIN: u64 = 32 * MIB;
const CLIENTS: usize = 60;
/// Records of about 4 MiB in each request, hard to compress.
const EACH: usize = 10_000;
const PADDING: usize = 360;

/// Requests by their number; every record tells its request.
fn request(number: usize) -> Vec<u8> {
    let mut body = Vec::new();
    let mut noise = number as u64 + 1;
    for record in 0..EACH {
        body.extend_from_slice(format!("{{\"seq\":{},\"n\":\"", number * EACH + record).as_bytes());
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

#[test]
fn requests_wait_for_the_broker_within_the_memory_that_is_there() {
    let mut kafka = kafka().unwrap();
    let stage = Stage::new(&kafka, "http-outage");
    let producer = stage.produce();
    assert_eq!(stage.client().post("", b"{\"first\":1}").unwrap().status, 200);
    kafka.stop().unwrap();
    let (sent, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let accepted = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (stage, sent, refused) = (&stage, &sent, &refused);
                scope.spawn(move || {
                    let mut client = Client::connect(stage.address).unwrap();
                    client.send("", &request(number)).unwrap();
                    sent.fetch_add(1, Ordering::Relaxed);
                    let status = client.answer().unwrap().status;
                    refused.fetch_add(usize::from(status == 429), Ordering::Relaxed);
                    (number, status)
                })
            })
            .collect();
        until("all requests are sent", || sent.load(Ordering::Relaxed) == CLIENTS);
        until("some find no memory", || refused.load(Ordering::Relaxed) > 0);
        producer.await_unready("no broker answers");
        let mut client = stage.client();
        let answer = client.post("", &request(CLIENTS)).unwrap();
        assert!(answer.status == 429 && answer.head.contains("retry-after: 1"), "{answer:?}");
        assert_eq!(client.post("", b"x").unwrap().status, 400, "what is wrong is told at once");
        kafka.start_again().unwrap();
        let ends = clients.into_iter().map(|client| client.join().unwrap());
        ends.filter(|(_, status)| *status == 200).map(|(number, _)| number).collect::<Vec<_>>()
    });
    let (budget, peak) =
        (metric(&producer, "batchpipe_memory_limit_bytes"), memory_kib(&producer, "VmHWM") * 1024);
    let refused = refused.load(Ordering::Relaxed);
    println!(
        "http, outage: {CLIENTS} requests of 4 MiB, {} waited, {refused} were told to come again; budget {} MiB, peak \
         {} MiB",
        accepted.len(),
        budget / MIB,
        peak / MIB
    );
    assert_eq!(accepted.len() + refused, CLIENTS);
    assert!(accepted.len() > 10 && peak <= budget + MARGIN);
    let report = producer.terminate().well();
    assert_eq!(report.delivered, (accepted.len() * EACH) as u64 + 1);
    let mut found = vec![0; CLIENTS * EACH];
    for message in crate::faults::support::read_topic(&kafka, &stage.scene.topic) {
        for line in lines(&message.open().1) {
            let text = std::str::from_utf8(line).unwrap();
            let Some(rest) = text.strip_prefix("{\"seq\":") else { continue };
            found[rest.split(',').next().unwrap().parse::<usize>().unwrap()] += 1;
        }
    }
    for number in 0..CLIENTS {
        let expected = u8::from(accepted.contains(&number));
        let of_request = &found[number * EACH..(number + 1) * EACH];
        assert!(of_request.iter().all(|count| *count == expected), "request {number}");
    }
}
