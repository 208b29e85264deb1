//! Messages that are kept as files: ours, Python's and the usual tools'. All have to be read for ever, and no
//! damage to any of them may pass.

use std::{fs, path::PathBuf};

use batchpipe_api::{codec::Codec, reason::Reason};
use batchpipe_workloads::decode::{Batch, Opened, Rejection};

use crate::{Parts, records};

/// Folders of small messages, which are damaged in every possible place.
const SMALL: [&str; 2] = ["three", "twenty"];
/// What a damaged message may be rejected with.
const DAMAGE: [Reason; 6] = [
    Reason::Corrupt,
    Reason::Truncated,
    Reason::TooLarge,
    Reason::UnsupportedCodec,
    Reason::UnsupportedVersion,
    Reason::IntegrityMismatch,
];
/// Messages whose format carries no checksum of the content, or where it was left out.
const UNGUARDED: [&str; 5] = [
    "ours-bare-zstd",
    "ours-bare-lz4",
    "ours-bare-none",
    "zstd-tool-19-no-check",
    "lz4-tool-size-no-check",
];

struct Golden {
    name: String,
    parts: Parts,
    text: Vec<u8>,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// `NAME.value`, and `NAME.headers` with the content encoding and the envelope, if there are any.
fn read(name: &str, text: &[u8]) -> Vec<Golden> {
    let mut all = Vec::new();
    for file in fs::read_dir(folder().join(name)).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "value") {
            continue;
        }
        let headers = fs::read_to_string(path.with_extension("headers")).ok();
        let mut lines = headers.iter().flat_map(|headers| headers.lines());
        let parts = Parts {
            value: fs::read(&path).unwrap(),
            content_encoding: lines.next().map(Into::into),
            envelope: lines.next().map(Into::into),
        };
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        all.push(Golden { name, parts, text: text.to_vec() });
    }
    all
}

fn small() -> Vec<Golden> {
    let text = |name: &str| fs::read(folder().join(name).with_extension("ndjson")).unwrap();
    let all: Vec<_> = SMALL.iter().flat_map(|name| read(name, &text(name))).collect();
    for (kind, codec) in ["sealed", "bare"].iter().flat_map(|kind| Codec::ALL.map(|it| (kind, it)))
    {
        let name = format!("ours-{kind}-{codec}");
        let found = all.iter().filter(|golden| golden.name == name).count();
        assert_eq!(found, SMALL.len(), "{name} in {SMALL:?}");
    }
    all
}

fn large_text() -> Vec<u8> {
    let line = |number: u32| format!("{{\"id\":{number},\"value\":{}}}", number * number % 1009);
    (0..8000).map(line).collect::<Vec<_>>().join("\n").into_bytes()
}

#[test]
#[ignore = "writes the files of our own messages; only for a new kind of message"]
fn write_our_messages() {
    for name in SMALL {
        let text = fs::read(folder().join(name).with_extension("ndjson")).unwrap();
        for codec in Codec::ALL {
            let sealed = Parts::sealed(codec, &text);
            let place = |kind: &str| folder().join(name).join(format!("ours-{kind}-{codec}"));
            let encoding = String::from_utf8(sealed.content_encoding.unwrap()).unwrap();
            let headers = format!("{encoding}\n{}\n", sealed.envelope.unwrap());
            fs::write(place("sealed").with_extension("value"), &sealed.value).unwrap();
            fs::write(place("sealed").with_extension("headers"), headers).unwrap();
            fs::write(place("bare").with_extension("value"), &sealed.value).unwrap();
        }
    }
}

#[test]
fn every_golden_message_is_read() {
    let mut all = small();
    all.extend(read("large", &large_text()));
    assert!(all.len() >= 40, "{} messages", all.len());
    for golden in all {
        let (opened, batch) = golden.parts.open();
        assert!(matches!(opened, Ok(Opened::Batch { .. })), "{}: {opened:?}", golden.name);
        assert!(batch.text == golden.text && batch.bad.is_empty(), "{}", golden.name);
        assert_eq!(batch.runs.len(), 1, "{}", golden.name);
        assert_eq!(records(&batch).len(), golden.text.split(|byte| *byte == b'\n').count());
    }
}

/// Whether `outcome` is a rejection for a listed reason.
fn is_rejected(outcome: &(Result<Opened, Rejection>, Batch)) -> bool {
    outcome.0.is_err_and(|rejection| DAMAGE.contains(&rejection.reason))
}

/// Whether exactly the records of the golden message came out.
fn is_unharmed(golden: &Golden, outcome: &(Result<Opened, Rejection>, Batch)) -> bool {
    matches!(outcome.0, Ok(Opened::Batch { .. }))
        && outcome.1.text == golden.text
        && outcome.1.bad.is_empty()
}

/// Whether nothing was delivered: what is not told apart from text any more is one bad record.
fn is_empty(outcome: &(Result<Opened, Rejection>, Batch)) -> bool {
    outcome.1.records == 0
}

#[test]
fn m1_no_flipped_byte_passes_unnoticed() {
    let mut cases = 0;
    for golden in small() {
        let is_sealed = golden.parts.envelope.is_some();
        let is_guarded = is_sealed || !UNGUARDED.contains(&golden.name.as_str());
        for place in 0..golden.parts.value.len() {
            for mask in [0x01, 0x20, 0xff] {
                let mut damaged = golden.parts.clone();
                damaged.value[place] ^= mask;
                let outcome = damaged.open();
                let is_safe = is_rejected(&outcome)
                    || is_unharmed(&golden, &outcome)
                    || (!is_sealed && is_empty(&outcome))
                    || (!is_guarded && matches!(outcome.0, Ok(Opened::Batch { .. })));
                assert!(is_safe, "{} byte {place} mask {mask:x}: {outcome:?}", golden.name);
                cases += 1;
            }
        }
    }
    assert!(cases >= 20_000, "{cases} cases");
}

#[test]
fn m1_a_sealed_message_with_a_flipped_byte_is_never_a_batch_of_bad_records() {
    for golden in small().into_iter().filter(|golden| golden.parts.envelope.is_some()) {
        for place in 0..golden.parts.value.len() {
            let mut damaged = golden.parts.clone();
            damaged.value[place] ^= 0x04;
            let outcome = damaged.open();
            assert!(is_rejected(&outcome) || is_unharmed(&golden, &outcome), "{}", golden.name);
        }
    }
}

#[test]
fn m2_a_message_cut_anywhere_is_truncated() {
    let mut cases = 0;
    for golden in small() {
        // With the header that our producer sends; plain text has no end that could be missing.
        if golden.name == "ours-bare-none" {
            continue;
        }
        let mut cut = golden.parts.clone();
        let codec = batchpipe_workloads::codec::sniff(&cut.value);
        cut.content_encoding = Some(codec.content_encoding().into());
        while cut.value.len() > 1 {
            cut.value.pop();
            assert_eq!(cut.reason(), Reason::Truncated, "{} at {}", golden.name, cut.value.len());
            cases += 1;
        }
    }
    assert!(cases >= 9000, "{cases} cases");
}

#[test]
fn m2_a_cut_message_without_headers_delivers_nothing() {
    for golden in small() {
        if golden.parts.envelope.is_some() || golden.name == "ours-bare-none" {
            continue;
        }
        let mut cut = golden.parts.clone();
        while cut.value.pop().is_some() {
            let outcome = cut.open();
            assert!(is_rejected(&outcome) || is_empty(&outcome), "{}", golden.name);
        }
    }
}
