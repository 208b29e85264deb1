//! The very first messages to a partition, when the broker is not ready for them.
//!
//! librdkafka's simulated broker takes whatever number a producer begins with, as real ones do, and can be told
//! to refuse a single request.

use std::{io::Write as _, process::Stdio, thread, time::Duration};

use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer as _},
    mocking::MockCluster,
    types::{RDKafkaApiKey, RDKafkaRespErr},
};

use crate::kit::{
    command::{Running, batchpipe, run},
    lines::assert_same_lines,
    pipeline::Pipeline,
};

const TOPIC: &str = "beginning";

#[test]
fn a_refused_first_request_is_sent_again_before_all_others() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, 2, 1).unwrap();
    let servers = cluster.bootstrap_servers();
    let folder = tempfile::tempdir().unwrap();
    let mut pipeline = Pipeline::new(TOPIC);
    pipeline.key = Some("/key");
    pipeline.batch = "{maxRecords: 1, linger: 5ms}";
    let path = pipeline.write(folder.path());
    let mut command = batchpipe(&["produce", "-f", path.to_str().unwrap()]);
    command.env("KAFKA_BROKER", &servers).stdin(Stdio::piped());
    let mut running = Running::start(command);
    let mut input = running.input();

    // Partition 0 is reached, so the client is connected; nothing was sent to partition 1 yet.
    let mut written = b"{\"key\":\"21\"}\n".to_vec();
    input.write_all(&written).unwrap();
    running.until("the first partition was reached", || end(&servers, 0) == 1);
    // Now the broker answers so late that others could follow the first request, which it refuses.
    cluster.broker_round_trip_time(1, Duration::from_millis(500)).unwrap();
    let not_yet = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION;
    cluster.request_errors(RDKafkaApiKey::Produce, &[not_yet]);
    for number in 0..4 {
        let line = format!("{{\"key\":\"abc\",\"n\":{number}}}\n");
        written.extend_from_slice(line.as_bytes());
        input.write_all(line.as_bytes()).unwrap();
        thread::sleep(Duration::from_millis(50)); // so that each becomes a request of its own
    }
    drop(input);
    running.wait().success();
    cluster.broker_round_trip_time(1, Duration::ZERO).unwrap();

    let mut tap = batchpipe(&["tap", "-t", TOPIC, "--until-caught-up"]);
    tap.env("KAFKA_BROKER", &servers);
    assert_same_lines(&run(tap).stdout, &written);
}

fn end(servers: &str, partition: i32) -> i64 {
    let client: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", servers).create().unwrap();
    client.fetch_watermarks(TOPIC, partition, Duration::from_secs(10)).unwrap().1
}
