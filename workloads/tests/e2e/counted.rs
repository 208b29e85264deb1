//! What a running consumer counts of a topic that is not whole: the detector of losses, and messages without records.

use batchpipe_api::report::Accounting;
use serde_json::json;

use crate::{
    faults::support::{Scene, until},
    raw::kafka,
    read::damaged_topic,
};

/// The value of a metric whose name begins like this.
fn metric(page: &str, name: &str) -> u64 {
    let line = page.lines().find(|line| line.starts_with(name));
    let line = line.unwrap_or_else(|| panic!("no {name} in\n{page}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn holes_and_messages_without_records_are_counted_while_it_runs() {
    let topic = damaged_topic("damaged-counted");
    let mut scene = Scene::new(kafka(), &topic.name);
    scene.spec["consumer"]["sink"] = json!({"blackhole": {}});
    let consumer = scene.consume();
    // 22 records can be read, a damaged batch of 4 and a torn message of unknown size cannot.
    until("all messages are settled", || {
        let Accounting { delivered, dead_lettered, .. } = consumer.report().accounting;
        (delivered, dead_lettered) == (22, 5)
    });
    assert_eq!(consumer.report().accounting.tombstones, 2, "a null value and an empty one");
    let (_, page) = consumer.get("/metrics");
    assert_eq!(metric(&page, "batchpipe_records_missing_total"), 3);
    assert_eq!(metric(&page, "batchpipe_tombstones_total"), 2);
    let log = consumer.log();
    assert!(log.contains("records are missing from the topic"), "{log}");
    consumer.terminate().well();
}
