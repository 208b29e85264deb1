//! The same records without us: one Kafka message for each. Bytes only, and pure.
//!
//! What such a client needs of the CPU is its work for each message, which cannot be seen without a broker.

use batchpipe_api::codec::Codec;

use super::{
    cut::{Cut, Layout},
    framing, numbers,
    sample::Sample,
};
use crate::codec::Encoder;

/// zstd's level in Kafka's own clients, unless somebody sets another.
const CLIENT_LEVEL: i32 = 3;

/// A way to send records without batches of ours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plain {
    /// Messages in one of Kafka's record batches.
    pub per_record_batch: u32,
    /// Whether Kafka's client compresses these with zstd.
    pub zstd: bool,
    /// Bytes on the topic for each record.
    pub topic_bytes: f64,
}

/// Every record sent at once, by itself.
pub(super) fn alone(sample: &Sample) -> Plain {
    let bytes = (0..sample.len()).map(|index| {
        let value = sample.end(index) - sample.start(index);
        framing::alone(value as u64, &[])
    });
    let topic_bytes = numbers::quotient(bytes.sum(), sample.facts.records);
    Plain { per_record_batch: 1, zstd: false, topic_bytes }
}

/// As many records in each of Kafka's record batches as in ours, without compression and with zstd.
pub(super) fn compare(sample: &Sample, layout: &Layout) -> Vec<Plain> {
    let Ok(mut encoder) = Encoder::new(Codec::Zstd, Some(CLIENT_LEVEL)) else { return Vec::new() };
    let (mut body, mut value) = (Vec::new(), Vec::new());
    let (mut raw, mut compressed) = (0, 0);
    for cut in &layout.cuts {
        write(sample, cut, &mut body);
        encoder.encode(&body, &mut value);
        raw += framing::BATCH_HEAD + body.len() as u64;
        compressed += framing::BATCH_HEAD + value.len() as u64;
    }
    let plain = |zstd, bytes| Plain {
        per_record_batch: layout.max_records,
        zstd,
        topic_bytes: numbers::quotient(bytes, sample.facts.records),
    };
    vec![plain(false, raw), plain(true, compressed)]
}

/// The messages of a record batch.
fn write(sample: &Sample, cut: &Cut, body: &mut Vec<u8>) {
    body.clear();
    for (offset, index) in cut.records.clone().enumerate() {
        let value = &sample.text()[sample.start(index)..sample.end(index)];
        framing::write(offset as u64, value, body);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tune::sample::Limits;

    #[test]
    fn joining_saves_heads_and_compressing_saves_more() {
        let text = "{\"a\":\"some text\"}\n".repeat(100);
        let limits = Limits { records: 0, bytes: 1 << 20, record_bytes: 100 };
        let sample = Sample::read(text.as_bytes(), &limits).unwrap();
        let alone = alone(&sample);
        let joined = compare(&sample, &Layout::new(&sample, 50, 10_000));
        // 17 bytes of text and 7 of framing, and the head; two batches of 50.
        assert!((alone.topic_bytes - (17.0 + 7.0 + 61.0)).abs() < 1e-9, "{alone:?}");
        assert!((joined[0].topic_bytes - (24.0 + 1.22)).abs() < 1e-9, "{joined:?}");
        assert!(joined[1].zstd && joined[1].topic_bytes < 5.0, "{joined:?}");
    }
}
