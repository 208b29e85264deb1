//! The kinds of bad messages that have been met in the field, one test or more for each.

use batchpipe_api::{codec::Codec, envelope::Envelope, reason::Reason};
use batchpipe_workloads::{
    decode::{Batch, Headers, Message, Opened, Opener},
    inspect::preview,
    json::MAX_DEPTH,
};

use crate::{LIMITS, Parts, bad, compress, envelope_of, open, records};

const TEXT: &[u8] =
    b"{\"id\":1}\n{\"id\":2}\n{\"id\":3}\n{\"id\":4}\n{\"id\":5}\n{\"id\":6}\n{\"id\":7}";

/// A sealed message whose envelope was changed after sealing.
fn with_envelope(change: impl Fn(&mut Envelope)) -> Parts {
    let mut envelope = envelope_of(TEXT);
    change(&mut envelope);
    Parts { envelope: Some(envelope.to_string()), ..Parts::sealed(Codec::Gzip, TEXT) }
}

#[test]
fn m2_a_snappy_stream_that_lost_whole_chunks_is_truncated() {
    let text = vec![TEXT; 4000].join(&b'\n');
    let mut message = Parts::sealed(Codec::Snappy, &text);
    let head = 10 + 4;
    let first_chunk =
        u32::from_le_bytes([message.value[11], message.value[12], message.value[13], 0]);
    message.value.truncate(head + usize::try_from(first_chunk).unwrap());
    assert_eq!(message.reason(), Reason::Truncated);
    message.envelope = None; // then the half record at the end tells
    assert_eq!(message.reason(), Reason::Truncated);
}

#[test]
fn m2_plain_text_that_lost_its_end_is_truncated_when_the_envelope_tells() {
    let mut message = Parts::sealed(Codec::None, TEXT);
    while message.value.pop().is_some() {
        assert_eq!(message.reason(), Reason::Truncated);
    }
}

#[test]
fn m7_the_header_rules_over_the_first_bytes() {
    let (value, _) = compress(Codec::Zstd, TEXT);
    let message = Parts { content_encoding: Some("zlib".into()), ..Parts::bare(&value) };
    assert_eq!(message.reason(), Reason::Corrupt);
    let (value, _) = compress(Codec::Zlib, TEXT);
    let message = Parts { content_encoding: Some("Deflate".into()), ..Parts::bare(&value) };
    assert_eq!(records(&message.open().1).len(), 7);
}

#[test]
fn m7_an_unknown_encoding_is_unsupported_and_counts_as_its_records() {
    let mut message = Parts::sealed(Codec::Gzip, TEXT);
    message.content_encoding = Some("br".into());
    let rejection = message.open().0.unwrap_err();
    assert_eq!((rejection.reason, rejection.records), (Reason::UnsupportedCodec, 7));
    message.envelope = None;
    assert_eq!(message.open().0.unwrap_err().records, 1);
}

#[test]
fn m7_a_missing_encoding_is_found_out_from_the_first_bytes() {
    let text = [TEXT; 20].join(&b'\n');
    for codec in Codec::ALL {
        let mut message = Parts::sealed(codec, &text);
        message.content_encoding = None;
        let (opened, batch) = message.open();
        assert!(matches!(opened, Ok(Opened::Batch { codec: found, .. }) if found == codec));
        assert_eq!(batch.text, text);
    }
}

#[test]
fn m8_null_and_empty_values_are_tombstones() {
    for value in [None, Some(&b""[..])] {
        for headers in
            [Headers::default(), Headers::new(Some(b"zstd"), None), Headers::new(Some(b"br"), None)]
        {
            let (opened, batch) = open(&Message { value, headers }, &LIMITS);
            assert_eq!(opened, Ok(Opened::Tombstone));
            assert_eq!((batch.total(), batch.text.len()), (0, 0));
        }
    }
}

