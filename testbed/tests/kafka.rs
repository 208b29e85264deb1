//! The testbed against a real broker: it starts, keeps data, obeys, and leaves nothing behind.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use batchpipe_testbed::{Error, Kafka, kafka, shared_kafka};

const PRODUCER: &str = "org.apache.kafka.tools.ProducerPerformance";

/// Sends small messages with Kafka's own producer.
fn produce(kafka: &Kafka, topic: &str, records: u32) {
    let servers = format!("bootstrap.servers={}", kafka.bootstrap_servers());
    let records = records.to_string();
    let args = ["--topic", topic, "--num-records", &records, "--record-size", "10"];
    let rest = ["--throughput", "-1", "--command-property", &servers];
    kafka.tool(PRODUCER, &[&args[..], &rest].concat()).unwrap();
}

/// Reads up to that many messages with Kafka's own consumer, and says how many came.
fn consume(kafka: &Kafka, topic: &str, messages: u32) -> usize {
    let (servers, messages) = (kafka.bootstrap_servers(), messages.to_string());
    let args = ["--bootstrap-server", &servers, "--topic", topic, "--from-beginning"];
    let rest = ["--max-messages", &messages, "--timeout-ms", "10000"];
    let consumer = "org.apache.kafka.tools.consumer.ConsoleConsumer";
    kafka.tool(consumer, &[&args[..], &rest].concat()).unwrap().lines().count()
}

fn total(kafka: &Kafka, topic: &str) -> i64 {
    kafka.end_offsets(topic).unwrap().iter().sum()
}

/// Whether the broker answers an `ApiVersions` request within a second.
fn is_answering(kafka: &Kafka) -> bool {
    const REQUEST: [u8; 14] = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 255, 255];
    let exchange = || -> io::Result<()> {
        let mut stream = TcpStream::connect(kafka.bootstrap_servers())?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(&REQUEST)?;
        stream.read_exact(&mut [0; 10])
    };
    exchange().is_ok()
}

/// Whether the process is gone within 10 s; one that ended but was not reaped counts as gone.
fn is_gone(process: u32) -> bool {
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        let command = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        if command.is_empty() {
            return true;
        }
        thread::sleep(Duration::from_millis(20));
    }
    false
}

#[test]
fn what_was_produced_survives_a_stop_and_a_kill_on_the_same_port() {
    let mut kafka = kafka().unwrap();
    let servers = kafka.bootstrap_servers();
    kafka.create_topic("kept", 3, &[("retention.ms", "86400000")]).unwrap();
    produce(&kafka, "kept", 1000);
    kafka.stop().unwrap();
    assert!(!is_answering(&kafka));
    kafka.start_again().unwrap();
    assert_eq!(total(&kafka, "kept"), 1000);
    kafka.kill().unwrap();
    kafka.start_again().unwrap();
    assert_eq!(total(&kafka, "kept"), 1000);
    assert_eq!(kafka.bootstrap_servers(), servers);
}

#[test]
fn a_dropped_broker_leaves_neither_a_process_nor_a_folder() {
    let kafka = kafka().unwrap();
    let (process, log) = (kafka.process_id().unwrap(), kafka.log());
    assert!(log.exists());
    drop(kafka);
    assert!(is_gone(process));
    assert!(!log.parent().unwrap().exists());
}

#[test]
fn a_paused_broker_answers_only_when_it_is_resumed() {
    let kafka = kafka().unwrap();
    kafka.pause().unwrap();
    assert!(!is_answering(&kafka));
    kafka.resume().unwrap();
    assert!(is_answering(&kafka));
}

#[test]
fn two_brokers_share_nothing() {
    let (shared, other) = (shared_kafka().unwrap(), kafka().unwrap());
    shared.create_topic("only-here", 1, &[]).unwrap();
    assert_eq!(total(shared, "only-here"), 0);
    assert!(other.end_offsets("only-here").is_err());
}

#[test]
fn a_data_folder_of_the_callers_outlives_the_broker() {
    let folder = tempfile::tempdir().unwrap();
    let start = || Kafka::builder().data_dir(folder.path().join("data")).start().unwrap();
    start().create_topic("lasting", 2, &[]).unwrap();
    assert_eq!(start().end_offsets("lasting").unwrap(), [0, 0]);
}

#[test]
fn a_topic_that_may_not_be_written_refuses_until_it_may() {
    let kafka = shared_kafka().unwrap();
    kafka.create_topic("closed", 1, &[]).unwrap();
    kafka.deny_write("closed").unwrap();
    produce(kafka, "closed", 5);
    assert_eq!(total(kafka, "closed"), 0);
    kafka.allow_write("closed").unwrap();
    produce(kafka, "closed", 5);
    assert_eq!(total(kafka, "closed"), 5);
    kafka.delete_records("closed", 0, 3).unwrap();
    assert_eq!(kafka.begin_offsets("closed").unwrap(), [3]);
}

#[test]
fn a_topic_that_may_not_be_read_gives_its_messages_to_nobody_until_it_may() {
    let kafka = shared_kafka().unwrap();
    kafka.create_topic("hidden", 1, &[]).unwrap();
    produce(kafka, "hidden", 5);
    kafka.deny_read("hidden").unwrap();
    assert_eq!(consume(kafka, "hidden", 5), 0);
    kafka.allow_read("hidden").unwrap();
    assert_eq!(consume(kafka, "hidden", 5), 5);
}

#[test]
fn topics_are_made_altered_enlarged_and_deleted() {
    let kafka = shared_kafka().unwrap();
    kafka.create_topic("changing", 2, &[("max.message.bytes", "5000")]).unwrap();
    assert_eq!(kafka.topic_config("changing", "max.message.bytes").unwrap(), "5000");
    kafka.alter_topic_config("changing", "max.message.bytes", "6000").unwrap();
    assert_eq!(kafka.topic_config("changing", "max.message.bytes").unwrap(), "6000");
    kafka.add_partitions("changing", 4).unwrap();
    assert_eq!(kafka.end_offsets("changing").unwrap().len(), 4);
    kafka.delete_topic("changing").unwrap();
    assert!(kafka.end_offsets("changing").is_err());
}

#[test]
fn what_the_broker_refuses_is_an_error_with_its_reason() {
    let kafka = shared_kafka().unwrap();
    kafka.create_topic("twice", 1, &[]).unwrap();
    let error = kafka.create_topic("twice", 1, &[]).unwrap_err();
    assert!(error.to_string().contains("'twice' already exists"), "{error}");
}

#[test]
fn a_broker_that_cannot_start_shows_the_end_of_its_log() {
    let error = Kafka::builder().property("broker.session.timeout.ms", "soon").start().unwrap_err();
    let Error::Start { log, tail, .. } = &error else { panic!("{error}") };
    assert!(tail.contains("broker.session.timeout.ms"), "{error}");
    assert!(log.exists());
    std::fs::remove_file(log).unwrap();
}
