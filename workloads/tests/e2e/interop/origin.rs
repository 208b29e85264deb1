//! The origin's Python client and ours, each reading what the other wrote, with `examples/seed.yaml` as it is.

use std::process::Command;

use batchpipe_workloads::source::generator::{ProfileName, generate};

use crate::kit::{
    broker,
    command::{batchpipe, python, run},
    demo_group,
    lines::assert_same_lines,
    segments::record_batches,
    topic,
};

const SEED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/seed.yaml");

/// The origin's environment: topic and Kafka's own compression.
fn set(mut command: Command, topic: &str, compression: &str) -> Command {
    command.env("KAFKA_TOPIC", topic).env("COMPRESSION_CODEC", compression);
    command
}

/// The records that our producer makes from the example.
fn ours(records: u64) -> Vec<u8> {
    let mut text = Vec::new();
    generate(ProfileName::Seed, 0, records, &mut text);
    text
}

fn produce_ours(topic: &str, compression: &str, records: u64) {
    let limit = records.to_string();
    let args = ["produce", "-f", SEED, "--rate", "0", "--limit", &limit];
    run(set(batchpipe(&args), topic, compression));
}

fn consume_ours(topic: &str) -> Vec<u8> {
    run(set(batchpipe(&["consume", "-f", SEED, "--until-caught-up"]), topic, "lz4")).stdout
}

fn produce_theirs(topic: &str, compression: &str, records: u64) -> Vec<u8> {
    let args = ["--records", &records.to_string(), "--echo"];
    run(set(python("origin_producer.py", &args), topic, compression)).stdout
}

fn consume_theirs(topic: &str, records: u64) -> Vec<u8> {
    let args = ["--raw", "--records", &records.to_string()];
    run(set(python("origin_consumer.py", &args), topic, "lz4")).stdout
}

/// Fails unless Kafka's own compression is the wanted one. librdkafka leaves it off where it would not make a
/// record batch smaller, as happens to a single message that is compressed already.
fn assert_compression(topic: &str, wanted: &str) {
    let batches = record_batches(topic);
    let is_right = |batch: &&_| {
        let crate::kit::segments::RecordBatch { compression, messages } = **batch;
        compression == wanted || (compression == "none" && messages == 1)
    };
    assert_eq!(batches.iter().filter(is_right).count(), batches.len(), "{wanted}: {batches:?}");
    assert!(batches.iter().any(|batch| batch.compression == wanted), "{wanted}: {batches:?}");
}

#[test]
fn our_consumer_delivers_what_the_origins_producer_wrote() {
    let _alone = demo_group();
    let topic = "origin-to-ours";
    broker().create_topic(topic, 3, &[]).unwrap();
    let written = produce_theirs(topic, "lz4", 2_050);
    assert_eq!(topic::messages(topic), 21);
    assert!(topic::read(topic).iter().all(|message| message.headers.is_empty()));
    assert_same_lines(&consume_ours(topic), &written);
}

#[test]
fn the_origins_consumer_reads_what_our_producer_wrote() {
    let _alone = demo_group();
    let topic = "ours-to-origin";
    produce_ours(topic, "lz4", 20_050);
    assert_same_lines(&consume_theirs(topic, 20_050), &ours(20_050));
}

#[test]
fn both_producers_may_write_to_one_topic_and_both_consumers_read_it() {
    let _alone = demo_group();
    let topic = "origin-and-ours";
    produce_ours(topic, "lz4", 1_010);
    let mut expected = produce_theirs(topic, "lz4", 1_030);
    produce_ours(topic, "zstd", 990);
    expected.extend([ours(1_010), ours(990)].concat());
    assert_same_lines(&consume_theirs(topic, 3_030), &expected);
    // Both consumers are in the group demo-group: what one of them committed, the other does not get.
    assert_eq!(consume_ours(topic), b"");
    expected = produce_theirs(topic, "gzip", 150);
    assert_same_lines(&consume_ours(topic), &expected);
}

#[test]
fn the_variable_of_the_origin_chooses_kafkas_own_compression() {
    let _alone = demo_group();
    for wanted in ["lz4", "gzip", "zstd", "snappy", "none"] {
        let topic = format!("transport-{wanted}");
        produce_ours(&topic, wanted, 20_000);
        assert_compression(&topic, wanted);
        assert_same_lines(&consume_ours(&topic), &ours(20_000));
    }
}

#[test]
fn kafkas_own_compression_is_refused_by_name_when_there_is_no_such() {
    let mut command = set(batchpipe(&["produce", "-f", SEED]), "never", "brotli");
    let refused = command.output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let words = String::from_utf8(refused.stderr).unwrap();
    assert!(words.contains("COMPRESSION_CODEC") && words.contains("brotli"), "{words}");
}
