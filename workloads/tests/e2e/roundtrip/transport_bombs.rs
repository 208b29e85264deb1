//! Bombs in Kafka's own compression, which the client library inflates before anybody can look: whole, whatever their
//! size, so a process needs room for one beside its budget. Of zstd's it inflates none that is much larger than a batch may
//! be. They are kept as dead letters by their offset, and the rest goes on.

use std::time::Duration;

use rdkafka::{
    ClientConfig,
    producer::{BaseProducer, BaseRecord, Producer as _},
};

use crate::kit::{
    broker,
    command::{batchpipe, run},
    pipeline::Pipeline,
    topic,
};

/// Far above `limits.maxBatchBytes`, far below what a machine has.
const BOMB_BYTES: usize = 64 * 1024 * 1024;
const CODECS: [&str; 3] = ["gzip", "snappy", "lz4"];

/// Writes one message with this compression of Kafka's own.
fn write(topic: &str, codec: &str, value: &[u8]) {
    let client: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", broker().bootstrap_servers())
        .set("message.max.bytes", "200000000")
        .set("compression.codec", codec)
        .create()
        .unwrap();
    let record = BaseRecord::<[u8], [u8]>::to(topic).partition(0).payload(value);
    client.send(record).map_err(|(error, _)| error).unwrap();
    client.flush(Duration::from_mins(1)).unwrap();
    assert_eq!(client.in_flight_count(), 0);
}

#[test]
fn bombs_in_kafkas_own_compression_are_kept_by_their_offset_and_the_rest_goes_on() {
    let name = "transport-bombs";
    // The broker looks at what arrives, not at what comes out of it.
    broker().create_topic(name, 1, &[("max.message.bytes", "20000000")]).unwrap();
    let bomb = vec![b' '; BOMB_BYTES];
    for codec in CODECS {
        write(name, "none", b"{\"before\":1}");
        write(name, codec, &bomb);
    }
    write(name, "none", b"{\"before\":1}");
    write(name, "zstd", &bomb);
    write(name, "none", b"{\"after\":1}");
    let folder = tempfile::tempdir().unwrap();
    let pipeline = Pipeline { partitions: 1, ..Pipeline::new(name) }.write(folder.path());
    let mut command = batchpipe(&["consume", "--until-caught-up", "-f"]);
    command.arg(pipeline);
    let consumed = run(command);
    let lines = "{\"before\":1}\n".repeat(CODECS.len() + 1) + "{\"after\":1}\n";
    assert_eq!(String::from_utf8(consumed.stdout).unwrap(), lines);
    let letters = topic::read(&format!("{name}.dlq"));
    let origins: Vec<_> =
        letters.iter().map(|letter| letter.header("batchpipe-dlq").unwrap()).collect();
    let expected = [
        ("too_large", 1, BOMB_BYTES),
        ("too_large", 3, BOMB_BYTES),
        ("too_large", 5, BOMB_BYTES),
        ("corrupt", 7, 0),
    ];
    let expected = expected.map(|(reason, offset, size)| {
        format!("reason={reason};topic={name};partition=0;offset={offset};truncated=1;size={size}")
    });
    assert_eq!(origins, expected);
    println!("peak memory of the consumer: {} MiB", consumed.peak_kib / 1024);
}
