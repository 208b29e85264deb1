//! Everyone who counts a topic's records counts the same: the producer's report, the consumer's, `tap`, `audit`.

use std::process::Command;

use batchpipe_api::codec::Codec;
use batchpipe_workloads::source::generator::{ProfileName, generate};
use serde_json::Value;

use crate::kit::{
    command::{batchpipe, run},
    demo_group,
    lines::assert_same_lines,
    pipeline::Pipeline,
    segments::{RecordBatch, record_batches},
};

const SEED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/seed.yaml");

/// How many records are counted with each codec in every run of the tests.
const SOME: u64 = 20_000;
/// How many in a run that may take longer.
const MANY: u64 = 1_000_000;

/// Produces `records` of the pipeline's generator and has them counted by everyone; what `tap` and the consumer
/// print has to be the records of `profile`, as often as they were made.
fn assert_agreement(
    command: &dyn Fn(&[&str]) -> Command,
    topic: &str,
    profile: ProfileName,
    records: u64,
) {
    let limit = records.to_string();
    let produced = run(command(&["produce", "--rate", "0", "--limit", &limit, "--json"])).report();
    let consumed = run(command(&["consume", "--until-caught-up"])).stdout;
    let tapped = run(batchpipe(&["tap", "-t", topic, "--until-caught-up"])).stdout;
    let audited = run(batchpipe(&["audit", "-t", topic, "--json", "--expect", &limit])).report();

    let mut expected = Vec::new();
    generate(profile, 0, records, &mut expected);
    assert_same_lines(&consumed, &expected);
    assert_same_lines(&tapped, &expected);
    assert_eq!([&produced["accepted"], &produced["delivered"]], [records, records], "{produced}");
    assert_eq!(
        [&audited["records"], &audited["batches"]],
        [&Value::from(records), &produced["batches"]]
    );
    for name in ["missing", "duplicated", "corrupt", "expired", "unverified"] {
        assert_eq!(audited[name], 0, "{name}: {audited}");
    }
}

/// Every codec with this compression of Kafka's own around it.
fn assert_agreement_with(transport: &str, records: u64) {
    for codec in Codec::ALL {
        let topic = format!("counted-{codec}-{transport}-{records}");
        let folder = tempfile::tempdir().unwrap();
        let mut pipeline = Pipeline::new(&topic);
        pipeline.compression = format!("{{codec: {codec}, transport: {transport}}}");
        pipeline.source = "{generator: {profile: seed}}".into();
        let path = pipeline.write(folder.path());
        let command = |args: &[&str]| {
            let mut command = batchpipe(args);
            command.arg("-f").arg(&path);
            command
        };
        assert_agreement(&command, &topic, ProfileName::Seed, records);
        let carried = record_batches(&topic);
        let is_carried = |batch: &RecordBatch| batch.compression == transport;
        assert!(carried.iter().all(|batch| is_carried(batch) || batch.compression == "none"));
        // librdkafka leaves off what saves nothing, as often happens around batches that are compressed already.
        assert!(codec != Codec::None || carried.iter().any(is_carried), "{topic}: {carried:?}");
    }
}

#[test]
fn everyone_counts_a_million_records_of_the_example_alike() {
    let _alone = demo_group();
    let command = |args: &[&str]| {
        let mut command = batchpipe(args);
        command.args(["-f", SEED]).env("KAFKA_TOPIC", "agree-on-a-million");
        command
    };
    assert_agreement(&command, "agree-on-a-million", ProfileName::Seed, MANY);
}

#[test]
fn everyone_counts_alike_with_every_codec() {
    assert_agreement_with("none", SOME);
}

#[test]
fn everyone_counts_alike_with_every_codec_inside_kafkas_own_lz4() {
    assert_agreement_with("lz4", SOME);
}

#[test]
fn everyone_counts_alike_with_every_codec_inside_kafkas_own_zstd() {
    assert_agreement_with("zstd", SOME);
}

#[test]
#[ignore = "takes minutes: make test-long"]
fn everyone_counts_a_million_alike_with_every_codec_in_all_of_kafkas_own() {
    let _alone = demo_group();
    for transport in ["none", "gzip", "snappy", "lz4", "zstd"] {
        assert_agreement_with(transport, MANY);
        println!("{MANY} records with each codec, transport {transport}: everyone counts alike");
    }
}
