//! The source's group has committed more of a partition than there is: to wait there for what comes would leave out
//! everything until then.

use batchpipe_testbed::shared_kafka;

use super::stage::Stage;
use crate::faults::support::{read_topic, until};

/// The partition of which the group is said to have more.
const PARTITION: i32 = 1;
/// How far behind the end that is, in messages; less than comes.
const BEYOND: i64 = 20;
const TOLD: &str = "which was behind its end";

fn end(stage: &Stage<'_>) -> i64 {
    stage.kafka.end_offsets(&stage.raw).unwrap()[1]
}

/// How many records are in the other partitions.
fn elsewhere(stage: &Stage<'_>) -> u64 {
    let messages = read_topic(stage.kafka, &stage.raw);
    messages.iter().filter(|message| message.partition != PARTITION).count() as u64
}

/// Before and after the log has grown past that offset, also when another process comes meanwhile.
#[test]
fn the_partition_waits_however_long_it_becomes_and_the_others_go_on() {
    let kafka = shared_kafka().unwrap();
    let stage = Stage::new(kafka, "rebatched-beyond");
    let (records, pairs) = stage.records(6000);
    stage.send(&pairs[..2000]);
    let beyond = end(&stage) + BEYOND;
    stage.commit(PARTITION, beyond);

    let first = stage.scene.produce();
    until("it is told", || first.log().contains(TOLD));
    first.await_delivered(elsewhere(&stage));
    stage.send(&pairs[2000..]);
    assert!(end(&stage) > beyond);
    let all = elsewhere(&stage);
    first.await_delivered(all);
    assert_eq!(first.terminate().well().delivered, all, "nothing of that partition");

    let second = stage.scene.produce();
    until("the next one knows of it", || second.log().contains(TOLD));
    second.await_ready();
    assert_eq!(second.terminate().well().delivered, 0);

    stage.commit(PARTITION, 0);
    let last = stage.scene.produce();
    stage.await_committed();
    last.terminate().well();
    stage.tally(kafka, &records).check_exact("rebatched-beyond");
}
