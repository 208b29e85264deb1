//! Runs that end: at a limit, or when they are asked to.

use batchpipe_testbed::shared_kafka;

use super::stage::Stage;

#[test]
fn a_limit_is_exact_and_the_next_run_goes_on_behind_it() {
    const TOTAL: usize = 20_000;
    let kafka = shared_kafka().unwrap();
    let stage = Stage::new(kafka, "rebatched-limit");
    let (records, pairs) = stage.records(TOTAL);
    stage.send(&pairs);
    let mut left = TOTAL;
    for limit in [1, 1234, 7000, TOTAL - 8235] {
        let report = stage.scene.start("produce", &["--limit", &limit.to_string()]).wait().well();
        assert_eq!(report.accepted, limit as u64);
        left -= limit;
        assert_eq!(stage.committed_sum(), i64::try_from(TOTAL - left).unwrap());
    }
    stage.tally(kafka, &records).check_exact("rebatched-limit");
}

#[test]
fn a_producer_that_is_stopped_under_load_has_committed_what_it_sent() {
    const TOTAL: usize = 100_000;
    let kafka = shared_kafka().unwrap();
    let mut stage = Stage::new(kafka, "rebatched-stopped");
    stage.scene.slow_down();
    let (records, pairs) = stage.records(TOTAL);
    stage.send(&pairs);
    let mut sent = 0;
    for _ in 0..3 {
        sent += stage.produce_until(5000).terminate().well().delivered;
        assert_eq!(stage.committed_sum().unsigned_abs(), sent);
    }
    stage.scene.speed_up();
    let producer = stage.scene.produce();
    producer.await_ready();
    stage.await_committed();
    producer.terminate().well();
    stage.tally(kafka, &records).check_exact("rebatched-stopped");
}
