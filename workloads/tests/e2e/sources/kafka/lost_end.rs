//! The end of a log is lost under a source that has sent it on: what comes at those offsets then is not what was sent.

use batchpipe_testbed::kafka;
use rustix::process::Signal;
use serde_json::json;

use super::stage::Stage;
use crate::faults::{
    lost_end::cut,
    support::{read_topic, until},
};

/// The partition that loses its end.
const PARTITION: i32 = 1;

#[test]
fn nothing_is_left_out_and_nothing_is_sent_twice() {
    let mut kafka = kafka().unwrap();
    let mut stage = Stage::new(&kafka, "source-lost-end");
    // It stays in the group while the broker is away.
    stage.scene.spec["kafka"]["options"] = json!({"session.timeout.ms": "30000"});
    let (records, pairs) = stage.records(6000);
    // Several record batches.
    for part in pairs[..4000].chunks(1000) {
        stage.send(part);
    }
    let first = stage.produce_until(4000);
    stage.await_committed();
    let before = kafka.end_offsets(&stage.raw).unwrap()[1];
    let Stage { scene, raw, .. } = stage;
    first.signal(Signal::STOP);
    kafka.kill().unwrap();
    cut(&kafka, &raw, PARTITION);
    kafka.start_again().unwrap();
    let stage = Stage { scene, kafka: &kafka, raw };
    let end = kafka.end_offsets(&stage.raw).unwrap()[1];
    assert!(end < before, "nothing was lost");
    // What comes now takes the offsets of what was lost.
    stage.send(&pairs[4000..]);
    assert!(kafka.end_offsets(&stage.raw).unwrap()[1] > before);
    first.signal(Signal::CONT);
    until("it is told", || first.log().contains("which was behind its end"));
    assert!(first.log().contains("went back"), "{}", first.log());
    let there = read_topic(&kafka, &stage.raw);
    let held = there.iter().filter(|it| it.partition == PARTITION && it.offset >= end).count();
    first.await_delivered((records.len() - held) as u64);
    first.terminate().well();

    stage.commit(PARTITION, end);
    let last = stage.scene.produce();
    stage.await_committed();
    last.terminate().well();
    stage.tally(&kafka, &records).check_exact("source-lost-end");
}
