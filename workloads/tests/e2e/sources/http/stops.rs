//! The producer is asked to stop under load: it goes on for the five seconds that routers need, and everything that it
//! answered with 200 is in the topic.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use batchpipe_testbed::shared_kafka;
use rustix::process::Signal;

use super::{
    client::Client,
    stage::{Stage, lines},
};
use crate::faults::support::{read_topic, until};

const EACH: usize = 20;

/// Sends requests until nobody is there any more; the numbers of those that were answered with 200, and the other
/// answers.
fn send(stage: &Stage, next: &AtomicUsize, answered: &AtomicUsize) -> (Vec<usize>, Vec<u16>) {
    let (mut good, mut others) = (Vec::new(), Vec::new());
    while let Ok(mut client) = Client::connect(stage.address) {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let body: Vec<_> =
                (0..EACH).map(|at| format!("{{\"r\":{number},\"i\":{at}}}\n")).collect();
            let Ok(answer) = client.post("", body.concat().as_bytes()) else { break };
            if answer.status == 200 {
                good.push(number);
                answered.fetch_add(1, Ordering::Relaxed);
            } else {
                others.push(answer.status);
            }
            if answer.head.contains("connection: close") {
                break;
            }
        }
    }
    (good, others)
}

#[test]
fn whatever_was_answered_before_the_end_is_in_the_topic() {
    let kafka = shared_kafka().unwrap();
    let stage = Stage::new(kafka, "http-stopped");
    let producer = stage.produce();
    let (next, answered) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let (good, others, report) = thread::scope(|scope| {
        let clients: Vec<_> =
            (0..8).map(|_| scope.spawn(|| send(&stage, &next, &answered))).collect();
        until("requests are answered", || answered.load(Ordering::Relaxed) > 50);
        producer.signal(Signal::TERM);
        let asked = Instant::now();
        producer.await_unready("stopping");
        let before = answered.load(Ordering::Relaxed);
        until("requests are answered after that", || answered.load(Ordering::Relaxed) > before);
        let report = producer.wait().well();
        let time = asked.elapsed();
        println!("http, stopped: it ended {:.1} s after it was asked to", time.as_secs_f64());
        assert!(time >= Duration::from_secs(5), "{time:?}");
        let (mut good, mut others) = (BTreeSet::new(), Vec::new());
        for client in clients {
            let (of_client, rest) = client.join().unwrap();
            good.extend(of_client);
            others.extend(rest);
        }
        (good, others, report)
    });
    assert!(others.iter().all(|status| *status == 503), "{others:?}");
    let mut found: std::collections::BTreeMap<usize, usize> = std::collections::BTreeMap::new();
    for message in read_topic(kafka, &stage.scene.topic) {
        for line in lines(&message.open().1) {
            let value: serde_json::Value = serde_json::from_slice(line).unwrap();
            *found.entry(value["r"].as_u64().unwrap().try_into().unwrap()).or_default() += 1;
        }
    }
    println!(
        "http, stopped: {} requests answered 200, {} answered 503, {} in the topic",
        good.len(),
        others.len(),
        found.len()
    );
    let lost: Vec<_> = good.iter().filter(|number| found.get(number) != Some(&EACH)).collect();
    assert!(lost.is_empty(), "answered and not there, or not once: {lost:?}");
    assert_eq!(report.delivered, found.values().sum::<usize>() as u64);
}