#[test]
fn m8_a_marker_is_no_tombstone() {
    let envelope = "v=1;n=3;b=0;p=0f3a5c7e9b1d2f48;s=9;x=record_too_large";
    for value in [None, Some(&b""[..])] {
        let message = Message { value, headers: Headers::new(None, Some(envelope.as_bytes())) };
        let Ok(Opened::Marker { envelope }) = open(&message, &LIMITS).0 else {
            panic!("no marker")
        };
        assert_eq!((envelope.records, envelope.sequence), (3, 9));
        assert_eq!(envelope.dead_lettered, Some(Reason::RecordTooLarge));
    }
    let with_value = Parts { envelope: Some(envelope.into()), ..Parts::bare(b"{}") };
    assert_eq!(with_value.reason(), Reason::IntegrityMismatch);
}

#[test]
fn m8_an_empty_value_that_promises_records_is_not_skipped() {
    let lost = Parts { value: Vec::new(), ..Parts::sealed(Codec::Zstd, TEXT) };
    let rejection = lost.open().0.unwrap_err();
    assert_eq!((rejection.reason, rejection.records), (Reason::Truncated, 7));
    let odd = "v=1;n=3;b=0;c=00000000;p=0f3a5c7e9b1d2f48;s=9";
    let odd = Parts { envelope: Some(odd.into()), ..Parts::default() };
    assert_eq!(odd.reason(), Reason::IntegrityMismatch);
}

#[test]
fn m9_an_empty_batch_has_no_records_and_is_fine() {
    let empty_zlib = b"\x78\x9c\x03\0\0\0\0\x01";
    let empty_gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0";
    let empty_zstd = b"\x28\xb5\x2f\xfd\x20\0\x01\0\0";
    let newlines = compress(Codec::Lz4, &[b'\n'; 500]).0;
    for value in [&empty_zlib[..], empty_gzip, empty_zstd, b"\n \r\n\t\n", &newlines] {
        let (opened, batch) = Parts::bare(value).open();
        assert!(matches!(opened, Ok(Opened::Batch { .. })), "{value:?}: {opened:?}");
        assert_eq!((batch.total(), batch.runs.len()), (0, 0));
    }
}

#[test]
fn m10_bad_records_are_picked_out_and_the_rest_is_delivered_in_order() {
    let text = b"oops\n{\"id\":1}\n{\"id\":}\n\n{\"id\":2}\n{\"id\":3}\n{\"id";
    for codec in Codec::ALL {
        let (value, _) = compress(codec, text);
        let (opened, batch) = Parts::bare(&value).open();
        assert!(opened.is_ok());
        assert_eq!(records(&batch), ["{\"id\":1}", "{\"id\":2}", "{\"id\":3}"]);
        assert_eq!(bad(&batch), [(0, &b"oops"[..]), (2, b"{\"id\":}"), (5, b"{\"id")]);
        assert_eq!(batch.total(), 6);
    }
}

#[test]
fn m10_a_batch_that_nobody_checked_is_checked_even_when_its_checksum_is_right() {
    let text = b"{}\nx\n{}";
    let envelope = Envelope { validated: false, ..envelope_of(text) };
    let message = Parts { envelope: Some(envelope.to_string()), ..Parts::bare(text) };
    assert_eq!(bad(&message.open().1), [(1, &b"x"[..])]);
    let trusted = Parts { envelope: Some(envelope_of(text).to_string()), ..Parts::bare(text) };
    assert_eq!(trusted.open().1.records, 3, "a producer that says it checked is believed");
    let blank_at_the_end = b"{}\nx\n{}\n\n";
    let envelope = Envelope { records: 3, ..envelope_of(blank_at_the_end) };
    let trusted = Parts { envelope: Some(envelope.to_string()), ..Parts::bare(blank_at_the_end) };
    assert_eq!(trusted.open().1.records, 3, "also when it writes more line ends than it should");
}

