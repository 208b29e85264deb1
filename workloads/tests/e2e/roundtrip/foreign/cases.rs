//! Messages that are not simply good, each with what has to become of it.

use batchpipe_api::{
    codec::Codec,
    envelope::{CONTENT_ENCODING, Envelope, HEADER, Incarnation},
    reason::Reason,
};

use super::good::{Good, compress};
use crate::kit::topic::Raw;

/// What follows a whole value. For snappy it is a chunk of a kind that must be understood and that nobody knows.
const TAIL: &[u8] = b"\x02\x01\0\0!";

const COMPRESSING: [Codec; 5] = [Codec::Zstd, Codec::Gzip, Codec::Zlib, Codec::Lz4, Codec::Snappy];

/// A message and its fate.
#[derive(Clone, Debug, Default)]
pub(super) struct Case {
    raw: Raw,
    /// What the sink gets.
    pub(super) delivered: Vec<u8>,
    pub(super) letters: Vec<Letter>,
}

/// What the dead-letter topic gets.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    pub(super) reason: Reason,
    pub(super) index: Option<usize>,
    pub(super) value: Vec<u8>,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    /// The whole size in bytes, when only the start is kept.
    pub(super) truncated: Option<usize>,
    /// How many records it counts as.
    pub(super) records: u64,
}

impl Case {
    /// A message without headers.
    pub(super) fn of(value: Vec<u8>) -> Self {
        Self { raw: Raw::value(0, value), ..Self::default() }
    }

    fn with(mut self, name: &str, value: &dyn ToString) -> Self {
        self.raw.headers.push((name.to_owned(), value.to_string().into_bytes()));
        self
    }

    /// It is kept as a whole for this reason, and counts as so many records.
    fn rejected(mut self, reason: Reason, records: u64) -> Self {
        let (value, headers) = (self.raw.value.clone().unwrap(), self.raw.headers.clone());
        self.letters =
            vec![Letter { reason, index: None, value, headers, truncated: None, records }];
        self
    }

    pub(super) fn message(&self, partition: i32) -> Raw {
        Raw { partition, ..self.raw.clone() }
    }
}

/// One of each.
pub(super) fn special(good: &mut Good) -> Vec<Case> {
    let mut cases = Vec::new();
    for codec in Codec::ALL {
        for at in [&[0][..], &[17], &[40], &[0, 1, 20, 42, 43]] {
            cases.push(with_bad_records(good, codec, at));
        }
    }
    for codec in COMPRESSING {
        let value = compress(codec, &good.records().concat());
        cases.push(Case::of(value[..value.len() - 5].to_vec()).rejected(Reason::Truncated, 1));
        cases.push(Case::of([&value, TAIL].concat()).rejected(Reason::Corrupt, 1));
    }
    cases.extend(mislabelled(good));
    cases.extend(unusual(good));
    cases.extend(empty());
    cases
}

/// A batch with bad records at these places of the whole.
fn with_bad_records(good: &mut Good, codec: Codec, at: &[usize]) -> Case {
    const BAD: [&[u8]; 4] =
        [b"{\"cut\":", b"{\"a\":1} 2", b"{\"a\":\"\xff\xfe\"}", b"{'single':1}"];
    let mut good = good.records().into_iter();
    let (mut text, mut delivered, mut letters) = (Vec::new(), Vec::new(), Vec::new());
    for index in 0..good.len() + at.len() {
        if at.contains(&index) {
            let value = BAD[letters.len() % BAD.len()].to_vec();
            text.extend_from_slice(&value);
            text.push(b'\n');
            let (reason, headers) = (Reason::InvalidJson, Vec::new());
            let index = Some(index);
            letters.push(Letter { reason, index, value, headers, truncated: None, records: 1 });
        } else {
            let line = good.next().unwrap();
            text.extend_from_slice(&line);
            delivered.extend(line);
        }
    }
    text.pop();
    Case { delivered, letters, ..Case::of(compress(codec, &text)) }
}

/// What an honest producer would say of these records.
fn envelope(text: &[u8]) -> Envelope {
    Envelope {
        records: u32::try_from(text.split(|byte| *byte == b'\n').count()).unwrap(),
        raw_bytes: text.len() as u64,
        crc32c: Some(crc32c::crc32c(text)),
        incarnation: Incarnation(7),
        sequence: 0,
        validated: false,
        dead_lettered: None,
    }
}

