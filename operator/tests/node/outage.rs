//! The broker is away for three minutes.

use std::{thread::sleep, time::Duration};

use batchpipe_testbed::Kafka;

use crate::support::{Manifest, Pipeline, bed};

const AWAY: Duration = Duration::from_mins(3);

#[test]
fn a_broker_that_is_away_for_three_minutes_restarts_no_pod() {
    let Some(bed) = bed() else { return };
    // A broker of its own, which nobody else misses.
    let mut kafka = Kafka::builder().listener_for_pods(bed.node().host_address()).start().unwrap();
    let servers = kafka.bootstrap_servers_for_pods().unwrap();
    let manifest = Manifest::new("broker-away").with("/kafka/bootstrapServers", servers);
    let Some(pipeline) = Pipeline::flowing(&manifest) else { return };
    let before = pipeline.lives();
    kafka.stop().unwrap();
    // That it is away for so long is what is tested.
    sleep(AWAY);
    let said = pipeline.await_condition("Ready", "False", "BrokersUnreachable");
    println!("broker-away: {said}");
    assert_eq!(pipeline.lives(), before);
    kafka.start_again().unwrap();
    pipeline.await_ready();
    pipeline.await_more();
    assert_eq!(pipeline.lives(), before);
    pipeline.finish_at(&kafka);
}