#[test]
fn m11_valid_json_keeps_its_bytes_and_the_rest_is_invalid() {
    let good = ["\"\\ud800\"", "{\"a\":\"\u{2028}\"}\r", "\"\u{10ffff}\"", "{\"\\u0000\":1}"];
    let bad_ones =
        [&b"\xef\xbb\xbf{}"[..], b"\"\xff\"", b"\"a\0b\"", b"\0", b"\"\xed\xa0\x80\"", b"\"\x1b\""];
    let mut text = good.join("\n").into_bytes();
    for record in bad_ones {
        text.push(b'\n');
        text.extend_from_slice(record);
    }
    let (_, batch) = Parts::bare(&text).open();
    assert_eq!(records(&batch), good);
    assert_eq!(bad(&batch).into_iter().map(|(_, record)| record).collect::<Vec<_>>(), bad_ones);
}

#[test]
fn m11_a_final_line_end_belongs_to_no_record() {
    let (_, batch) = Parts::bare(b"1\r\n2\r\n").open();
    assert_eq!(records(&batch), ["1\r", "2\r"]);
}

#[test]
fn m11_what_is_no_text_at_all_is_corrupt() {
    assert_eq!(Parts::bare(b"\x93NUMPY\0\n{\"id\":1}").reason(), Reason::Corrupt);
    assert_eq!(Parts::bare(b"\x93NUMPY\n\xff\xfe\n").reason(), Reason::Corrupt);
}

#[test]
fn m12_numbers_keys_and_long_strings_are_not_altered() {
    let long = format!("\"{}\"", "x".repeat(10 << 20));
    let all = ["1e999", "-0", "9223372036854775809", "{\"a\":1,\"a\":2}", "0.1000", &long];
    let (value, _) = compress(Codec::Zstd, all.join("\n").as_bytes());
    assert_eq!(records(&Parts::bare(&value).open().1), all);
}

#[test]
fn m12_a_record_of_exactly_the_limit_passes() {
    let text = vec![b'7'; LIMITS.max_bytes];
    let (value, _) = compress(Codec::Gzip, &text);
    assert_eq!(Parts::bare(&value).open().1.records, 1);
    let (value, _) = compress(Codec::Gzip, &[&text[..], b"7"].concat());
    assert_eq!(Parts::bare(&value).reason(), Reason::TooLarge);
}

#[test]
fn m12_deep_nesting_is_invalid_and_overflows_no_stack() {
    let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    let text =
        [nested(MAX_DEPTH), nested(MAX_DEPTH + 1), nested(100_000), "{\"a\":".repeat(100_000)];
    let (_, batch) = Parts::bare(text.join("\n").as_bytes()).open();
    assert_eq!(records(&batch), [&text[0]]);
    assert_eq!(batch.bad.len(), 3);
}

#[test]
fn m13_a_wrong_count_size_or_checksum_is_a_mismatch() {
    let changes: [&dyn Fn(&mut Envelope); 6] = [
        &|envelope| envelope.records -= 1,
        &|envelope| envelope.records += 1,
        &|envelope| envelope.records = 0,
        &|envelope| envelope.raw_bytes -= 1,
        &|envelope| envelope.raw_bytes += 1,
        &|envelope| envelope.crc32c = Some(0),
    ];
    for change in changes {
        assert_eq!(with_envelope(change).reason(), Reason::IntegrityMismatch);
        let unchecked = |envelope: &mut Envelope| {
            change(envelope);
            envelope.validated = false;
        };
        assert_eq!(with_envelope(unchecked).reason(), Reason::IntegrityMismatch);
    }
    assert!(with_envelope(|_| ()).open().0.is_ok());
}

#[test]
fn m13_an_envelope_that_cannot_be_read_rejects_the_message() {
    let later = Parts { envelope: Some("v=2;n=7".into()), ..Parts::bare(TEXT) };
    assert_eq!(later.reason(), Reason::UnsupportedVersion);
    for envelope in ["", "v=1", "n=7", "v=1;n=x", "\u{0}"] {
        let message = Parts { envelope: Some(envelope.into()), ..Parts::bare(TEXT) };
        let rejection = message.open().0.unwrap_err();
        assert_eq!((rejection.reason, rejection.records), (Reason::IntegrityMismatch, 1));
    }
}