/// Headers that say something else than the value does, or something that nobody knows.
fn mislabelled(good: &mut Good) -> Vec<Case> {
    let text = good.records().concat();
    let joined = &text[..text.len() - 1];
    let value = compress(Codec::Zstd, joined);
    let honest = envelope(joined);
    let sealed = |envelope: &dyn ToString| {
        Case::of(value.clone()).with(CONTENT_ENCODING, &"zstd").with(HEADER, envelope)
    };
    let labelled = |encoding: &str| Case::of(value.clone()).with(CONTENT_ENCODING, &encoding);
    vec![
        Case { delivered: text.clone(), ..sealed(&honest) },
        Case { delivered: text.clone(), ..labelled(" ZSTD ").with("x-other", &"kept") },
        labelled("br").with("x-other", &"kept").rejected(Reason::UnsupportedCodec, 1),
        labelled("gzip").rejected(Reason::Corrupt, 1),
        sealed(&honest.to_string().replace("v=1", "v=2")).rejected(Reason::UnsupportedVersion, 1),
        sealed(&Envelope { crc32c: Some(1), ..honest }).rejected(Reason::IntegrityMismatch, 40),
        sealed(&Envelope { records: 39, ..honest }).rejected(Reason::IntegrityMismatch, 39),
        sealed(&"nonsense").rejected(Reason::IntegrityMismatch, 1),
        sealed(&Envelope { raw_bytes: 1 << 40, ..honest }).rejected(Reason::TooLarge, 40),
        sealed(&Envelope { records: 4_000_000, ..honest }).rejected(Reason::TooManyRecords, 1),
    ]
}

/// Legal, but far from usual.
fn unusual(good: &mut Good) -> Vec<Case> {
    let text = good.records().concat();
    let value = compress(Codec::Gzip, &text);
    let mut with_key = Case { delivered: text.clone(), ..Case::of(value.clone()) };
    with_key.raw.key = Some(vec![b'k'; 1 << 20]);
    let many = |case: Case| {
        (0..10_000).fold(case, |case, number| case.with(&format!("h{number}"), &number))
    };
    let cut = value[..100].to_vec();
    let noise: Vec<u8> =
        (0..500_000_u32).flat_map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
    // Larger than the dead-letter topic takes, whose limit is Kafka's default.
    let mut huge = Case::of(noise).with(CONTENT_ENCODING, &"zstd").rejected(Reason::Corrupt, 1);
    huge.letters[0].truncated = Some(2_000_000);
    vec![
        with_key,
        Case { delivered: text, ..many(Case::of(value)) },
        many(Case::of(cut)).rejected(Reason::Truncated, 1),
        huge,
    ]
}

/// No records at all; nothing comes of them.
fn empty() -> Vec<Case> {
    let tombstone = |key: Option<&[u8]>, value: Option<&[u8]>| {
        let (key, value) = (key.map(<[u8]>::to_vec), value.map(<[u8]>::to_vec));
        Case { raw: Raw { key, value, ..Raw::default() }, ..Case::default() }
    };
    vec![
        tombstone(None, None),
        tombstone(Some(b"key"), None),
        tombstone(None, Some(b"")),
        tombstone(None, Some(b"\n \r\n\t\n")),
        Case::of(compress(Codec::Zstd, &[b'\n'; 100])),
    ]
}

/// Small messages that hold more than a consumer takes: more than its whole memory, where a codec shrinks that to
/// what fits into a letter; lz4 and snappy do not.
pub(super) fn bombs() -> Vec<Case> {
    let spaces = vec![b' '; 300 << 20];
    let size = |codec| match codec {
        Codec::Lz4 | Codec::Snappy => 17 << 20,
        _ => spaces.len(),
    };
    let bomb = |codec| Case::of(compress(codec, &spaces[..size(codec)]));
    let mut bombs: Vec<_> =
        COMPRESSING.map(|codec| bomb(codec).rejected(Reason::TooLarge, 1)).into();
    let records = b"1\n".repeat(7_000_000);
    bombs.push(Case::of(compress(Codec::Zstd, &records)).rejected(Reason::TooManyRecords, 1));
    bombs
}
