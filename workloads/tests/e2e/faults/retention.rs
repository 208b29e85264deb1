//! Retention removes messages before the group has read them: that is counted, said, and got over.

use batchpipe_testbed::shared_kafka;

use super::support::{Scene, Tally, read_topic, until};

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
