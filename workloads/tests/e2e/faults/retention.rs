//! Retention removes messages before the group has read them: that is counted, said, and got over.

use std::collections::BTreeSet;

use batchpipe_testbed::shared_kafka;
use rustix::process::Signal;

use super::support::{Records, Scene, Tally, read_topic, until};

#[test]
fn messages_that_retention_removed_are_counted_exactly() {
    const TOTAL: usize = 100_000;
    const REMOVED: i64 = 13;
    let kafka = shared_kafka().unwrap();
    let mut scene = Scene::new(kafka, "expired");
    scene.spec["topic"]["partitions"] = 1.into();
    let records = scene.write_input(TOTAL);
    scene.produce_all().well();
    let first = scene.start("consume", &["--limit", "20000"]).wait().well();
    let committed = i64::try_from(first.batches).unwrap();
    let mut removed = Tally::new(&records);
    let there = read_topic(kafka, "expired");
    let is_removed = |offset: i64| (committed..committed + REMOVED).contains(&offset);
    for message in there.iter().filter(|message| is_removed(message.offset)) {
        removed.text(&message.open().1);
    }
    kafka.delete_records("expired", 0, committed + REMOVED).unwrap();
    let consumer = scene.consume();
    until("what expired is reported", || consumer.report().accounting.expired_messages > 0);
    let report = consumer.report();
    assert_eq!(report.accounting.expired_messages, REMOVED.unsigned_abs());
    assert!(report.last_error.unwrap().message.starts_with("DataExpired"));
    consumer.await_delivered(TOTAL as u64 - first.delivered - removed.order.len() as u64);
    consumer.terminate().well();
    let tally = scene.tally_output(&records);
    tally.check_no_duplicates("expired");
    println!("expired: {} records in, {} removed by retention", TOTAL, removed.order.len());
    removed.order.sort_unstable();
    assert_eq!(tally.lost(), removed.order, "exactly what was removed is missing");
}

#[test]
fn messages_that_retention_removes_under_a_slow_consumer_are_counted_exactly() {
    const TOTAL: usize = 100_000;
    let kafka = shared_kafka().unwrap();
    let mut scene = Scene::new(kafka, "overtaken");
    scene.spec["topic"]["partitions"] = 1.into();
    // It sleeps for a while, and stays a member.
    scene.spec["kafka"]["options"] = serde_json::json!({"session.timeout.ms": "30000"});
    scene.generate(20_000, TOTAL);
    let (producer, consumer) = (scene.produce(), scene.consume());
    consumer.await_delivered(10_000);
    consumer.signal(Signal::STOP);
    producer.wait().well();
    let records = Records::of_seed(TOTAL);
    let there = read_topic(kafka, "overtaken");
    let end = kafka.end_offsets("overtaken").unwrap()[0];
    kafka.delete_records("overtaken", 0, end - 5).unwrap();
    consumer.signal(Signal::CONT);
    until("what expired is reported", || consumer.report().accounting.expired_messages > 0);
    until("it has caught up", || {
        consumer.report().lag.iter().all(|partition| partition.messages == Some(0))
    });
    let report = consumer.report();
    consumer.terminate().well();
    let tally = scene.tally_output(&records);
    tally.check_no_duplicates("overtaken");
    let lost: BTreeSet<_> = tally.lost().into_iter().collect();
    // Messages arrive whole or not at all, so the lost records make up whole messages.
    let mut messages = 0;
    for message in there {
        let mut of_message = Tally::new(&records);
        of_message.text(&message.open().1);
        let gone = of_message.order.iter().filter(|number| lost.contains(number)).count();
        assert!(gone == 0 || gone == of_message.order.len() && message.offset < end - 5);
        messages += u64::from(gone > 0);
    }
    println!("overtaken: {TOTAL} records in, {} removed by retention", lost.len());
    assert_eq!(report.accounting.expired_messages, messages);
}
