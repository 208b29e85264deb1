//! Every record becomes one message, byte for byte, where and in which order its key says.

use std::collections::BTreeSet;

use batchpipe_api::reason::Reason;
use batchpipe_testbed::shared_kafka;

use super::records::{Held, lines, scene};
use crate::{
    faults::support::read_topic,
    kit::topic::{messages, read},
};

const TOTAL: usize = 100_000;

#[test]
fn records_arrive_byte_for_byte_with_their_keys_and_without() {
    let (kafka, lines) = (shared_kafka().unwrap(), lines(TOTAL));
    let (mut scene, keyed) = scene(kafka, "kafka-copies", &lines);
    kafka.create_topic(&keyed, 5, &[]).unwrap();
    assert_eq!(scene.consume_all().well().delivered, TOTAL as u64);
    Held::read(&keyed, &lines, 5, true).check_exact("keyed");

    let keyless = "kafka-copies.keyless";
    kafka.create_topic(keyless, 4, &[]).unwrap();
    scene.spec["consumer"]["group"] = keyless.into();
    scene.spec["consumer"]["sink"] = serde_json::json!({"kafka": {"topic": keyless}});
    assert_eq!(scene.consume_all().well().delivered, TOTAL as u64);
    Held::read(keyless, &lines, 4, false).check_exact("keyless");
    let used: BTreeSet<_> = read(keyless).into_iter().map(|message| message.partition).collect();
    assert_eq!(used.len(), 4, "all partitions get their share");
}

#[test]
fn a_record_that_is_too_large_is_kept_alone_and_all_others_arrive() {
    const LARGE: [usize; 3] = [0, 7000, 7001];
    let (kafka, mut lines) = (shared_kafka().unwrap(), lines(20_000));
    for number in LARGE {
        let text = "x".repeat(5000);
        lines[number] =
            format!(r#"{{"seq":{number},"device":"d{}\u00e9","t":"{text}"}}"#, number % 97);
    }
    let (scene, target) = scene(kafka, "kafka-large", &lines);
    kafka.create_topic(&target, 3, &[("max.message.bytes", "3000")]).unwrap();
    let report = scene.consume_all().well();
    assert_eq!((report.delivered, report.dead_lettered), (19_997, LARGE.len() as u64));
    let held = Held::read(&target, &lines, 3, true);
    assert_eq!((held.lost(), held.duplicates()), (LARGE.to_vec(), 0));
    let letters = read_topic(kafka, "kafka-large.dlq");
    let reasons: BTreeSet<_> = letters.iter().map(|it| it.dead_letter().unwrap().reason).collect();
    assert_eq!(reasons, BTreeSet::from([Reason::SinkRejected]));
    let kept: BTreeSet<_> = letters.into_iter().map(|letter| letter.value).collect();
    assert_eq!(kept, LARGE.iter().map(|number| lines[*number].clone().into_bytes()).collect());
    assert_eq!(messages("kafka-large.dlq"), 3);
}
