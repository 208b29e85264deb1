//! Memory stays within the budget however long something outside does not take records.

use std::{
    fs,
    io::{BufRead, BufReader},
    thread,
    time::{Duration, Instant},
};

use batchpipe_testbed::{kafka, shared_kafka};
use rustix::process::Signal;

use super::support::{Child, Records, Scene, Tally};

const MIB: u64 = 1024 * 1024;
/// What a process may take beside its budget.
const MARGIN: u64 = 32 * MIB;

/// A number of `/proc/PID/status`, in bytes.
fn memory(child: &Child, key: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = text.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// The budget that the process says it has.
fn budget(child: &Child) -> u64 {
    let (_, page) = child.get("/metrics");
    let line = page.lines().find(|line| line.starts_with("batchpipe_memory_limit_bytes ")).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

/// Fails when the process took more than it may at any moment so far.
fn check(test: &str, child: &Child) {
    let (budget, peak, now) = (budget(child), memory(child, "VmHWM"), memory(child, "VmRSS"));
    let [b, p, n] = [budget, peak, now].map(|bytes| bytes / MIB);
    println!("{test}: budget {b} MiB, peak {p} MiB, now {n} MiB");
    assert!(peak <= budget + MARGIN, "{test}: {p} MiB of {b} + 32");
}

#[test]
fn both_sides_keep_to_their_budgets_while_the_broker_is_down_for_a_minute() {
    let mut kafka = kafka().unwrap();
    let mut scene = Scene::new(&kafka, "broker-memory");
    scene.generate(0, 0);
    scene.spec["producer"]["source"]["generator"]["profile"] = "telemetry".into();
    scene.spec["consumer"]["sink"] = serde_json::json!({"blackhole": {}});
    let (mut producer, consumer) = (scene.produce(), scene.consume());
    producer.await_delivered(100_000);
    consumer.await_delivered(10_000);
    kafka.stop().unwrap();
    let down = Instant::now();
    producer.await_unready("no broker answers");
    consumer.await_unready("no broker answers");
    thread::sleep(Duration::from_mins(1).saturating_sub(down.elapsed()));
    check("producer, broker down", &producer);
    check("consumer, broker down", &consumer);
    kafka.start_again().unwrap();
    producer.await_ready();
    consumer.await_ready();
    // What was held back goes out now, and what comes meanwhile comes in.
    check("producer, broker back", &producer);
    check("consumer, broker back", &consumer);
    consumer.terminate().well();
    producer.signal(Signal::TERM);
    let resent = producer.last_report().accounting.resent;
    let report = producer.wait().well();
    let records = Records::numbered(usize::try_from(report.accepted).unwrap());
    let tally = scene.tally_topic(&kafka, &records);
    tally.check_complete("producer, broker down");
    // A client that is made anew does not know what the one before has in the topic, and says how many.
    let most = scene.spec["batch"]["maxRecords"].as_u64().unwrap() * resent;
    assert!(tally.duplicates() <= most, "only what was sent again can be there twice");
}

#[test]
fn a_consumer_keeps_to_its_budget_while_nobody_reads_its_output() {
    const TOTAL: usize = 800_000;
    let kafka = shared_kafka().unwrap();
    let mut scene = Scene::new(kafka, "consumer-memory");
    scene.generate(0, TOTAL);
    scene.spec["producer"]["source"]["generator"]["profile"] = "telemetry".into();
    // More than the consumer may hold.
    scene.spec["compression"] = serde_json::json!({"codec": "none"});
    scene.spec["consumer"]["sink"] = serde_json::json!({"stdout": {}});
    scene.produce_all().well();
    let mut consumer = scene.start_piped("consume");
    consumer.await_unready("SinkUnavailable");
    thread::sleep(Duration::from_secs(20));
    check("consumer, sink stalled", &consumer);
    let mut tally = Tally::new(&Records::numbered(TOTAL));
    let mut output = BufReader::new(consumer.process().stdout.take().unwrap());
    let mut line = Vec::new();
    while tally.order.len() < TOTAL && output.read_until(b'\n', &mut line).unwrap() > 0 {
        tally.line(line.trim_ascii_end());
        line.clear();
    }
    tally.check_exact("consumer, sink stalled");
    check("consumer, sink stalled for a while", &consumer);
    consumer.terminate();
}
