//! Which settings are varied, and by how much. Values only.

use super::files::Content;
use crate::pipeline::Shape;

/// One setting at several values.
pub(crate) struct Curve {
    pub(crate) title: &'static str,
    /// The beginning of its topics' names.
    pub(crate) name: &'static str,
    /// What a value costs once, which explains where the curve bends.
    pub(crate) cause: &'static str,
    /// Whether the points are in an order, so that a curve can bend.
    pub(crate) is_ordered: bool,
    /// Whether costs are told per gigabyte, because the records differ in size.
    pub(crate) per_gigabyte: bool,
    pub(crate) points: Vec<Point>,
}

/// One value.
pub(crate) struct Point {
    pub(crate) label: String,
    pub(crate) shape: Shape,
    pub(crate) content: Content,
}

/// All curves.
pub(crate) fn curves() -> Vec<Curve> {
    vec![record_sizes(), batch_sizes(), partitions(), codecs(), keys(), replicas()]
}

fn point(label: impl Into<String>, shape: Shape, content: Content) -> Point {
    Point { label: label.into(), shape, content }
}

fn record_sizes() -> Curve {
    let large = [1, 4, 17, 70, 280].map(|parts| {
        let label = format!("{parts} of telemetry in one");
        point(label, Shape::USUAL, Content::Telemetry { parts })
    });
    let small = point("seed", Shape::USUAL, Content::Seed);
    Curve {
        title: "Record size",
        name: "sizes",
        cause: "A record costs finding its line end and starting a parser; all else is per byte. Batches of large \
                records are closed by bytes (900 KiB) before they have 500.",
        is_ordered: true,
        per_gigabyte: true,
        points: std::iter::once(small).chain(large).collect(),
    }
}

fn batch_sizes() -> Curve {
    let points = [1, 3, 10, 30, 100, 300, 1000, 3000, 10_000].map(|per_batch: usize| {
        point(per_batch.to_string(), Shape { per_batch, ..Shape::USUAL }, Content::TELEMETRY)
    });
    Curve {
        title: "Batch size",
        name: "batches",
        cause: "A batch costs a compression frame, headers and a message of Kafka's; a compressor finds more in a \
                larger one until its window is full. 900 KiB close a batch of about 3,900 of these records.",
        is_ordered: true,
        per_gigabyte: false,
        points: points.into(),
    }
}

fn partitions() -> Curve {
    let points = [1, 4, 16, 64, 256].map(|partitions: u32| {
        let shape = Shape { partitions, key: Some(Content::KEY), ..Shape::USUAL };
        point(partitions.to_string(), shape, Content::Keyed { keys: 10_000 })
    });
    Curve {
        title: "Partitions, records with 10,000 keys",
        name: "partitions",
        cause: "Each partition has an open batch, which the linger of 100 ms closes when few records come to it, and \
                each costs a share of a request.",
        is_ordered: true,
        per_gigabyte: false,
        points: points.into(),
    }
}

fn codecs() -> Curve {
    let levels = [
        ("none", None),
        ("lz4", None),
        ("snappy", None),
        ("zstd", Some(1)),
        ("zstd", Some(3)),
        ("zstd", Some(6)),
        ("zstd", Some(12)),
        ("gzip", Some(1)),
        ("gzip", Some(6)),
        ("zlib", Some(6)),
    ];
    let points = levels.map(|(codec, level)| {
        let label = level.map_or_else(|| codec.to_owned(), |level| format!("{codec} {level}"));
        point(label, Shape { codec, level, ..Shape::USUAL }, Content::TELEMETRY)
    });
    Curve {
        title: "Codec and level",
        name: "codecs",
        cause: "Each batch is compressed on its own, as a whole; lz4, snappy and none have no levels.",
        is_ordered: false,
        per_gigabyte: false,
        points: points.into(),
    }
}

fn keys() -> Curve {
    let without = point("no key", Shape::USUAL, Content::Keyed { keys: 1 });
    let with = [1, 10, 100, 1000, 10_000, 100_000].map(|keys: u64| {
        let shape = Shape { key: Some(Content::KEY), ..Shape::USUAL };
        point(keys.to_string(), shape, Content::Keyed { keys })
    });
    Curve {
        title: "Distinct keys",
        name: "keys",
        cause: "A key is looked up in the record and hashed, and chooses the partition; nothing is kept per key.",
        is_ordered: true,
        per_gigabyte: false,
        points: std::iter::once(without).chain(with).collect(),
    }
}

fn replicas() -> Curve {
    let points = [1, 2, 4, 6].map(|replicas: usize| {
        point(replicas.to_string(), Shape { replicas, ..Shape::USUAL }, Content::TELEMETRY)
    });
    Curve {
        title: "Replicas, each with its part of the records",
        name: "replicas",
        cause: "A process costs its start, which is left out, its threads and connections, and a share of each request; \
                consumers share the 6 partitions. The peak is that of the largest process.",
        is_ordered: true,
        per_gigabyte: false,
        points: points.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_of_a_curve_has_a_name_of_its_own() {
        for curve in curves() {
            let mut labels: Vec<_> = curve.points.iter().map(|point| &point.label).collect();
            labels.sort();
            labels.dedup();
            assert_eq!(labels.len(), curve.points.len(), "{}", curve.title);
        }
    }
}
