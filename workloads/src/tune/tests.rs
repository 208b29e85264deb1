//! Measurements as they could have been, for the tests of the pure parts; and one real pass through all of them.

use batchpipe_api::{
    codec::Codec,
    units::{ByteSize, Timespan},
};

use super::{
    Candidate, Demand, Measured, Options, Tuning,
    choose::choose,
    json,
    plain::Plain,
    plan::settings,
    sample::{Facts, Limits, Sample},
    tune,
};
use crate::source::generator::{ProfileName, generate};

/// A measurement of a million records. `cpu`: seconds to compress and to decompress.
pub(super) fn measured(
    codec: Codec,
    max_records: u32,
    topic_bytes: f64,
    cpu: (f64, f64),
) -> Measured {
    Measured {
        candidate: Candidate { codec, level: codec.default_level(), max_records },
        messages: u64::from(1_000_000 / max_records),
        records_per_message: f64::from(max_records),
        value_bytes: topic_bytes - 200.0 / f64::from(max_records),
        topic_bytes,
        compress: cpu.0,
        decompress: cpu.1,
    }
}

/// A tuning whose recommendation is zstd with 500 records.
pub(super) fn example() -> Tuning {
    with_demand(None)
}

/// The same when so many records come in a second; a batch may wait for a second.
pub(super) fn example_at(rate: u64) -> Tuning {
    with_demand(Some(Demand { rate, max_linger: Timespan::from_secs(1) }))
}

fn with_demand(demand: Option<Demand>) -> Tuning {
    let measured = vec![
        measured(Codec::Zstd, 100, 33.0, (0.3, 0.12)),
        measured(Codec::Zstd, 500, 30.0, (0.27, 0.11)),
        measured(Codec::Lz4, 100, 62.0, (0.24, 0.1)),
        measured(Codec::Lz4, 500, 60.0, (0.23, 0.09)),
    ];
    let plain = |per_record_batch, zstd, topic_bytes| Plain { per_record_batch, zstd, topic_bytes };
    let options = Options {
        settings: vec![(Codec::Zstd, Some(1)), (Codec::Lz4, None)],
        batches: vec![100, 500],
        max_bytes: ByteSize::from_kib(900),
        rounds: 3,
        demand,
    };
    let facts = Facts {
        records: 1_000_000,
        record_bytes: 234_000_000,
        lines: 1_000_000,
        is_whole: true,
        ..Facts::default()
    };
    Tuning {
        name: "app.ndjson".to_owned(),
        facts,
        left_out: Vec::new(),
        handling: 0.12,
        choice: choose(&measured, 0.12, options.demand.as_ref()),
        options,
        measured,
        plain: vec![
            plain(1, false, 303.0),
            plain(100, false, 243.0),
            plain(100, true, 40.0),
            plain(500, false, 242.0),
            plain(500, true, 35.0),
        ],
    }
}

#[test]
fn generated_logs_are_measured_from_end_to_end() {
    let mut text = Vec::new();
    generate(ProfileName::Logs, 1, 3_000, &mut text);
    let limits = Limits { records: 0, bytes: 1 << 24, record_bytes: 900 << 10 };
    let sample = Sample::read(text.as_slice(), &limits).unwrap();
    let options = Options {
        settings: settings(&[Codec::Zstd, Codec::None], &[1]).unwrap(),
        batches: vec![100, 1_000, 5_000],
        max_bytes: ByteSize::from_kib(900),
        rounds: 1,
        demand: None,
    };
    let tuning = tune("logs".to_owned(), &sample, options, |_| ()).unwrap();
    assert_eq!((tuning.measured.len(), tuning.left_out.as_slice()), (4, &[5_000][..]));
    // Logs are worth compressing, by a margin that no noise makes up for.
    assert_eq!(tuning.best().candidate.codec, Codec::Zstd);
    // Beside each other in one of Kafka's batches, uncompressed, there is framing for each record.
    let plain = |zstd, size| {
        let is_it = |it: &&Plain| it.zstd == zstd && it.per_record_batch == size;
        tuning.plain.iter().find(is_it).unwrap().topic_bytes
    };
    let none = tuning.measured.iter().find(|it| it.candidate.codec == Codec::None).unwrap();
    assert!(plain(false, 1) > plain(false, 100) && plain(false, 100) > none.topic_bytes);
    assert!(plain(true, 1_000) < tuning.record_bytes());
    assert_eq!(json::json(&tuning)["records"], 3_000);
}
