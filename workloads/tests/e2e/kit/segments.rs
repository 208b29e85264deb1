//! The broker's own files: which compression each record batch of a topic carries.

use std::fs;

use super::broker;

/// A record batch as the log stores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordBatch {
    /// `none`, `gzip`, `snappy`, `lz4` or `zstd`.
    pub(crate) compression: &'static str,
    /// How many messages it holds.
    pub(crate) messages: u32,
}

const COMPRESSIONS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];
/// Offset and length, which the length itself does not count.
const PREFIX: usize = 12;
const LENGTH_AT: usize = 8;
const ATTRIBUTES_AT: usize = 21;
const COUNT_AT: usize = 57;

/// All record batches of a topic, read from the files that the broker writes.
pub(crate) fn record_batches(topic: &str) -> Vec<RecordBatch> {
    segments(topic).iter().flat_map(|segment| parse(segment)).collect()
}

/// How many bytes a topic takes in the files that the broker writes.
pub(crate) fn log_bytes(topic: &str) -> usize {
    segments(topic).iter().map(Vec::len).sum()
}

/// The first file of each partition, which is the only one in tests.
fn segments(topic: &str) -> Vec<Vec<u8>> {
    let data = broker().log().parent().unwrap().join("data");
    let partitions = broker().end_offsets(topic).unwrap().len();
    let segment = |partition| {
        let folder = data.join(format!("{topic}-{partition}"));
        fs::read(folder.join("00000000000000000000.log")).unwrap()
    };
    (0..partitions).map(segment).collect()
}

fn parse(mut log: &[u8]) -> Vec<RecordBatch> {
    let word = |at: usize, log: &[u8]| u32::from_be_bytes(log[at..at + 4].try_into().unwrap());
    let mut batches = Vec::new();
    while !log.is_empty() {
        let compression = COMPRESSIONS[usize::from(log[ATTRIBUTES_AT + 1] & 7)];
        batches.push(RecordBatch { compression, messages: word(COUNT_AT, log) });
        log = &log[PREFIX + word(LENGTH_AT, log) as usize..];
    }
    batches
}