#[test]
fn m13_a_count_beyond_the_limit_is_not_believed() {
    let rejection = with_envelope(|envelope| envelope.records = u32::MAX).open().0.unwrap_err();
    assert_eq!((rejection.reason, rejection.records), (Reason::TooManyRecords, 1));
}

#[test]
fn m14_the_numbers_of_the_records_are_known_even_of_a_message_that_is_rejected() {
    let expected = envelope_of(TEXT);
    let Ok(Opened::Batch { envelope, .. }) = Parts::sealed(Codec::Lz4, TEXT).open().0 else {
        panic!("no batch")
    };
    assert_eq!(envelope, Some(expected));
    let mut damaged = Parts::sealed(Codec::Lz4, TEXT);
    damaged.value[20] ^= 0xff;
    assert_eq!(damaged.open().0.unwrap_err().envelope, Some(expected));
}

#[test]
fn m15_records_are_shown_without_acting_on_the_terminal() {
    let shown = preview(b"{\"a\":\"\x1b]0;title\x07\"}\nfake log line");
    assert!(!shown.contains(['\x1b', '\x07', '\n']), "{shown}");
}

#[test]
fn m16_lz4_blocks_cannot_reach_what_was_in_memory_before() {
    let mut batch =
        Batch { text: b"\"a secret of the last message\"".repeat(10), ..Batch::default() };
    let header = |flags: u8| {
        let mut frame = vec![0x04, 0x22, 0x4d, 0x18, flags, 0x40];
        frame.push(twox_hash::XxHash32::oneshot(0, &frame[4..]).to_le_bytes()[1]);
        frame
    };
    // One literal, then a match of 8 bytes that starts `offset` bytes back; linked blocks and others.
    for (flags, offset) in [(0x60, 2_u16), (0x60, 0), (0x60, 60_000), (0x40, 2), (0x40, 60_000)] {
        let [low, high] = offset.to_le_bytes();
        let block = [0x14, b'1', low, high, 0x50, b'1', b'1', b'1', b'1', b'1'];
        let mut value = header(flags);
        value.extend_from_slice(&u32::try_from(block.len()).unwrap().to_le_bytes());
        value.extend_from_slice(&block);
        value.extend_from_slice(&[0; 4]);
        let message = Message { value: Some(&value), ..Message::default() };
        let opened = Opener::new().open(&message, &LIMITS, true, &mut batch);
        assert_eq!(opened.unwrap_err().reason, Reason::Corrupt, "offset {offset}");
        batch.text = b"\"a secret of the last message\"".repeat(10);
    }
}

#[test]
fn m17_ten_thousand_headers_do_not_matter() {
    let names: Vec<_> = (0..10_000).map(|number| format!("header-{number}")).collect();
    let others = names.iter().map(|name| (name.as_str(), Some(&b"x"[..])));
    let envelope = envelope_of(TEXT).to_string();
    let ours =
        [("Content-Encoding", Some(&b"identity"[..])), ("BatchPipe", Some(envelope.as_bytes()))];
    let headers: Headers<'_> = others.chain(ours).collect();
    let (opened, batch) = open(&Message { value: Some(TEXT), headers }, &LIMITS);
    assert!(matches!(opened, Ok(Opened::Batch { envelope: Some(_), .. })));
    assert_eq!(batch.records, 7);
}

#[test]
fn m17_headers_that_contradict_each_other_are_refused() {
    let (value, _) = compress(Codec::Gzip, TEXT);
    let twice = [("content-encoding", Some(&b"gzip"[..])), ("content-encoding", Some(b"zstd"))];
    let message = Message { value: Some(&value), headers: twice.into_iter().collect() };
    assert_eq!(open(&message, &LIMITS).0.unwrap_err().reason, Reason::UnsupportedCodec);
}

#[test]
fn m18_what_does_not_shrink_is_sent_as_it_is_and_read_back() {
    for codec in Codec::ALL {
        let message = Parts::sealed(codec, b"{\"a\":1}");
        assert_eq!(message.content_encoding.as_deref(), Some(&b"identity"[..]));
        assert_eq!(records(&message.open().1), ["{\"a\":1}"]);
    }
}
