//! A dead letter as one line: JSON with what its header says and the original, or `name=value` pairs. Pure.

use batchpipe_api::{envelope::DEAD_LETTER, reason::Reason};
use serde::Serialize;

use crate::dead_letter_header::DeadLetterHeader;

/// A dead letter, for reading by people and programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Letter<'a> {
    reason: Reason,
    topic: &'a str,
    partition: i32,
    offset: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u32>,
    #[serde(skip_serializing_if = "is_zero")]
    attempts: u32,
    /// Size of the original in bytes, when the value is only its start.
    #[serde(skip_serializing_if = "Option::is_none")]
    truncated_from: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    headers: Vec<Named<'a>>,
    #[serde(flatten)]
    value: Bytes<'a>,
}

/// A header of the original.
#[derive(Serialize)]
struct Named<'a> {
    name: &'a str,
    #[serde(flatten)]
    value: Bytes<'a>,
}

/// Text as it is, anything else in base64.
#[derive(Serialize)]
enum Bytes<'a> {
    #[serde(rename = "value")]
    Text(&'a str),
    #[serde(rename = "valueBase64")]
    Binary(String),
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls it with")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// The line about a letter: what was kept, whole.
pub(super) fn json<'a>(
    header: &DeadLetterHeader,
    value: &[u8],
    headers: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> String {
    let named = headers.filter(|(name, _)| *name != DEAD_LETTER);
    let letter = Letter {
        reason: header.reason,
        topic: &header.topic,
        partition: header.partition,
        offset: header.offset,
        index: header.index,
        attempts: header.attempts,
        truncated_from: header.truncated,
        headers: named.map(|(name, value)| Named { name, value: bytes(value) }).collect(),
        value: bytes(value),
    };
    serde_json::to_string(&letter).expect("a letter is plain values")
}

/// What it is and where it came from, without anything of the original's own text.
pub(super) fn pairs(header: &DeadLetterHeader) -> String {
    let DeadLetterHeader { reason, topic, partition, offset, .. } = header;
    let index = header.index.map_or_else(String::new, |index| format!(" index={index}"));
    let size = header.truncated.map_or_else(String::new, |size| format!(" truncated-from={size}"));
    format!("dead-letter={reason} original={topic}/{partition}/{offset}{index}{size}")
}

fn bytes(value: &[u8]) -> Bytes<'_> {
    std::str::from_utf8(value).map_or_else(|_| Bytes::Binary(base64(value)), Bytes::Text)
}

/// Base64 with padding (RFC 4648, section 4).
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at)) as usize & 63];
            text.push(if at <= three.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str) -> DeadLetterHeader {
        DeadLetterHeader::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_record_is_shown_as_text_with_its_origin() {
        let header = header("reason=invalid_json;topic=rooms;partition=-1;offset=-1;index=2");
        assert_eq!(
            json(&header, b"not \"json\"\x1b", [].into_iter()),
            r#"{"reason":"invalid_json","topic":"rooms","partition":-1,"offset":-1,"index":2,"value":"not \"json\"\u001b"}"#
        );
        assert_eq!(pairs(&header), "dead-letter=invalid_json original=rooms/-1/-1 index=2");
    }

    #[test]
    fn a_message_is_shown_in_base64_with_its_own_headers() {
        let header = header(
            "reason=too_large;topic=t;partition=0;offset=7;attempts=1;truncated=1;size=9000",
        );
        let headers = [(DEAD_LETTER, b"left out".as_slice()), ("content-encoding", b"zstd")];
        assert_eq!(
            json(&header, b"\xff\xfe", headers.into_iter()),
            "{\"reason\":\"too_large\",\"topic\":\"t\",\"partition\":0,\"offset\":7,\"attempts\":1,\
             \"truncatedFrom\":9000,\"headers\":[{\"name\":\"content-encoding\",\"value\":\"zstd\"}],\
             \"valueBase64\":\"//4=\"}"
        );
        assert_eq!(pairs(&header), "dead-letter=too_large original=t/0/7 truncated-from=9000");
    }

    #[test]
    fn base64_is_that_of_the_standard() {
        let examples =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
        for (plain, encoded) in examples {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
    }
}
