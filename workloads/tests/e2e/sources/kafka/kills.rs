//! The producer is killed: nothing is lost, and only what was not committed is sent again.

use batchpipe_testbed::shared_kafka;

use super::stage::Stage;
use crate::faults::support::until;

#[test]
fn a_producer_that_is_killed_sends_again_what_was_not_committed_and_nothing_else() {
    const TOTAL: usize = 200_000;
    let kafka = shared_kafka().unwrap();
    let mut stage = Stage::new(kafka, "rebatched-killed");
    stage.scene.slow_down();
    let (records, pairs) = stage.records(TOTAL);
    stage.send(&pairs);
    let mut allowed = 0;
    for _ in 0..2 {
        let producer = stage.produce_until(10_000);
        let before = stage.committed_sum();
        until("something is committed", || stage.committed_sum() > before);
        producer.kill();
        let there = TOTAL - stage.tally(kafka, &records).lost().len();
        let committed = usize::try_from(stage.committed_sum()).unwrap();
        assert!(committed <= there, "{committed} committed, {there} sent");
        assert!(there < TOTAL, "it was killed in the middle");
        allowed += there - committed;
    }
    stage.scene.speed_up();
    let producer = stage.scene.produce();
    producer.await_ready();
    stage.await_committed();
    producer.terminate().well();
    let tally = stage.tally(kafka, &records);
    tally.check_complete("rebatched-killed");
    println!("rebatched-killed: {allowed} were sent and not committed");
    assert!(tally.duplicates() <= allowed as u64, "{} duplicated", tally.duplicates());
}
